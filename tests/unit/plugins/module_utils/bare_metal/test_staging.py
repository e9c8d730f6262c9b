# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Staging a release: whole or absent, never touching what is live."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import tarfile
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    DeploymentError,
    DeploymentTimeoutError,
    FencedError,
    NotFoundError,
    ProviderConfigurationError,
    ProviderConnectionError,
    ProviderError,
    ValidationError,
)

if TYPE_CHECKING:
    from tests.unit.plugins.module_utils.bare_metal.conftest import Host


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_staged_release_is_whole_and_nothing_is_live(host: Host) -> None:
    result = host.stage("1.0")
    assert result["changed"]
    assert result["release"]["version"] == "1.0"
    assert result["release"]["current"] is None
    assert result["release"]["digest"] == "sha256:" + sha256(host.base / "1.0.tar.gz")
    assert host.is_whole("1.0")
    assert host.current is None
    assert host.leftovers() == []


def test_staging_the_same_again_changes_nothing(host: Host) -> None:
    host.stage("1.0")
    assert not host.stage("1.0", source={"archive": {"src": str(host.base / "1.0.tar.gz")}})["changed"]


def test_check_mode_says_what_would_change_and_touches_nothing(host: Host) -> None:
    result = host.stage("1.0", check_mode=True, diff=True)
    assert result["changed"]
    assert result["diff"]["before"]["staged"] is False
    assert result["diff"]["after"]["staged"] is True
    assert not host.root.exists()
    host.stage("1.0")
    assert not host.stage("1.0", check_mode=True, source={"archive": {"src": str(host.base / "1.0.tar.gz")}})["changed"]


def test_a_wrong_checksum_names_both_sums(host: Host) -> None:
    archive = host.archive("1.0")
    with pytest.raises(ValidationError) as caught:
        host.call("staged", "1.0", source={"archive": {"src": str(archive), "sha256": "0" * 64}})
    assert "0" * 64 in str(caught.value)
    assert sha256(archive) in str(caught.value)
    assert host.releases() == []


def test_the_controllers_payload_is_used_in_the_place_of_src(host: Host) -> None:
    archive = host.archive("1.0")
    host.call("staged", "1.0", source={"archive": {"src": "dist/shop-1.0.tar.gz", "sha256": sha256(archive)}}, payload=str(archive))
    assert host.is_whole("1.0")


def test_a_source_that_is_nowhere_is_named(host: Host) -> None:
    with pytest.raises(NotFoundError, match=r"/nowhere/a\.tar"):
        host.call("staged", "1.0", source={"archive": {"src": "/nowhere/a.tar"}})


def test_other_content_under_the_same_version_is_refused_unless_forced_and_not_live(host: Host) -> None:
    host.stage("1.0")
    with pytest.raises(ValidationError, match="other content"):
        host.stage("1.0", {"more": "1"})
    assert host.stage("1.0", {"more": "1"}, force=True)["changed"]
    assert (host.root / "releases/1.0/more").read_text() == "1"
    host.call("active", "1.0")
    with pytest.raises(ValidationError, match="It is live"):
        host.stage("1.0", {"more": "2"}, force=True)


def test_a_folder_of_somebody_else_in_the_releases_place_is_left_alone(host: Host) -> None:
    host.stage("1.0")
    (host.root / "releases/2.0").mkdir()
    with pytest.raises(ProviderConfigurationError, match="in the way"):
        host.stage("2.0")
    assert (host.root / "releases/2.0").is_dir()


def test_build_runs_in_the_releases_own_folder_with_its_variables(host: Host) -> None:
    host.stage("1.0", build='pwd > where; echo "$FRAISIER_VERSION $COLOUR" > what', environment={"COLOUR": "red"})
    release = host.root / "releases/1.0"
    assert (release / "where").read_text().strip() == str(release)
    assert (release / "what").read_text() == "1.0 red\n"
    assert not (release / ".fraisier-staging").exists()


def test_a_build_given_as_words_uses_no_shell(host: Host) -> None:
    host.stage("1.0", build=["touch", "a b;c"])
    assert (host.root / "releases/1.0/a b;c").exists()


