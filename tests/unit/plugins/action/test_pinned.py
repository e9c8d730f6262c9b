# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Staging that is bound to what the fleet runs, with a real call to the provider on this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.action.release import ActionModule
from tests.testbed.application import build_release
from tests.unit.plugins.action.acting import Recorder, act


def stage(listening: Recorder, root: Path, source: dict[str, Any], digest: str) -> dict[str, Any]:
    listening.answers["intent"] = [{"step_id": "0199", "fence": None, "digest": digest}]
    return act(ActionModule, {"step": "stage", "provider": "bare_metal", "options": {"release": "1.0", "path": str(root), "source": source}})


def test_an_archive_that_was_built_again_is_refused_and_nothing_is_laid_out(listening: Recorder, tmp_path: Path) -> None:
    kept = build_release(tmp_path / "kept", "1.0")
    again = build_release(tmp_path / "again", "1.0", padding=100)
    result = stage(listening, tmp_path / "shop", {"archive": {"src": str(again.path)}}, f"sha256:{kept.sha256}")
    assert result["failed"]
    assert f"expected {kept.sha256}, got {again.sha256}" in result["msg"]
    assert not (tmp_path / "shop" / "releases" / "1.0").exists()
    assert stage(listening, tmp_path / "shop", {"archive": {"src": str(kept.path)}}, f"sha256:{kept.sha256}")["changed"]


def test_a_host_that_has_other_content_under_the_version_is_refused_though_the_archive_has_gone(listening: Recorder, tmp_path: Path) -> None:
    built = build_release(tmp_path / "archives", "1.0")
    source = {"archive": {"src": str(built.path)}}
    stage(listening, tmp_path / "shop", source, "")
    built.path.unlink()
    assert not stage(listening, tmp_path / "shop", source, f"sha256:{built.sha256}").get("failed")
    result = stage(listening, tmp_path / "shop", source, f"sha256:{'0' * 64}")
    assert result["error"]["code"] == "VALIDATION_ERROR"
    assert "the release on this host" in result["msg"]
    assert listening.of("outcome")[-1]["outcome"] == "failed"


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    folder = tmp_path / "origin"
    folder.mkdir()
    return folder


def test_a_tag_that_has_moved_is_not_followed(listening: Recorder, origin: Path, tmp_path: Path) -> None:
    def git(*words: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        return subprocess.run(["git", "-C", str(origin), *identity, *words], capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    commits = []
    for word in ("first", "second"):
        (origin / "word").write_text(word)
        git("add", "--all")
        git("commit", "--quiet", "-m", word)
        git("tag", "--force", "v1")
        commits.append(git("rev-parse", "HEAD"))
    result = stage(listening, tmp_path / "shop", {"git": {"repo": str(origin), "ref": "v1"}}, f"git:{commits[0]}")
    assert not result.get("failed"), result
    assert result["release"]["digest"] == f"git:{commits[0]}"
    assert (tmp_path / "shop" / "releases" / "1.0" / "word").read_text() == "first"
