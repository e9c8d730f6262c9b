# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a throw-away database server does, whatever its kind: begin, start, stop, be killed, end with the session that started it."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.testbed.owners import scratch, start_time
from tests.testbed.packages import require
from tests.testbed.process import TestbedError

START_TIMEOUT = 60.0
STOP_TIMEOUT = 30.0
USER = "fraisier"
PASSWORD = "strawberry-fields"
TRIES = 3  # another process may take the free port between its choice and its use


def free_port() -> int:
    """A port of loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def descendants(pid: int) -> list[int]:
    """All processes below ``pid``, parents before their children."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = list(parents.get(pid, []))
    for child in found:
        found += parents.get(child, [])
    return found


def _die_with_parent(number: int) -> Callable[[], None]:
    """For preexec_fn: the server ends with the test session, however that one ends."""
    library = ctypes.CDLL(None)

    def ask_the_kernel() -> None:
        library.prctl(1, number)  # PR_SET_PDEATHSIG

    return ask_the_kernel


class Server(ABC):
    """One database server. It keeps its port and its data over :meth:`stop`, :meth:`kill` and :meth:`start`."""

    scheme: str
    account: str  # the user of Debian's package; a server refuses to run as root
    commands: Sequence[str]
    death_signal: int

    def __init__(self) -> None:
        require(self.commands)
        self.user, self.password = USER, PASSWORD
        self.folder = scratch("db")
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam(self.account)
            self._identity = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)

    @abstractmethod
    def _create_cluster(self) -> None:
        """Lay out an empty server with the user of the tests under ``self.data``."""

    @abstractmethod
    def _command(self) -> list[str]:
        """The server in the foreground, on ``self.port``."""

    @abstractmethod
    def connect(self, database: str | None = None) -> Any:
        """A driver's connection in autocommit mode, to ``database`` or to the server's own."""

    @abstractmethod
    def create_database(self, name: str) -> str:
        """Make an empty database and return its url."""

    @abstractmethod
    def drop_database(self, name: str) -> None:
        """Remove a database, with all connections to it."""

    def execute(self, statement: str, *, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run one statement in a connection of its own and return its rows, if it has any."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            connection.close()

    def url(self, database: str) -> str:
        """What a user of the collection writes as fraisier_store_url."""
        return f"{self.scheme}://{self.user}:{self.password}@127.0.0.1:{self.port}/{database}"

    def begin(self) -> Server:
        """Lay the server out and start it."""
        try:
            self._create_cluster()
            for attempt in range(1, TRIES + 1):
                self.port = free_port()
                try:
                    self.start()
                    break
                except TestbedError:
                    if attempt == TRIES:
                        raise
        except BaseException:
            self.end()
            raise
        return self

    def end(self) -> None:
        """Kill the server and remove all of its files."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def running(self) -> bool:
        """Whether the server's process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server on its port and return once it answers; nothing when it runs already."""
        if self.running:
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self._environment(),
                start_new_session=True,
                preexec_fn=_die_with_parent(self.death_signal),
                **self._identity,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                self.connect().close()
                return
            except Exception as error:  # two drivers, each with its own kinds: all mean "not yet"
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.kill()
                    raise TestbedError(f"{self.scheme} server does not start: {error}\n{self._log_tail()}") from error
            time.sleep(0.03)

    def stop(self) -> None:
        """Shut the server down in order, ending open connections."""
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGINT if self.scheme == "postgresql" else signal.SIGTERM)
            try:
                self._process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """SIGKILL to every process of the server at once, as a power cut does to it."""
        if self._process is None or not self.running:
            return
        self._process.send_signal(signal.SIGSTOP)  # so that it cannot react to the death of its children
        below = descendants(self._process.pid)
        for pid in [*below, self._process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait(STOP_TIMEOUT)
        deadline = time.monotonic() + STOP_TIMEOUT
        while any(start_time(pid) for pid in below) and time.monotonic() < deadline:
            time.sleep(0.01)

    def _prepare(self, argv: list[str], **options: Any) -> None:
        """Run a set-up command as the server's user."""
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=START_TIMEOUT, check=False, cwd=self.folder, env=self._environment(), **self._identity, **options
        )
        if done.returncode != 0:
            raise TestbedError(f"{argv[0]} failed ({done.returncode}): {done.stdout}{done.stderr}")

    def _environment(self) -> dict[str, str]:
        """The server's user may not write where this session keeps its temporary files."""
        return {**os.environ, "TMPDIR": str(self.folder)}

    def _log_tail(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]) if self.log.exists() else ""
