# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.plugins.action import gate, store
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NoOpenDeploymentError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import SOCKET_VARIABLE
from tests.unit.plugins.action.acting import Recorder, act

DECISION = {
    "go": False, "halts": True, "moved": True, "over": True, "promoted": False, "reason": "2 of 2 hosts failed", "failed_hosts": ["web1"], "batch": 1,
    "batches": 3, "undo": {"web2": "1.0.0"}, "last_good": "1.0.0",
}  # fmt: skip
QUIET: dict[str, list[str]] = {"told": []}
CHECKED = {
    "ok": True,
    "dialect": "sqlite",
    "schema": {"current": "0001", "head": "0002"},
    "missing": [],
    "orphans": 0,
    "stale_deployments": [],
    "clock_skew_seconds": 0.0,
    "database_time": "2026-11-22T11:33:21+00:00",
}
SCHEMA = {"dialect": "sqlite", "current": "0001", "head": "0001", "pending": []}


def test_a_refusal_is_an_answer_and_not_a_failure(listening: Recorder) -> None:
    listening.answers["gate"] = [DECISION | QUIET]
    assert act(gate.ActionModule, {"at": "after"}) == {"changed": False, "at": "after", **DECISION}
    assert listening.of("gate") == [{"at": "after", "hosts": ["web1", "web2"]}]


def test_a_gate_that_must_wait_asks_again_and_says_once_what_it_waits_for(
    listening: Recorder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "POLL_SECONDS", 0.01)
    waiting = {"wait": True, "reason": "paused by ada", "left": 9.0, "told": []}
    baking = {"wait": True, "reason": "waiting 60 s", "left": 3.0, "told": ["resumed by ada: works"]}
    listening.answers["gate"] = [waiting, waiting, baking, {**DECISION, "told": ["promoted by bob: enough"]}]
    assert act(gate.ActionModule, {"at": "before"})["go"] is False
    assert [request.get("again", False) for request in listening.of("gate")] == [False, True, True, True]
    told = capsys.readouterr().out
    assert [line for line in told.splitlines() if line.startswith("  == ")] == [
        "  == paused by ada",
        "  == resumed by ada: works",
        "  == waiting 60 s",
        "  == promoted by bob: enough",
    ]


def test_a_step_that_lasts_is_told_to_the_recorder_once(listening: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "POLL_SECONDS", 0.01)
    listening.answers["gate"] = [{"wait": True, "reason": "pause", "left": 9.0, "told": []}, {**DECISION, "go": True, "promoted": True, "told": []}]
    result = act(gate.ActionModule, {"at": "during", "step": {"text": "pause", "seconds": "9", "then": "abort"}})
    assert (result["go"], result["promoted"]) == (True, True)
    asked = {"at": "during", "hosts": ["web1", "web2"]}
    assert listening.of("gate") == [
        {**asked, "step": {"text": "pause", "seconds": 9.0, "then": "abort", "every": 0.0, "watches": False, "halts": ""}},
        {**asked, "again": True},
    ]


@pytest.mark.parametrize("step", [None, {}, {"text": "pause"}, {"text": "pause", "seconds": "soon"}])
def test_a_step_that_is_none_is_refused(listening: Recorder, step: object) -> None:
    result = act(gate.ActionModule, {"at": "during", **({"step": step} if step is not None else {})})
    assert "is no step that lasts" in result["msg"]
    assert listening.of("gate") == []


def test_an_error_of_the_recorder_is_a_failure_with_its_code_and_remedy(listening: Recorder) -> None:
    listening.answers["gate"] = [NoOpenDeploymentError("No deployment is open", hint="Open one")]
    result = act(gate.ActionModule, {"at": "before"})
    assert result["failed"]
    assert result["msg"] == "No deployment is open. Open one [NO_OPEN_DEPLOYMENT]"
    assert result["error"]["code"] == "NO_OPEN_DEPLOYMENT"


@pytest.mark.parametrize("arguments", [{"at": "now"}, {}, {"at": "before", "when": "now"}])
def test_arguments_that_do_not_fit_are_refused_before_anything_is_asked(listening: Recorder, arguments: dict) -> None:
    result = act(gate.ActionModule, arguments)
    assert result["failed"]
    assert result["msg"].endswith("See: ansible-doc fraisier.deploy.gate [VALIDATION_ERROR]")
    assert listening.asked == []


def test_a_run_with_a_value_that_was_cut_asks_nothing_and_does_not_show_the_words(listening: Recorder) -> None:
    result = act(gate.ActionModule, {"at": "before"}, variables={"_raw_params": "horse battery"})
    assert result["failed"]
    assert "2 words that belong to no variable" in result["msg"]
    assert "horse" not in str(result)
    assert listening.asked == []


def test_without_the_callback_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SOCKET_VARIABLE, raising=False)
    result = act(gate.ActionModule, {"at": "before"})
    assert result["failed"]
    assert "callbacks_enabled = fraisier.deploy.recorder" in result["msg"]


