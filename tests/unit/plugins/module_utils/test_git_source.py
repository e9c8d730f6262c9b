# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases from real git repositories."""

from __future__ import annotations

import base64
import functools
import http.server
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.archives import unpack
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NotFoundError, ProviderConfigurationError, ProviderError, ValidationError
from ansible_collections.fraisier.deploy.plugins.module_utils.git_source import GitCache, check_git, without_password


class Repository:
    """A repository with a working tree, made by git itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *words: str) -> str:
        identity = {f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER") for field, value in (("NAME", "t"), ("EMAIL", "t@example.org"))}
        environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": "/dev/null"}
        argv = ["git", "-c", "protocol.file.allow=always", "-C", str(self.path), *words]
        return subprocess.run(argv, env=environment, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    def commit(self, text: str) -> str:
        (self.path / "version.txt").write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", text)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "origin")


@pytest.fixture
def cache(repository: Repository, tmp_path: Path) -> GitCache:
    deadline = time.monotonic() + 60
    return GitCache(str(tmp_path / "cache"), f"file://{repository.path}", lambda: deadline - time.monotonic())


def text_of(cache: GitCache, commit: str, folder: Path) -> str:
    archive, tree = folder / f"{commit}.tar", folder / f"tree-{commit}"
    cache.archive(commit, str(archive))
    tree.mkdir()
    unpack(str(archive), str(tree))
    return (tree / "version.txt").read_text()


def test_branches_tags_annotated_tags_and_commits_are_found(repository: Repository, cache: GitCache, tmp_path: Path) -> None:
    first = repository.commit("one")
    repository.git("tag", "v1")
    second = repository.commit("two")
    repository.git("tag", "-a", "v2", "-m", "two")
    third = repository.commit("three")
    wanted = {"v1": first, "v2": second, "main": third, first: first, second[:10]: second, "refs/tags/v1": first}
    assert {ref: cache.commit(ref, 1) for ref in wanted} == wanted
    assert text_of(cache, first, tmp_path) == "one"
    assert text_of(cache, third, tmp_path) == "three"


def test_a_branch_that_moved_and_a_tag_that_was_moved_are_followed(repository: Repository, cache: GitCache) -> None:
    repository.commit("one")
    repository.git("tag", "v1")
    cache.commit("main", 1)
    cache.commit("v1", 1)
    second = repository.commit("two")
    repository.git("tag", "-f", "v1")
    assert cache.commit("main", 1) == second
    assert cache.commit("v1", 1) == second


def test_a_history_that_was_rewritten_is_no_obstacle(repository: Repository, cache: GitCache) -> None:
    repository.commit("one")
    cache.commit("main", 0)
    repository.git("checkout", "--quiet", "--orphan", "other")
    new = repository.commit("again")
    repository.git("branch", "-M", "main")
    assert cache.commit("main", 0) == new


def test_only_the_wanted_depth_is_fetched(repository: Repository, cache: GitCache) -> None:
    for text in ("one", "two", "three"):
        repository.commit(text)
    cache.commit("main", 1)
    assert cache._git("rev-list", "--count", "refs/fraisier/refs/heads/main").stdout.strip() == "1"


@pytest.mark.parametrize("ref", ["v9", "abcdef1", "0" * 40])
def test_what_the_repository_does_not_have_is_named(repository: Repository, cache: GitCache, ref: str) -> None:
    repository.commit("one")
    with pytest.raises(NotFoundError) as caught:
        cache.commit(ref, 1)
    assert ref in str(caught.value)
    assert str(repository.path) in str(caught.value)


def test_a_repository_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = GitCache(str(tmp_path / "cache"), str(tmp_path / "nowhere"), lambda: 30.0)
    with pytest.raises(ProviderError, match="nowhere"):
        missing.commit("main", 1)


def test_a_cache_that_a_kill_left_locked_or_torn_is_made_anew(repository: Repository, cache: GitCache) -> None:
    repository.commit("one")
    cache.commit("main", 1)
    wanted = repository.commit("two")
    Path(cache.path, "shallow.lock").write_text("")
    assert cache.commit("main", 1) == wanted
    wanted = repository.commit("three")
    Path(cache.path, "config").write_text("[broken")
    assert cache.commit("main", 1) == wanted


def test_submodules_are_listed_with_urls_resolved_against_the_repository(repository: Repository, cache: GitCache, tmp_path: Path) -> None:
    library = Repository(tmp_path / "library")
    wanted = library.commit("lib")
    repository.commit("one")
    repository.git("submodule", "--quiet", "add", "../library", "vendor/lib")
    commit = repository.commit("with library")
    assert cache.commit("main", 1) == commit
    assert cache.submodules(commit) == [{"path": "vendor/lib", "url": f"file://{tmp_path}/library", "commit": wanted}]


def test_a_repository_from_elsewhere_cannot_reach_repositories_of_this_host(repository: Repository, tmp_path: Path) -> None:
    repository.commit("one")
    fenced = GitCache(str(tmp_path / "cache"), f"file://{repository.path}", lambda: 30.0, local_allowed=False)
    with pytest.raises(ProviderError, match="not allowed"):
        fenced.commit("main", 1)


@pytest.mark.parametrize(("repo", "ref"), [("-x", "main"), ("", "main"), ("ext::sh -c x", "main"), ("/r", "-x"), ("/r", "a..b"), ("/r", "a b"), ("/r", "")])
def test_what_git_could_take_for_an_option_or_a_command_is_refused(repo: str, ref: str) -> None:
    with pytest.raises(ValidationError):
        check_git(repo, ref)


class Guarded(http.server.SimpleHTTPRequestHandler):
    """Serves a bare repository to whoever knows the name and the password."""

    wanted = ""

    def do_GET(self) -> None:
        if self.headers.get("Authorization") == self.wanted:
            super().do_GET()
            return
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_the_password_of_a_url_reaches_the_server_and_no_command_line(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = repository.commit("one")
    repository.git("clone", "--quiet", "--bare", str(repository.path), str(tmp_path / "web" / "origin.git"))
    repository.git("--git-dir", str(tmp_path / "web" / "origin.git"), "update-server-info")
    user, password = "deploy", "p@ss/w:rd%"
    handler = type("Handler", (Guarded,), {"wanted": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()})
    real, log = shutil.which("git"), tmp_path / "words"
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "git").write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {log}\nexec {real} "$@"\n')
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))  # git's own account of the helpers that it starts
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(tmp_path / "web"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"127.0.0.1:{server.server_port}/origin.git"
        deadline = time.monotonic() + 60
        cache = GitCache(str(tmp_path / "cache"), f"http://{user}:{quote(password, safe='')}@{place}", lambda: deadline - time.monotonic())
        try:
            assert cache.commit("main", 0) == commit
            with pytest.raises(ProviderConfigurationError) as refused:
                GitCache(str(tmp_path / "other"), f"http://{user}:wrong-word@{place}", lambda: deadline - time.monotonic()).commit("main", 0)
        finally:
            server.shutdown()
    assert text_of(cache, commit, tmp_path) == "one"
    told = log.read_text() + (tmp_path / "trace").read_text()
    assert place in told
    for form in (password, quote(password, safe=""), quote(password), "wrong-word"):
        assert form not in told
        assert form not in f"{refused.value} {refused.value.to_dict()}"


@pytest.mark.parametrize(
    ("repo", "url", "credentials"),
    [
        ("https://u:p%40@h/x.git", "https://h/x.git", ("u", "p@")),
        ("https://u:p@x@h/x.git", "https://h/x.git", ("u", "p@x")),
        ("https://:token@h/x.git", "https://h/x.git", ("", "token")),
        ("https://joe@h/x.git", "https://joe@h/x.git", None),
        ("https://h:8080/a@b.git", "https://h:8080/a@b.git", None),
        ("git@h:x/y.git", "git@h:x/y.git", None),
        ("ssh://git@h:22/x.git", "ssh://git@h:22/x.git", None),
        ("/srv/a:b@c", "/srv/a:b@c", None),
    ],
)
def test_only_http_urls_have_a_password_to_take_out(repo: str, url: str, credentials: tuple[str, str] | None) -> None:
    assert without_password(repo) == (url, credentials)
