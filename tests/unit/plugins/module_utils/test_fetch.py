# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching over real HTTP, with all that goes wrong on the way."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    DeploymentTimeoutError,
    NotFoundError,
    ProviderConfigurationError,
    ProviderConnectionError,
    ValidationError,
)
from ansible_collections.fraisier.deploy.plugins.module_utils.fetch import download

DATA = b"release" * 1000


class Server(ThreadingHTTPServer):
    """Answers by path: /file, /status/<code>, /short, /slow, /flaky (fails twice), /away (redirects to ``other``)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.other = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))
        if self.path.startswith("/status/"):
            self.send_error(int(self.path.rpartition("/")[2]))
        elif self.path == "/away":
            self.send_response(302)
            self.send_header("Location", self.server.other)
            self.end_headers()
        elif self.path == "/flaky" and len(self.server.seen) < 3:
            self.send_error(503)
        else:
            self._send(cut=self.path == "/short", pause=0.2 if self.path == "/slow" else 0)

    def _send(self, cut: bool, pause: float) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(DATA)))
        self.end_headers()
        for at in range(0, len(DATA) // 2 if cut else len(DATA), 700):
            try:
                self.wfile.write(DATA[at : at + 700])
                self.wfile.flush()
            except OSError:
                return
            time.sleep(pause)

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def fetch(url: str, folder: Path, seconds: float = 10, **options: Any) -> str:
    pauses: list[float] = []
    options.setdefault("max_size", 1 << 20)
    return download(url, str(folder / "file"), deadline=time.monotonic() + seconds, sleep=pauses.append, **options)


def test_a_file_arrives_with_its_sum(server: Server, tmp_path: Path) -> None:
    assert fetch(server.url + "/file", tmp_path) == hashlib.sha256(DATA).hexdigest()
    assert (tmp_path / "file").read_bytes() == DATA


def test_trouble_that_passes_is_tried_again(server: Server, tmp_path: Path) -> None:
    fetch(server.url + "/flaky", tmp_path)
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("path", "error", "asked"),
    [
        ("/status/404", NotFoundError, 1),
        ("/status/403", ProviderConfigurationError, 1),
        ("/status/400", ProviderConfigurationError, 1),
        ("/status/503", ProviderConnectionError, 3),
        ("/short", ProviderConnectionError, 3),
    ],
)
def test_each_answer_has_its_own_error_and_only_passing_trouble_is_tried_again(
    server: Server, tmp_path: Path, path: str, error: type[Exception], asked: int
) -> None:
    with pytest.raises(error) as caught:
        fetch(server.url + path, tmp_path)
    assert server.url + path in str(caught.value)
    assert len(server.seen) == asked


def test_a_server_that_is_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProviderConnectionError, match="cannot be fetched") as caught:
        fetch("http://127.0.0.1:1/file", tmp_path)
    assert caught.value.infrastructure
    assert caught.value.context["attempts"] == 3


def test_a_server_that_drips_is_given_up_at_the_deadline(server: Server, tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises((DeploymentTimeoutError, ProviderConnectionError)) as caught:
        fetch(server.url + "/slow", tmp_path, seconds=0.5)
    assert caught.value.infrastructure
    assert time.monotonic() - started < 3


def test_more_than_the_largest_size_is_refused(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="larger than 100 bytes"):
        fetch(server.url + "/file", tmp_path, max_size=100)


def test_passwords_in_urls_are_sent_as_a_header_and_never_shown(server: Server, tmp_path: Path) -> None:
    url = server.url.replace("//", "//user:hunter2@")
    fetch(url + "/file", tmp_path)
    assert server.seen[0][1]["Authorization"] == "Basic " + base64.b64encode(b"user:hunter2").decode()
    with pytest.raises(NotFoundError) as caught:
        fetch(url + "/status/404", tmp_path)
    assert "hunter2" not in str(caught.value) + str(caught.value.context)


def test_a_token_does_not_follow_a_redirect(server: Server, tmp_path: Path) -> None:
    server.other = server.url + "/file"
    fetch(server.url + "/away", tmp_path, headers={"Authorization": "Bearer hunter2"})
    assert [headers.get("Authorization") for _path, headers in server.seen] == ["Bearer hunter2", None]
