# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service that the tests deploy. It answers its version on /health; behaviour.json beside it makes it misbehave."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent


def version() -> str:
    """The version that this process says it is."""
    return os.environ.get("FRAISIER_VERSION") or (HERE / "VERSION").read_text(encoding="utf-8").strip()


def behaviour() -> tuple[str, float]:
    """Name of the behaviour and its seconds."""
    wanted = HERE / "behaviour.json"
    said = json.loads(wanted.read_text(encoding="utf-8")) if wanted.exists() else {}
    return said.get("behaviour", "healthy"), float(said.get("seconds", 0))


class Handler(BaseHTTPRequestHandler):
    """Answers every path with the state of the service."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer 200 and the version, or what the behaviour asks for."""
        kind, seconds = behaviour()
        if kind == "silent":
            time.sleep(3600)
        if kind == "slow":
            time.sleep(seconds)
        said = "0.0.0-wrong" if kind == "wrong_version" else version()
        body = json.dumps({"version": said, "status": "failing" if kind == "unhealthy" else "ok"}).encode()
        self.send_response(500 if kind == "unhealthy" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: load loops ask thousands of times."""


class Server(ThreadingHTTPServer):
    """Keeps a long queue, so that a burst of requests is not refused."""

    daemon_threads = True
    request_queue_size = 128


def main() -> int:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bind", default="0.0.0.0")
    options = parser.parse_args()
    kind, seconds = behaviour()
    if kind == "crash":
        print("this release crashes at start, as it was told to", file=sys.stderr)
        return 3
    if kind == "slow_start":
        time.sleep(seconds)
    if kind == "crash_later":
        threading.Timer(seconds, os._exit, [4]).start()
    Server((options.bind, options.port), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
