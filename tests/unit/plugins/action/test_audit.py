# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.plugins.action import audit
from tests.unit.plugins.action.acting import Recorder, act

WHOLE = {"ok": True, "rows": 8, "first": 1, "position": 8, "hash": "ab" * 32, "checkpoints": 0, "signatures": None, "problem": None, "seconds": 0.01}
BROKEN = {**WHOLE, "ok": False, "rows": 4, "problem": {"position": 5, "kind": "missing", "text": "rows 5 to 6 are missing"}}
HEAD = {"kind": "fraisier.deploy audit head", "format": 1, "position": 8, "hash": "ab" * 32, "at": "2026-01-01T00:00:00+00:00", "signature": None}


def test_a_whole_chain_is_said_so(listening: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    listening.answers["query"] = [{"answer": WHOLE}]
    result = act(audit.ActionModule, {})
    assert (result["changed"], "failed" in result) == (False, False)
    assert "The audit is whole: 8 rows, 1 to 8" in capsys.readouterr().out
    (asked,) = listening.of("query")
    assert (asked["query"], asked["audit"], asked["key_file"], asked["check"]) == ("audit", "verify", None, False)


@pytest.mark.parametrize("query", ["verify", "export", "checkpoint", "prune"])
def test_a_chain_that_is_not_whole_fails_the_run_and_names_the_place(listening: Recorder, query: str, tmp_path: Path) -> None:
    listening.answers["query"] = [{"answer": BROKEN}]
    path = tmp_path / "head.json"
    result = act(audit.ActionModule, {"query": query, "audit_file": str(path)})
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"] == "The audit is not whole at position 5: rows 5 to 6 are missing (missing)"
    assert not path.exists()


def test_the_head_is_written_whole_and_not_in_check_mode(listening: Recorder, tmp_path: Path) -> None:
    listening.answers["query"] = [{"answer": {**WHOLE, "head": HEAD}}]
    path = tmp_path / "head.json"
    act(audit.ActionModule, {"query": "export", "audit_file": str(path)}, check=True)
    assert not path.exists()
    assert act(audit.ActionModule, {"query": "export", "audit_file": str(path)})["changed"]
    assert json.loads(path.read_text(encoding="utf-8")) == HEAD
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith("head")] == ["head.json"]
    shown = act(audit.ActionModule, {"query": "export"})
    assert json.loads(shown["lines"][-1]) == HEAD
    refused = act(audit.ActionModule, {"query": "export", "audit_file": str(tmp_path / "nowhere" / "head.json")})
    assert "cannot be written" in refused["msg"]


def test_a_head_is_read_from_its_file_or_refused_before_anybody_is_asked(listening: Recorder, tmp_path: Path) -> None:
    listening.answers["query"] = [{"answer": {**WHOLE, "head": HEAD, "signed": True}}]
    path = tmp_path / "head.json"
    for words, wrong in {"cannot be read": str(path), "no file is named": None}.items():
        assert words in act(audit.ActionModule, {"query": "check", "audit_file": wrong})["msg"]
    path.write_text("no JSON", encoding="utf-8")
    assert "is not JSON" in act(audit.ActionModule, {"query": "check", "audit_file": str(path)})["msg"]
    assert listening.of("query") == []
    path.write_text(json.dumps(HEAD), encoding="utf-8")
    result = act(audit.ActionModule, {"query": "check", "audit_file": str(path)})
    assert "is in the chain, its signature is true" in result["lines"][-1]
    assert listening.of("query")[0]["head"] == HEAD


def test_the_key_is_named_by_its_file_and_only_by_its_file(listening: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listening.answers["query"] = [{"answer": WHOLE}]
    monkeypatch.setenv("FRAISIER_AUDIT_KEY_FILE", str(tmp_path / "of-the-environment.pem"))
    act(audit.ActionModule, {})
    act(audit.ActionModule, {"audit_key_file": str(tmp_path / "given.pem")})
    assert [asked["key_file"] for asked in listening.of("query")] == [str(tmp_path / "of-the-environment.pem"), str(tmp_path / "given.pem")]


def test_what_goes_is_said_before_and_after(listening: Recorder) -> None:
    made = {"position": 6, "hash": "cd" * 32, "made": True}
    listening.answers["query"] = [
        {"answer": {**WHOLE, "would": 6, "removed": 0, "check": True}},
        {"answer": {**WHOLE, "would": 6, "removed": 6, "check": False, "checkpoint": made}},
        {"answer": {**WHOLE, "would": 0, "removed": 0, "check": False}},
    ]
    would = act(audit.ActionModule, {"query": "prune", "keep_days": "30"}, check=True)
    assert (would["changed"], would["lines"][-1]) == (True, "Would forget 6 rows")
    done = act(audit.ActionModule, {"query": "prune", "keep_days": "30"})
    assert (done["changed"], done["lines"][-2:]) == (True, [f"Made a checkpoint at row 6, hash {'cd' * 32}", "Forgot 6 rows"])
    again = act(audit.ActionModule, {"query": "prune", "keep_days": "30"})
    assert (again["changed"], again["lines"][-1]) == (False, "Forgot 0 rows")
    assert listening.of("query")[0]["keep_days"] == 30


def test_rows_are_shown_with_what_a_person_looks_for(listening: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    row = {
        "position": 5, "at": "2026-01-02 03:04:05.678901+00:00", "type": "health_check", "event": "step.outcome", "actor": "ada", "fraise": "shop_api",
        "environment": "production", "deployment": "shop_api:production:7", "host": "web1",
        "data": {"step": "activate", "outcome": "reverted", "error": {"message": "web1 answers 503 " + "x" * 99}},
    }  # fmt: skip
    plan = {**row, "position": 4, "deployment": None, "host": None, "data": {"reason": "weekly"}}
    listening.answers["query"] = [{"answer": {"ok": True, "rows": [row, plan]}}]
    act(audit.ActionModule, {"query": "list", "type": "health_check"})
    _head, first, second = [line.split() for line in capsys.readouterr().out.splitlines()][-3:]
    assert first[:8] == ["5", "2026-01-02", "03:04:05", "health_check", "step.outcome", "ada", "shop_api:production:7", "web1"]
    assert "503" in first
    assert second[6:] == ["shop_api:production", "-", "weekly"]