def test_a_recorder_that_is_gone_is_told_as_such(listening: Recorder) -> None:
    listening.close()
    result = act(gate.ActionModule, {"at": "before"})
    assert result["failed"]
    assert result["error"]["code"] == "DATABASE_CONNECTION_ERROR"


def test_a_query_hands_on_what_was_asked_and_shows_the_answer(listening: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    listening.answers["query"] = [{"answer": []}]
    result = act(store.ActionModule, {"query": "history", "fraise": "shop_api", "limit": "5"})
    assert (result["changed"], result["answer"], result["lines"]) == (False, [], ["No deployments of shop_api in the store yet"])
    assert listening.of("query") == [{"query": "history", "fraise": "shop_api", "environment": None, "deployment": None, "plan": None, "limit": 5}]
    assert "No deployments of shop_api in the store yet" in capsys.readouterr().out


def test_a_query_can_be_quiet(listening: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    listening.answers["query"] = [{"answer": []}]
    act(store.ActionModule, {"query": "history", "show": False})
    assert capsys.readouterr().out == ""


SAVED = {
    "path": "/backups/store.db", "store": "SQLite file /store.db", "revision": "0002", "bytes": 4096, "sha256": "ab", "rows": {"tb_event": 3},
    "verified": True, "how": "restored", "notes": [], "check": False,
}  # fmt: skip
BACK = {**SAVED, "schema": "0002", "described": True, "made_at": None, "token": 7, "open": ["shop:prod:3"], "lost": ["hold prod:1"]}


def test_a_path_that_ends_with_a_slash_is_a_folder_and_no_file_takes_its_name(listening: Recorder, tmp_path: Path) -> None:
    listening.answers["query"] = [{"answer": SAVED}]
    missing = act(store.ActionModule, {"query": "backup", "path": f"{tmp_path}/dir/"})
    assert missing["failed"]
    assert missing["msg"].startswith(f"path: {tmp_path}/dir/ ends with a slash, so it is a folder, and there is none. Make it, mkdir -m 700 {tmp_path}/dir,")
    assert missing["error"]["context"] == {"option": "path", "value": f"{tmp_path}/dir/"}
    assert listening.asked == []
    (tmp_path / "dir").mkdir()
    act(store.ActionModule, {"query": "backup", "path": f"{tmp_path}/dir/"})
    assert listening.of("query")[0]["path"] == f"{tmp_path}/dir"


def test_a_backup_is_a_change_with_its_digest_told(listening: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    listening.answers["query"] = [{"answer": SAVED}]
    result = act(store.ActionModule, {"query": "backup", "path": "store.db", "time_limit": 5})
    assert (result["changed"], result["answer"]) == (True, SAVED)
    assert "sha256 ab" in result["lines"][1]
    (asked,) = listening.of("query")
    assert (asked["path"], asked["verify"], asked["replace"], asked["time_limit"]) == (f"{tmp_path}/store.db", True, False, 5)
    assert asked["by"]


@pytest.mark.parametrize(
    ("replaced", "word"),
    [
        ({"empty": True, "readable": True, "deployments": 0}, "an empty store"),
        ({"empty": False, "readable": True, "deployments": 4}, "4 deployments"),
        ({"empty": False, "readable": False, "deployments": 0}, "cannot be read"),
    ],
)
def test_a_restore_says_what_went_and_what_is_left_to_do(listening: Recorder, replaced: dict, word: str) -> None:
    listening.answers["query"] = [{"answer": {**BACK, "replaced": replaced}}]
    result = act(store.ActionModule, {"query": "restore", "path": "/backups/store.db"})
    told = "\n".join(result["lines"])
    assert result["changed"]
    assert word in told
    assert "Open when the backup was made: shop:prod:3. Settle with: ansible-playbook fraisier.deploy.recover" in told
    assert "no longer in force: hold prod:1" in told


@pytest.mark.parametrize(("query", "answer"), [("backup", SAVED), ("restore", {**BACK, "replaced": {"empty": True, "readable": True, "deployments": 0}})])
def test_check_mode_says_what_a_backup_or_a_restore_would_do(listening: Recorder, query: str, answer: dict) -> None:
    listening.answers["query"] = [{"answer": {**answer, "check": True}}]
    result = act(store.ActionModule, {"query": query, "path": "/backups/store.db"}, check=True)
    assert (result["changed"], result["lines"][0].startswith("Would ")) == (False, True)
    assert listening.of("query")[0]["check"] is True


@pytest.mark.parametrize(("applied", "changed"), [(["0001"], True), ([], False)])
def test_a_migration_is_a_change_when_something_was_applied(listening: Recorder, applied: list[str], changed: bool) -> None:
    listening.answers["query"] = [{"answer": {"applied": applied, "schema": SCHEMA}}]
    assert act(store.ActionModule, {"query": "migrate"})["changed"] is changed


def test_check_mode_looks_at_the_schema_and_migrates_nothing(listening: Recorder) -> None:
    listening.answers["query"] = [{"answer": CHECKED}]
    assert act(store.ActionModule, {"query": "migrate"}, check=True)["changed"] is False
    assert [request["query"] for request in listening.of("query")] == ["check"]
