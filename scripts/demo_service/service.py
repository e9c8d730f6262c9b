#!/usr/bin/env python3
# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's service: GET /health answers its version, with status 500 on the hosts that the file ``broken`` of the release names."""

from __future__ import annotations

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent
VERSION = (HERE / "VERSION").read_text(encoding="utf-8").strip()
BROKEN_ON = (HERE / "broken").read_text(encoding="utf-8").split() if (HERE / "broken").exists() else []


class Handler(BaseHTTPRequestHandler):
    """Answers every path with the version."""

    def do_GET(self) -> None:
        body = json.dumps({"service": "hello", "version": VERSION, "host": arguments.host}).encode()
        self.send_response(500 if arguments.host in BROKEN_ON else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Keep quiet."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", required=True)
    arguments = parser.parse_args()
    ThreadingHTTPServer(("127.0.0.1", arguments.port), Handler).serve_forever()
