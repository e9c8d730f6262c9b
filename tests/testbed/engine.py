# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container engine that carries the hosts: found, or installed and started."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from pathlib import Path

from tests.testbed.packages import find, require
from tests.testbed.process import TestbedError, run

START_TIMEOUT = 30.0


def cache_folder() -> Path:
    """Where slow things are kept between runs, outside the checkout."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(root) / "fraisier-testbed"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def docker(*arguments: str | Path, check: bool = True, timeout: float = 60.0) -> str:
    """Output of one ``docker`` command, stripped."""
    return run(["docker", *arguments], check=check, timeout=timeout).stdout.strip()


def answers() -> bool:
    """Whether an engine answers on the usual address."""
    return run(["docker", "version", "--format", "{{.Server.Version}}"], check=False, timeout=30).returncode == 0


def ensure_engine() -> None:
    """Return once a container engine answers; installs and starts one where that is possible (root), else TestbedError with the remedy."""
    require(["docker", "ip"])
    if answers():
        return
    if os.geteuid() != 0:
        raise TestbedError("no container engine answers, and only root can start one. Run: sudo systemctl start docker, and be in the group docker")
    require(["dockerd", "iptables"])
    with (cache_folder() / "engine.lock").open("w") as lock:  # two sessions must not start one each
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not answers():  # where systemd runs, installing the package has started it
            _start_and_wait(cache_folder() / "dockerd.log")


def _start_and_wait(log: Path) -> None:
    _start(log)
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if answers():
            return
        time.sleep(0.1)
    tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
    raise TestbedError(f"dockerd was started and does not answer after {START_TIMEOUT:g} s. End of {log}:\n{tail}")


def _start(log: Path) -> None:
    Path("/run/docker.pid").unlink(missing_ok=True)  # a killed engine leaves it, and the next one would refuse to start
    with log.open("wb") as output:
        subprocess.Popen(
            [find("dockerd") or "dockerd"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # outlives the session that needed it first: starting it again would cost the next one time
            cwd="/",
        )


def allow_many_hosts() -> None:
    """Raise the kernel's inotify limit: systemd takes about a dozen instances a host, so the default of 128 is spent by nine hosts."""
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(limit.read_text(encoding="ascii")) >= 4096:
        return
    try:
        limit.write_text("8192\n", encoding="ascii")
    except PermissionError as error:
        raise TestbedError("fs.inotify.max_user_instances is too low for ten hosts. As root run: sysctl -w fs.inotify.max_user_instances=8192") from error