def test_a_build_command_is_no_argument_and_is_not_written_down(host: Host) -> None:
    host.stage("1.0", build="key=hunter2; cat /proc/$$/cmdline > words")
    release = host.root / "releases" / "1.0"
    assert b"hunter2" not in (release / "words").read_bytes()
    assert b"build.sh" in (release / "words").read_bytes()
    assert "hunter2" not in (release / ".fraisier-release.json").read_text()
    assert host.leftovers() == []


def test_secrets_in_the_url_of_a_source_are_not_told(host: Host) -> None:
    with pytest.raises(ProviderConnectionError) as caught:
        host.stage("1.0", source={"archive": {"src": "http://u:hunter2@127.0.0.1:9/1.0.tar.gz?X-Amz-Signature=hunter2"}})
    assert "hunter2" not in f"{caught.value} {caught.value.to_dict()} {host.warnings}"


def test_a_build_that_fails_leaves_nothing_and_says_why(host: Host) -> None:
    with pytest.raises(DeploymentError, match="no such module") as caught:
        host.stage("1.0", build="echo no such module >&2; exit 4")
    assert not caught.value.infrastructure
    assert host.releases() == []
    assert host.leftovers() == []


def test_a_build_that_hangs_is_killed_and_leaves_nothing(host: Host) -> None:
    with pytest.raises(DeploymentTimeoutError):
        host.stage("1.0", build="sleep 60", build_timeout=0.2)
    assert host.releases() == []


def test_a_forced_build_that_fails_brings_back_what_was_there(host: Host) -> None:
    host.stage("1.0")
    with pytest.raises(DeploymentError):
        host.stage("1.0", {"more": "1"}, force=True, build="exit 1")
    assert host.is_whole("1.0")


def test_modes_do_not_depend_on_the_umask_and_special_bits_go(host: Host) -> None:
    before = os.umask(0o077)
    try:
        host.stage("1.0", build="chmod 4777 server.py; mkdir open; chmod 2777 open")
    finally:
        os.umask(before)
    release = host.root / "releases/1.0"
    assert stat.S_IMODE((release / "server.py").stat().st_mode) == 0o755
    assert stat.S_IMODE((release / "open").stat().st_mode) == 0o755
    assert stat.S_IMODE((release / "version.txt").stat().st_mode) == 0o644
    assert stat.S_IMODE(release.stat().st_mode) == 0o755


def test_the_mode_of_the_release_folder_can_be_given(host: Host) -> None:
    host.stage("1.0", mode="0750")
    assert stat.S_IMODE((host.root / "releases/1.0").stat().st_mode) == 0o750
    with pytest.raises(ValidationError, match="mode"):
        host.stage("1.1", mode="0777")


def test_owner_and_group_must_exist_and_are_given_to_every_file(host: Host) -> None:
    with pytest.raises(ValidationError, match=r"no user 'nobody\.at\.all'|only be set by root"):
        host.stage("1.0", owner="nobody.at.all")
    if os.geteuid() == 0:
        host.stage("1.0", owner="nobody")
        assert {path.stat().st_uid for path in (host.root / "releases/1.0").iterdir() if path.name != ".fraisier-release.json"} == {65534}


def test_shared_paths_outlive_releases_and_begin_with_what_the_first_brings(host: Host) -> None:
    options = {"shared": ["var/uploads", "settings.ini"]}
    host.stage("1.0", {"var/uploads/seed": "a", "settings.ini": "x=1"}, **options)
    (host.root / "releases/1.0/var/uploads/new").write_text("b")
    host.stage("1.1", {"var/uploads/seed": "other", "settings.ini": "x=2"}, **options)
    later = host.root / "releases/1.1"
    assert (later / "var/uploads/seed").read_text() == "a"
    assert (later / "var/uploads/new").read_text() == "b"
    assert (later / "settings.ini").read_text() == "x=1"
    assert not (later / "settings.ini").readlink().is_absolute()


def test_a_shared_path_beneath_a_link_of_the_release_is_refused(host: Host) -> None:
    archive = host.base / "linked.tar"
    with tarfile.open(archive, "w") as tar:
        folder, link = tarfile.TarInfo("real"), tarfile.TarInfo("var")
        folder.type, link.type, link.linkname = tarfile.DIRTYPE, tarfile.SYMTYPE, "real"
        tar.addfile(folder)
        tar.addfile(link)
    with pytest.raises(ValidationError, match="cannot be linked"):
        host.call("staged", "1.0", source={"archive": {"src": str(archive)}}, shared=["var/uploads"])
    assert host.releases() == []


