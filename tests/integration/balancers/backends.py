# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small HTTP servers behind a balancer, and clients before it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.testbed.balancers import RunningBalancer, free_port


class _Handler(BaseHTTPRequestHandler):
    """``/`` answers the server's name, ``/hold`` waits until it is let go, ``/error`` answers 500, ``/health`` 200 or 503."""

    def do_GET(self) -> None:
        backend: Backend = self.server.backend  # type: ignore[attr-defined]
        status = 200
        if self.path == "/hold":
            backend.held.release()
            backend.let_go.wait(60)
        elif self.path == "/error":
            status = 500
        elif self.path == "/health":
            status = 200 if backend.well else 503
        body = backend.name.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A check that hangs up is no news."""


class Backend:
    """One server that can be stopped and started on its port."""

    def __init__(self, name: str) -> None:
        self.name, self.port = name, free_port()
        self.held, self.let_go, self.well = threading.Semaphore(0), threading.Event(), True
        self._server: _Server | None = None
        self.start()

    def start(self) -> None:
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.backend = self  # type: ignore[attr-defined]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def until(holds: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Wait until ``holds`` says so."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def answers(balancer: RunningBalancer, count: int = 24) -> Counter[str]:
    """Who answers ``count`` requests; every one must succeed."""
    found: Counter[str] = Counter()
    for _number in range(count):
        status, body = balancer.get()
        assert status == 200, body
        found[body] += 1
    return found


class Load:
    """What a steady load met: ``done`` requests, and ``failed`` ones as texts."""

    def __init__(self) -> None:
        self.done, self.failed = 0, list[str]()
        self.ended = threading.Event()


@contextmanager
def steady_load(balancer: RunningBalancer, clients: int = 4, pause: float = 0.002) -> Iterator[Load]:
    """Requests one after another from each of ``clients`` threads for the block; every one over a connection of its own."""
    load, lock = Load(), threading.Lock()

    def ask() -> None:
        while not load.ended.is_set():
            try:
                status, body = balancer.get(timeout=20)
                problem = "" if status == 200 else f"{status} {body[:80]}"
            except Exception as exception:  # whatever a client can meet is a lost request
                problem = f"{type(exception).__name__}: {exception}"
            with lock:
                load.done += 1
                if problem:
                    load.failed.append(problem)
            time.sleep(pause)

    threads = [threading.Thread(target=ask, daemon=True) for _number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.ended.set()
        for thread in threads:
            thread.join(30)
