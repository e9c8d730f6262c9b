# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers for health checks: well-behaved, rude, encrypted and on a Unix socket."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


class Site:
    """A running HTTP server: ``url``, ``port``, ``requests`` [(method, path, headers)]; ``answer(path, ...)`` says what it answers."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict, bytes]] = {}
        self.requests: list[tuple[str, str, dict]] = []
        self.url = ""
        self.port = 0

    def answer(self, path: str, body: bytes | str | dict = b"", *, status: int = 200, headers: dict | None = None) -> str:
        """Answer ``path`` so from now on; returns its URL."""
        body = json.dumps(body) if isinstance(body, dict) else body
        self.answers[path] = (status, headers or {}, body.encode() if isinstance(body, str) else body)
        return f"{self.url}{path}"


def handler(site: Site) -> type:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # keeps connections open, as most servers do

        def respond(self) -> None:
            site.requests.append((self.command, self.path, dict(self.headers.items())))
            status, headers, body = site.answers.get(self.path.partition("?")[0], (404, {}, b"no such page"))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

        do_GET = do_HEAD = do_POST = respond

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

        def address_string(self) -> str:
            return "client"

    return Handler


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """A client that goes away is no news."""


@contextlib.contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    """A keep-alive HTTP server on 127.0.0.1."""
    site = Site()
    server = QuietServer(("127.0.0.1", 0), handler(site))
    site.port = server.server_port
    site.url = f"http://127.0.0.1:{site.port}"
    with serving(server):
        yield site


@pytest.fixture
def other_site() -> Iterator[Site]:
    """A second server, so another origin."""
    site = Site()
    server = QuietServer(("127.0.0.1", 0), handler(site))
    site.port = server.server_port
    site.url = f"http://127.0.0.1:{site.port}"
    with serving(server):
        yield site


@pytest.fixture
def unix_site(tmp_path: Path) -> Iterator[tuple[Site, str]]:
    """A server on a Unix socket, and the socket's path."""
    site = Site()
    path = str(tmp_path / "shop.sock")

    class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    with serving(UnixServer(path, handler(site))):
        yield site, path


@pytest.fixture
def raw_server() -> Iterator[Callable[..., int]]:
    """raw_server(talk): a TCP server that gives each connection to ``talk(connection)``; returns its port."""
    stopping = threading.Event()
    threads: list[threading.Thread] = []
    listeners: list[socket.socket] = []

    def start(talk: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(0.05)
        listeners.append(listener)

        def accept() -> None:
            while not stopping.is_set():
                with contextlib.suppress(OSError):
                    connection, _address = listener.accept()
                    with connection:
                        connection.settimeout(5)
                        talk(connection)

        threads.append(threading.Thread(target=accept, daemon=True))
        threads[-1].start()
        return int(listener.getsockname()[1])

    yield start
    stopping.set()
    for thread in threads:
        thread.join(5)
    for listener in listeners:
        listener.close()


@pytest.fixture
def drip() -> Callable[..., Callable[[socket.socket], None]]:
    """drip(data, every): a talk that sends ``data`` byte by byte, ``every`` seconds one."""

    def talk_of(data: bytes, every: float) -> Callable[[socket.socket], None]:
        def talk(connection: socket.socket) -> None:
            connection.recv(4096)
            for byte in data:
                connection.sendall(bytes([byte]))
                time.sleep(every)

        return talk

    return talk_of


class Certificates:
    """Files of a server certificate for ``shop.test`` and of a client certificate, both signed by themselves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server_cert, self.server_key = self._make("server", "subjectAltName=DNS:shop.test")
        self.client_cert, self.client_key = self._make("client", "subjectAltName=DNS:client.test")

    def _make(self, name: str, extension: str) -> tuple[str, str]:
        cert, key = f"{self.folder}/{name}.crt", f"{self.folder}/{name}.key"
        words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        words += ["-subj", f"/CN={name}.test", "-addext", extension, "-keyout", key, "-out", cert]
        subprocess.run(words, check=True, capture_output=True, timeout=60)
        return cert, key


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates made by the openssl command."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


def _tls_site(certificates: Certificates, *, client_needed: bool) -> Iterator[Site]:
    site = Site()
    server = QuietServer(("127.0.0.1", 0), handler(site))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server_cert, certificates.server_key)
    if client_needed:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates.client_cert)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    site.port = server.server_port
    site.url = f"https://127.0.0.1:{site.port}"
    with serving(server):
        yield site


@pytest.fixture
def tls_site(certificates: Certificates) -> Iterator[Site]:
    """An HTTPS server whose certificate names shop.test."""
    yield from _tls_site(certificates, client_needed=False)


@pytest.fixture
def mutual_tls_site(certificates: Certificates) -> Iterator[Site]:
    """An HTTPS server that wants the client's certificate."""
    yield from _tls_site(certificates, client_needed=True)


@pytest.fixture
def closed_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
