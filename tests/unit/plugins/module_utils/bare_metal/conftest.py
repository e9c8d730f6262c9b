# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in a temporary folder, with releases that are real archives and services that are real processes."""

from __future__ import annotations

import gzip
import io
import socket
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SERVER = """#!/usr/bin/env python3
import http.server, json, os, pathlib, sys
version = pathlib.Path("version.txt").read_text()
if version.startswith("dies"):
    sys.exit(3)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"version": version, "said": os.environ.get("FRAISIER_VERSION"), "colour": os.environ.get("COLOUR")}).encode()
        self.send_response(500 if version.startswith("sick") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer.allow_reuse_address = True
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


class Host:
    """One fraise on one host: ``root`` is its folder; the methods call the provider as a deployment would."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.root = base / "root"
        self.warnings: list[str] = []
        self.options: dict[str, Any] = {"path": str(self.root), "min_healthy": 0, "interval": 0.05, "timeout": 10.0, "lock_timeout": 5.0}

    def archive(self, version: str, files: dict[str, str] | None = None) -> Path:
        """A tar.gz with version.txt, a server that tells the version, and ``files``."""
        path = self.base / f"{version}.tar.gz"
        contents = {"version.txt": version, "server.py": SERVER, **(files or {})}
        # The same bytes each time: gzip would write the time into its header.
        with gzip.GzipFile(path, "wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
            for name, text in contents.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(text.encode()), 0o755 if name.endswith(".py") else 0o644
                tar.addfile(entry, io.BytesIO(text.encode()))
        return path

    def call(self, state: str, release: str | None = None, *, check_mode: bool = False, diff: bool = False, **options: Any) -> dict[str, Any]:
        # Not at the top: a conftest named on the command line is read before Ansible's importer is in place.
        from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.provider import run

        params = {**self.options, "state": state, "release": release, **options}
        payload = params.pop("payload", None)
        return run(params, check_mode=check_mode, diff=diff, warn=self.warnings.append, payload=payload)

    def stage(self, version: str, files: dict[str, str] | None = None, **options: Any) -> dict[str, Any]:
        options.setdefault("source", {"archive": {"src": str(self.archive(version, files))}})
        return self.call("staged", version, **options)

    def deploy(self, version: str, **options: Any) -> dict[str, Any]:
        self.stage(version)
        return self.call("active", version, **options)

    @property
    def current(self) -> str | None:
        link = self.root / "current"
        return link.readlink().name if link.is_symlink() else None

    def releases(self) -> list[str]:
        return sorted(path.name for path in (self.root / "releases").iterdir())

    def leftovers(self) -> list[str]:
        incoming = self.root / ".fraisier" / "incoming"
        return sorted(path.name for path in incoming.iterdir()) if incoming.exists() else []

    def is_whole(self, version: str) -> bool:
        """Whether the release on the disk has everything that staging put there."""
        folder = self.root / "releases" / version
        return (folder / "version.txt").read_text() == version and (folder / "server.py").read_text() == SERVER and (folder / ".fraisier-release.json").exists()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.fixture
def serving(host: Host) -> Iterator[Host]:
    """A host whose releases run as real processes and are asked over real HTTP; what runs is stopped at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    host.options.update(
        environment={"PORT": str(port)},
        service={"manager": "process", "command": ["python3", "server.py"], "stop_timeout": 2.0},
        health=[{"http": {"url": f"http://127.0.0.1:{port}/", "version_path": "version"}}],
    )
    yield host
    if host.root.exists():
        host.call("absent", force=True)
