# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small service as release archives, and its systemd unit on the hosts."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.hosts import Host
from tests.testbed.process import TestbedError

SERVICE = Path(__file__).resolve().parent / "service"
# crash: ends with 3 at once; crash_later: ends with 4 after seconds; slow_start: listens after seconds; slow: answers after seconds;
# silent: never answers; unhealthy: answers 500; wrong_version: answers 0.0.0-wrong
BEHAVIOURS = ("healthy", "unhealthy", "crash", "crash_later", "slow_start", "slow", "silent", "wrong_version")
UNIT = """[Unit]
Description={name} of the tests
After=network.target
StartLimitIntervalSec=10
StartLimitBurst=5

[Service]
WorkingDirectory={root}/current
ExecStart=/usr/bin/python3 server.py --port {port}
Restart=on-failure
RestartSec=0.2

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Release:
    """An archive on the controller: its ``path``, the hexadecimal ``sha256`` of the file, and the version that it answers."""

    path: Path
    sha256: str
    version: str


def release_files(version: str, behaviour: str = "healthy", *, seconds: float = 0, padding: int = 0) -> dict[str, bytes]:
    """Content of a release: relative path -> bytes. ``padding`` bytes that no packer makes smaller stand for a real application."""
    if behaviour not in BEHAVIOURS:
        raise TestbedError(f"behaviour {behaviour!r}: none of {', '.join(BEHAVIOURS)}")
    files = {"server.py": (SERVICE / "server.py").read_bytes(), "VERSION": f"{version}\n".encode()}
    if behaviour != "healthy":
        files["behaviour.json"] = json.dumps({"behaviour": behaviour, "seconds": seconds}).encode()
    if padding:
        files["assets/padding.bin"] = random.Random(version).randbytes(padding)
    return files


def build_release(
    folder: Path,
    version: str,
    behaviour: str = "healthy",
    *,
    seconds: float = 0,
    padding: int = 0,
    kind: str = "tar.gz",
    name: str = "shop-api",
) -> Release:
    """Write ``folder/<name>-<version>.<kind>`` (tar.gz or zip): the same arguments give the same bytes. ``seconds`` belongs to some behaviours."""
    files = release_files(version, behaviour, seconds=seconds, padding=padding)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}.{kind}"
    path.write_bytes(_tar(files) if kind == "tar.gz" else _zip(files))
    return Release(path, hashlib.sha256(path.read_bytes()).hexdigest(), version)


def _tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _zip(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()


def install_service(host: Host, *, name: str = "shop-api", root: str = "/srv/shop_api", port: int = 8000) -> None:
    """Put the unit ``<name>.service`` on the host, enabled and not started, as the owner of the service would before the first deployment."""
    host.run(f"mkdir -p {root}")
    host.write(f"/etc/systemd/system/{name}.service", UNIT.format(name=name, root=root, port=port))
    host.run(f"systemctl daemon-reload && systemctl enable --quiet {name}.service")


def remove_service(host: Host, *, name: str = "shop-api", root: str = "/srv/shop_api") -> None:
    """Take the unit and everything that was deployed off the host."""
    host.run(f"systemctl disable --now --quiet {name}.service; systemctl reset-failed {name}.service", check=False)
    host.run(f"rm -rf {root} /etc/systemd/system/{name}.service && systemctl daemon-reload")


def answered_version(host: Host, *, port: int = 8000, timeout: float = 0.0) -> str | None:
    """The version that the host answers with status 200; None when it does not within ``timeout`` seconds (0: one try)."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            status, body = host.get(port)
            if status == 200:
                return str(json.loads(body)["version"])
        except (OSError, ValueError):
            pass  # refused, cut off or half an answer: not serving
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.05)