def test_an_archive_cannot_pretend_to_be_a_staged_release(host: Host) -> None:
    with pytest.raises(ValidationError, match="kept for the host's own notes"):
        host.stage("1.0", {".fraisier-release.json": json.dumps({"version": "1.0", "digest": "x"})})
    assert host.releases() == []


def test_an_older_deployment_is_refused_before_anything_is_fetched(host: Host) -> None:
    host.stage("1.0", fence={"token": 7, "owner": "new"})
    with pytest.raises(FencedError, match=r"token 7 of new.*token 6 of old"):
        host.stage("1.1", fence={"token": 6, "owner": "old"})
    assert host.releases() == ["1.0"]


def test_a_url_is_fetched_once_and_a_dead_server_does_not_hinder_what_is_already_here(host: Host) -> None:
    host.archive("1.0")

    class Handler(SimpleHTTPRequestHandler):
        asked: list[str] = []

        def __init__(self, *words, **options) -> None:
            super().__init__(*words, directory=str(host.base), **options)

        def do_GET(self) -> None:
            self.asked.append(self.path)
            super().do_GET()

        def log_message(self, *words) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/1.0.tar.gz"
    host.call("staged", "1.0", source={"archive": {"src": url}})
    assert any("without encryption" in warning for warning in host.warnings)
    known = {"archive": {"src": url, "sha256": sha256(host.base / "1.0.tar.gz")}}
    assert not host.call("staged", "1.0", source=known)["changed"]
    assert Handler.asked == ["/1.0.tar.gz"]
    server.shutdown()
    server.server_close()
    assert not host.call("staged", "1.0", source={"archive": {"src": url}}, timeout=15)["changed"]
    assert any("as it was staged" in warning for warning in host.warnings)


def test_another_recipe_for_the_same_content_keeps_the_release_and_warns(host: Host) -> None:
    host.stage("1.0")
    assert not host.stage("1.0", build="true")["changed"]
    assert any("another build" in warning for warning in host.warnings)


def make_repository(path: Path, files: dict[str, str]) -> str:
    """A git repository with one commit, made by git itself; returns the commit."""
    path.mkdir()

    def git(*words: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always"]
        return subprocess.run(["git", "-C", str(path), *identity, *words], capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    for name, text in files.items():
        (path / name).write_text(text)
    git("add", "--all")
    git("commit", "--quiet", "-m", "one")
    return git("rev-parse", "HEAD")


def test_a_commit_of_a_repository_is_staged_with_its_submodules(host: Host) -> None:
    make_repository(host.base / "library", {"lib.txt": "lib"})
    origin = host.base / "origin"
    make_repository(origin, {"version.txt": "1.0"})
    add = ["git", "-C", str(origin), "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../library", "vendor"]
    subprocess.run(add, check=True, timeout=30)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(origin), *identity, "commit", "--quiet", "-m", "two"], check=True, timeout=30)
    commit = subprocess.run(["git", "-C", str(origin), "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    source = {"git": {"repo": str(origin), "ref": "main", "submodules": True}}
    result = host.call("staged", "1.0", source=source)
    assert result["release"]["digest"] == f"git:{commit}"
    assert (host.root / "releases/1.0/vendor/lib.txt").read_text() == "lib"
    assert not host.call("staged", "1.0", source=source)["changed"]
    assert not host.call("staged", "1.0", source={"git": {"repo": str(origin), "ref": commit}}, check_mode=True)["changed"]


def test_a_repository_that_is_away_does_not_hinder_a_release_that_is_already_here(host: Host) -> None:
    make_repository(host.base / "origin", {"version.txt": "1.0"})
    source = {"git": {"repo": f"file://{host.base}/origin", "ref": "main"}}
    host.call("staged", "1.0", source=source)
    (host.base / "origin").rename(host.base / "moved")
    with pytest.raises(ProviderError):
        host.call("staged", "1.1", source=source)
    assert host.releases() == ["1.0"]
