# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One systemd host: reached by ssh as production is, and broken on purpose from outside."""

from __future__ import annotations

import shlex
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.engine import docker
from tests.testbed.process import TestbedError, run

SSH_TIMEOUT = 30.0


@dataclass(frozen=True)
class Access:
    """How the hosts of one session are reached by ssh: paths of the private key, of the known host keys and of the control sockets."""

    key: Path
    known_hosts: Path
    sockets: Path

    def options(self) -> list[str]:
        """Arguments for ssh and scp. The host's key is checked, as it should be."""
        pairs = {
            "UserKnownHostsFile": self.known_hosts,
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": "5",
            "LogLevel": "ERROR",
            "ControlMaster": "auto",
            "ControlPath": self.sockets / "%C",
            "ControlPersist": "60",
        }
        return ["-F", "none", "-i", str(self.key), *(word for name, value in pairs.items() for word in ("-o", f"{name}={value}"))]


@dataclass(frozen=True)
class Host:
    """A running host. ``name`` is its name in an inventory, ``container`` the engine's, ``address`` its fixed IPv4 address."""

    name: str
    address: str
    container: str
    network: str
    access: Access

    # --- what a person with ssh can do ---

    def run(self, command: str | Sequence[str], *, check: bool = True, timeout: float = 60.0, user: str = "root") -> subprocess.CompletedProcess[str]:
        """Run a shell line or an argument list on the host; TestbedError with its output when it fails and ``check`` is set."""
        line = command if isinstance(command, str) else shlex.join(command)
        return run(["ssh", *self.access.options(), f"{user}@{self.address}", line], check=check, timeout=timeout)

    def put(self, source: Path, destination: str, *, user: str = "root") -> None:
        """Copy a file of the controller to the path ``destination`` on the host."""
        run(["scp", "-q", *self.access.options(), source, f"{user}@{self.address}:{destination}"])

    def write(self, destination: str, text: str, *, user: str = "root") -> None:
        """Write ``text`` to the path ``destination`` on the host."""
        line = f"cat > {shlex.quote(destination)}"
        run(["ssh", *self.access.options(), f"{user}@{self.address}", line], stdin=text)

    def read(self, path: str) -> str:
        """Text of a file on the host."""
        return self.run(["cat", path]).stdout

    def url(self, port: int = 8000, path: str = "/health") -> str:
        """Address of a service on the host, as seen from the controller."""
        return f"http://{self.address}:{port}{path}"

    def get(self, port: int = 8000, path: str = "/health", *, timeout: float = 5.0) -> tuple[int, str]:
        """Status and body that the service answers, also for statuses of 400 and more; OSError when nothing answers."""
        try:
            with urllib.request.urlopen(self.url(port, path), timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    # --- life and death ---

    def wait(self, timeout: float = SSH_TIMEOUT) -> None:
        """Return once the host lets people in by ssh."""
        deadline = time.monotonic() + timeout
        while not self._greets():
            if time.monotonic() > deadline:
                raise TestbedError(f"{self.name} ({self.address}) does not answer ssh after {timeout:g} s. Its last words:\n{self._last_words()}")
            time.sleep(0.05)
        while True:
            tried = self.run("true", check=False)
            if tried.returncode == 0:
                return
            if time.monotonic() > deadline:
                raise TestbedError(f"{self.name} ({self.address}) lets nobody in by ssh after {timeout:g} s: {tried.stderr}")
            time.sleep(0.1)

    def _greets(self) -> bool:
        try:
            with socket.create_connection((self.address, 22), timeout=1.0) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def _last_words(self) -> str:
        state = docker("inspect", "--format", "{{.State.Status}}, exit code {{.State.ExitCode}}, {{.State.Error}}", self.container, check=False)
        return f"{state}\n{docker('logs', '--tail', '20', self.container, check=False)}"

    def disconnect(self) -> None:
        """Close the kept ssh connection of :meth:`run`, if there is one."""
        run(["ssh", *self.access.options(), "-O", "exit", f"root@{self.address}"], check=False)

    def reboot(self, *, wait: bool = True) -> None:
        """Reboot as an administrator does (systemctl reboot); what lies in /run and /tmp is lost. Waits for ssh unless told otherwise."""
        before = self.started_at()
        self.run("systemctl reboot --no-block", check=False)
        self.disconnect()
        if wait:
            self.wait_started(after=before)

    def wait_started(self, *, after: str, timeout: float = SSH_TIMEOUT) -> None:
        """Return once the host started later than ``after`` (a value of :meth:`started_at`) and answers ssh."""
        deadline = time.monotonic() + timeout
        while self.started_at() == after or not self.is_running():
            if time.monotonic() > deadline:
                raise TestbedError(f"{self.name} did not start again within {timeout:g} s")
            time.sleep(0.1)
        self.wait(timeout)

    def started_at(self) -> str:
        """When the host started last, as the engine says it; changes with every start."""
        return docker("inspect", "--format", "{{.State.StartedAt}}", self.container)

    def is_running(self) -> bool:
        """Whether the host is switched on."""
        return docker("inspect", "--format", "{{.State.Running}}", self.container) == "true"

    def kill(self) -> None:
        """Power cut: every process of the host ends at once; its disk stays."""
        docker("kill", self.container)
        self.disconnect()

    def start(self, *, wait: bool = True) -> None:
        """Switch a killed host on again."""
        docker("start", self.container)
        if wait:
            self.wait()

    def freeze(self) -> None:
        """Stop the clock of the host: connections stay open and nothing answers."""
        docker("pause", self.container)

    def thaw(self) -> None:
        """The inverse of :meth:`freeze`."""
        docker("unpause", self.container)

    def cut_network(self) -> None:
        """Pull the network cable: the host runs on and cannot be reached."""
        docker("network", "disconnect", self.network, self.container)
        self.disconnect()

    def restore_network(self, *, wait: bool = True) -> None:
        """Plug the cable in again, with the same address."""
        docker("network", "connect", "--ip", self.address, self.network, self.container)
        if wait:
            self.wait()

    # --- disks ---

    def small_disk(self, path: str, megabytes: int = 8) -> None:
        """Mount an empty disk of so many megabytes at ``path`` (gone after a reboot or :meth:`remove_disk`)."""
        self.run(f"mkdir -p {shlex.quote(path)} && mount -t tmpfs -o size={megabytes}m,mode=0755 testbed {shlex.quote(path)}")

    def fill_disk(self, path: str, *, leave_kilobytes: int = 0) -> None:
        """Fill the small disk at ``path`` up with one file, .filler, leaving so many kilobytes free."""
        kind = self.run(["stat", "--file-system", "--format=%T", path]).stdout.strip()
        if kind != "tmpfs":
            raise TestbedError(f"{path} on {self.name} is no small disk ({kind}): it would fill the machine's own; call small_disk first")
        free = int(self.run(["df", "--output=avail", "--block-size=1K", path]).stdout.split()[-1])
        self.run(["fallocate", "--length", str(max(0, free - leave_kilobytes) * 1024), f"{path}/.filler"])

    def free_disk(self, path: str) -> None:
        """Undo :meth:`fill_disk`."""
        self.run(["rm", "-f", f"{path}/.filler"])

    def remove_disk(self, path: str) -> None:
        """Unmount the disk of :meth:`small_disk`; what was under it is seen again."""
        self.run(["umount", "--lazy", path])
