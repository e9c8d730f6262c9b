# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode of staging says what the release would be and what is live, so that a plan can name both before anything is fetched."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NotFoundError, ProviderError, ValidationError

if TYPE_CHECKING:
    from tests.unit.plugins.module_utils.bare_metal.conftest import Host


def sha256(path: Path) -> str:
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def commit(host: Host) -> str:
    """A repository ``origin`` with one commit on the branch main and the annotated tag v1."""
    origin = host.base / "origin"
    origin.mkdir()

    def git(*words: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        return subprocess.run(["git", "-C", str(origin), *identity, *words], capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    (origin / "version.txt").write_text("1.0")
    git("add", "--all")
    git("commit", "--quiet", "-m", "one")
    git("tag", "-a", "-m", "first", "v1")
    return git("rev-parse", "HEAD")


def look(host: Host, version: str, source: dict[str, dict[str, str]], **options: object) -> dict[str, str | None]:
    told: dict[str, str | None] = host.call("staged", version, source=source, check_mode=True, **options)["release"]
    return told


def test_an_archive_that_is_here_is_named_by_its_sum_before_and_after(host: Host) -> None:
    archive = host.archive("1.0")
    source = {"archive": {"src": str(archive)}}
    assert look(host, "1.0", source)["digest"] == sha256(archive)
    assert not host.root.exists()
    assert host.stage("1.0")["release"]["digest"] == sha256(archive)
    assert look(host, "1.0", source)["digest"] == sha256(archive)


def test_what_is_live_is_named_beside_what_would_be(host: Host) -> None:
    assert host.stage("1.0")["release"]["current_digest"] is None
    host.deploy("1.0")
    archive = host.archive("2.0")
    told = look(host, "2.0", {"archive": {"src": str(archive)}})
    assert (told["current"], told["current_digest"], told["digest"]) == ("1.0", sha256(host.base / "1.0.tar.gz"), sha256(archive))
    assert host.stage("2.0")["release"]["current_digest"] == sha256(host.base / "1.0.tar.gz")


def test_a_url_is_named_by_the_sum_that_was_given_or_not_at_all(host: Host) -> None:
    url = "https://127.0.0.1:1/shop.tar.gz"
    assert look(host, "1.0", {"archive": {"src": url, "sha256": "ab" * 32}})["digest"] == "sha256:" + "ab" * 32
    assert look(host, "1.0", {"archive": {"src": url}})["digest"] is None


def test_a_release_that_would_be_replaced_is_named_by_what_replaces_it(host: Host) -> None:
    host.stage("1.0")
    archive = host.archive("1.0", {"more.txt": "more"})
    told = look(host, "1.0", {"archive": {"src": str(archive)}}, force=True)
    assert told["digest"] == sha256(archive)


@pytest.mark.parametrize("ref", ["main", "v1"])
def test_a_branch_and_a_tag_are_named_by_the_commit_they_lead_to_and_nothing_is_fetched(host: Host, commit: str, ref: str) -> None:
    assert look(host, "1.0", {"git": {"repo": str(host.base / "origin"), "ref": ref}})["digest"] == f"git:{commit}"
    assert not host.root.exists()


def test_a_short_commit_is_not_known_before_it_is_fetched(host: Host, commit: str) -> None:
    assert look(host, "1.0", {"git": {"repo": str(host.base / "origin"), "ref": commit[:10]}})["digest"] is None


def test_check_mode_fails_where_staging_would(host: Host, commit: str) -> None:
    with pytest.raises(NotFoundError, match="no branch, tag or commit"):
        look(host, "1.0", {"git": {"repo": str(host.base / "origin"), "ref": "v2"}})
    with pytest.raises(ProviderError):
        look(host, "1.0", {"git": {"repo": str(host.base / "nowhere"), "ref": "main"}})


def test_check_mode_sees_that_a_branch_has_moved_since_the_version_was_staged(host: Host, commit: str) -> None:
    source = {"git": {"repo": str(host.base / "origin"), "ref": "main"}}
    host.call("staged", "1.0", source=source)
    assert look(host, "1.0", source)["digest"] == f"git:{commit}"
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(host.base / "origin"), *identity, "commit", "--quiet", "--allow-empty", "-m", "two"], check=True, timeout=30)
    with pytest.raises(ValidationError, match="with other content"):
        look(host, "1.0", source)


def test_check_mode_takes_a_staged_release_as_it_is_when_its_source_is_away(host: Host) -> None:
    source = {"git": {"repo": "ssh://127.0.0.1:1/origin", "ref": "main"}}
    host.stage("1.0")
    manifest = host.root / "releases/1.0/.fraisier-release.json"
    told = {**json.loads(manifest.read_text()), "source": {"kind": "git", **source["git"]}}
    manifest.write_text(json.dumps(told))
    assert look(host, "1.0", source)["digest"] == told["digest"]
