# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference of the bench: the same deployment by a hand-written script over parallel ssh, with no record, no lock and no undo."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.testbed.application import Release
from tests.testbed.hosts import Host

ROOT = "/srv/raw_api"
PORT = 8001
STAGE = "set -e; mkdir -p {root}/releases/{version}; tar xzf - -C {root}/releases/{version}"
ACTIVATE = (
    "set -e; ln -sfn releases/{version} {root}/current.next; mv -T {root}/current.next {root}/current; "
    "systemctl reset-failed raw-api || true; systemctl restart raw-api; "
    "for i in $(seq 400); do curl -fs -m 2 http://127.0.0.1:{port}/health 2>/dev/null | grep -q '\"{version}\"' && break; sleep 0.05; done; "
    "curl -fs -m 2 http://127.0.0.1:{port}/health | grep -q '\"{version}\"'; "
    "cd {root}/releases; ls -1t | tail -n +6 | xargs -r rm -rf"
)


def _words(template: str, release: Release) -> str:
    return template.format(root=ROOT, version=release.version, port=PORT)


def _ssh(host: Host, sockets: Path | None, line: str, archive: Path | None) -> None:
    keep = (
        ["-o", "ControlMaster=auto", "-o", f"ControlPath={sockets}/%C", "-o", "ControlPersist=20"]
        if sockets
        else ["-o", "ControlMaster=no", "-o", "ControlPath=none"]
    )
    options = [
        "-F",
        "none",
        "-i",
        str(host.access.key),
        "-o",
        f"UserKnownHostsFile={host.access.known_hosts}",
        "-o",
        "BatchMode=yes",
        "-o",
        "LogLevel=ERROR",
        *keep,
    ]
    stream = archive.open("rb") if archive else None
    try:
        command = ["ssh", *options, f"root@{host.address}", f"bash -c {shlex.quote(line)}"]
        subprocess.run(command, stdin=stream or subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=120, check=True)
    finally:
        if stream:
            stream.close()


def all_at_once(hosts: Sequence[Host], release: Release) -> None:
    """One ssh session a host, all in parallel: stage, activate, verify, prune."""
    line = f"{_words(STAGE, release)}; {_words(ACTIVATE, release)}"
    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(lambda host: _ssh(host, None, line, release.path), hosts))


def rolling(hosts: Sequence[Host], release: Release, width: int, sockets: Path) -> None:
    """Stage everywhere at once, then activate in batches over the kept connections."""
    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(lambda host: _ssh(host, sockets, _words(STAGE, release), release.path), hosts))
        for start in range(0, len(hosts), width):
            list(pool.map(lambda host: _ssh(host, sockets, _words(ACTIVATE, release), None), hosts[start : start + width]))
    for host in hosts:
        control = ["ssh", "-F", "none", "-o", f"ControlPath={sockets}/%C", "-O", "exit", f"root@{host.address}"]
        subprocess.run(control, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=10, check=False)
