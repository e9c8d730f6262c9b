# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian packages that the tests need: found, installed (root on Debian), or named exactly. Needs nothing but Python's own library."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path

if __package__ in (None, ""):  # run as a script, before any virtual environment exists
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.testbed.process import TestbedError, run

# A command that proves that the package is there -> the package of Debian.
PACKAGE_OF = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "iptables": "iptables",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "git": "git",
    "initdb": "postgresql",
    "postgres": "postgresql",
    "mariadbd": "mariadb-server",
    "mariadb-install-db": "mariadb-server",
    "shellcheck": "shellcheck",
    "promtool": "prometheus",
    "haproxy": "haproxy",
    "nginx": "nginx-light",
}
EXTRA_PACKAGES = {"docker.io": ["docker-cli"]}  # Debian 13 split the client off
SEARCHED = ["/usr/sbin", "/sbin", "/usr/local/sbin"]
APT = ["apt-get", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]


def find(command: str) -> str | None:
    """Path of ``command``, also where Debian hides it from PATH (sbin, the versioned folders of PostgreSQL)."""
    postgresql = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    folders = [str(path) for path in postgresql] + os.environ.get("PATH", os.defpath).split(os.pathsep) + SEARCHED
    return shutil.which(command, path=os.pathsep.join(folders))


def missing(commands: Iterable[str]) -> list[str]:
    """The packages whose commands are not on this machine, each once."""
    return list(dict.fromkeys(PACKAGE_OF[command] for command in commands if find(command) is None))


def can_install() -> bool:
    """Whether this process may install packages: root, with apt."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def require(commands: Iterable[str]) -> None:
    """Make sure that all ``commands`` exist: install their packages, or raise TestbedError that names them and the command to type."""
    wanted = list(commands)
    packages = missing(wanted)
    if not packages:
        return
    advice = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if not can_install():
        raise TestbedError(f"missing on this machine: {', '.join(packages)}. As root on Debian run: {advice} (elsewhere: the same programs, on PATH)")
    with Path("/run/lock/fraisier-testbed-apt.lock").open("w") as lock:  # parallel test workers would install the same
        fcntl.flock(lock, fcntl.LOCK_EX)
        packages = missing(wanted)
        if packages:
            install(packages)
    still = missing(wanted)
    if still:
        raise TestbedError(f"installed, yet not found: {', '.join(still)}. Look at the output of: {advice}")


def install(packages: list[str]) -> None:
    """Install ``packages`` with apt; the lists are fetched when a first try fails (a fresh machine has none, an old one stale ones)."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    names = [*packages]
    first = run([*APT, "install", *names], check=False, timeout=900, environment=environment)
    if first.returncode != 0:
        run([*APT, "update"], timeout=300, environment=environment)
        run([*APT, "install", *names], timeout=900, environment=environment)
    for package in packages:
        for extra in EXTRA_PACKAGES.get(package, []):
            run([*APT, "install", extra], check=False, timeout=300, environment=environment)


def main() -> int:
    """Install everything the tests need, or say what is missing; the exit code tells which."""
    started = time.monotonic()
    wanted = missing(PACKAGE_OF)
    if not wanted:
        print("test tools: all there")
        return 0
    print(f"test tools: missing {', '.join(wanted)}", flush=True)
    try:
        require(PACKAGE_OF)
    except TestbedError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"test tools: installed in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
