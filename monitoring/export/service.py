# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP service: ``/metrics`` for Prometheus, a page for people, time limits on every connection."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("fraisier.exporter")

CLIENT_SECONDS = 10.0
"""How long a client may be silent in the middle of its request or of our answer."""
PAGE = b'<!DOCTYPE html>\n<title>fraisier exporter</title>\n<p>Figures for Prometheus: <a href="/metrics">/metrics</a></p>\n'


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_SECONDS

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: a line for each scrape helps nobody."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, family: socket.AddressFamily, address: tuple[str, int]) -> None:
        self.address_family = family
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no trouble of ours; anything else is logged with its trace."""
        log.debug("A scrape was broken off", exc_info=True)


def make_server(registry: CollectorRegistry, host: str, port: int) -> WSGIServer:
    """A server that listens already; ConfigurationError when it cannot."""
    try:
        family, _kind, _protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        server = _Server(family, (str(address[0]), port))
    except OSError as error:
        hint = "Name a free port of an address of this machine"
        raise ConfigurationError(f"--listen: {host}:{port} cannot be used: {error.strerror or error}", hint=hint) from error
    server.set_app(_application(registry))
    return server


def _application(registry: CollectorRegistry) -> WSGIApplication:
    metrics = make_wsgi_app(registry)

    def answer(environment: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environment.get("PATH_INFO")
        if path == "/metrics":
            answered: Iterable[bytes] = metrics(environment, start)
            return answered
        if path in ("", "/"):
            start("200 OK", [("Content-Type", "text/html; charset=utf-8")])
            return [PAGE]
        start("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"Only /metrics is here\n"]

    return answer


def serve(server: WSGIServer, store: str) -> None:
    """Answer until SIGTERM or SIGINT. ``store`` is what messages call the store."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    host, port = server.server_address[:2]
    place = f"[{host!s}]" if ":" in str(host) else str(host)
    log.info("Serving http://%s:%s/metrics from %s", place, port, store)
    try:
        with server:
            server.serve_forever()
    except KeyboardInterrupt:
        log.info("Ended by a signal")
