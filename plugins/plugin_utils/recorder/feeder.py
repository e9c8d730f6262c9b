# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback's end of the recorder: starts it, feeds it events without ever waiting, and keeps what it did not confirm."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import shorten_line
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import SOCKET_VARIABLE, encode, to_json
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.spool import Spool

PIPE_BYTES = 1024 * 1024
F_SETPIPE_SZ = 1031
CLOSE_SECONDS = 8.0
ANSWER_BYTES = 65536
HEAR_EVERY = 32  # events between two looks at what the recorder confirmed
LONGEST_FOLDER = 90  # a Unix socket's path has 107 characters at the most


def collections_root() -> Path:
    """The folder that holds ``ansible_collections``, from which this very file was loaded."""
    return Path(__file__).resolve().parents[6]


class Feeder:
    """Numbers events, writes them to the recorder's pipe, and remembers each until the recorder says that it is safe.

    Nothing here waits for the store: the pipe is not blocking, what does not fit stays in memory, and when the recorder is gone everything
    unconfirmed goes to a spool file that the next run replays.
    """

    def __init__(self, run: str, settings: dict[str, Any]) -> None:
        self.run = run
        self.settings = settings
        self.sent = 0
        self.confirmed = 0
        self.lost_recorder = ""
        self._unconfirmed: deque[bytes] = deque()  # those after number ``confirmed``, without a gap
        self._outgoing: deque[bytes] = deque()
        self._answers = b""
        self._hosts: dict[str | None, str] = {}
        self._second, self._second_text = -1, ""
        self._report: dict[str, Any] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = self._back = -1
        self._folder = ""
        self._interrupts: tuple[Any, Any] | None = None

    def start(self, idle: bool = False) -> None:
        """Start the recorder in a session of its own and tell it the settings over the pipe (the store's URL holds a password: never argv).

        ``idle``: nobody will wait for it before the run ends, so it takes only the time that a processor has left.
        """
        self._folder = tempfile.mkdtemp(prefix="fraisier-")
        if len(self._folder) > LONGEST_FOLDER:
            os.rmdir(self._folder)  # noqa: PTH106
            self._folder = tempfile.mkdtemp(prefix="fraisier-", dir="/tmp")
        socket_path = str(Path(self._folder) / "recorder.sock")
        # Bound here, served there: an action that comes before the recorder has finished its imports waits in the kernel's queue.
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(socket_path)
        Path(socket_path).chmod(0o600)
        listener.listen(256)
        event_out, self._pipe = os.pipe()
        self._back, answer_in = os.pipe()
        for descriptor in (self._pipe, self._back):
            os.set_blocking(descriptor, False)
        with contextlib.suppress(OSError):  # the kernel's limit for unprivileged pipes: 64 kB serves too, the rest waits in memory
            fcntl.fcntl(self._pipe, F_SETPIPE_SZ, PIPE_BYTES)
        program = Path(__file__).resolve().with_name("__main__.py")
        with (Path(self._folder) / "recorder.log").open("wb") as log:
            self._process = subprocess.Popen(  # pylint: disable=consider-using-with
                [sys.executable, "-P", str(program), str(collections_root()), str(event_out), str(answer_in), str(listener.fileno())],
                pass_fds=(event_out, answer_in, listener.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )
        os.close(event_out)
        os.close(answer_in)
        listener.close()
        os.environ[SOCKET_VARIABLE] = socket_path
        self._outgoing.append(encode({"settings": {**self.settings, "run": self.run, "socket": socket_path, "controller": os.getpid(), "idle": idle}}))
        self._flush()
        self._report_interrupts()

    def emit(self, event_type: str, data: Mapping[str, Any] | str, host: str | None = None) -> None:
        """Send one event, its ``data`` a mapping or JSON text already; never waits, never raises for the recorder's sake.

        Between two forks every page that is written is copied first, so this makes few objects: ten microseconds alone are two hundred in a play.
        """
        self.sent += 1
        if host not in self._hosts:
            self._hosts[host] = to_json(host)
        head = f'{{"run":"{self.run}","source":"callback","seq":{self.sent},"at":"{self._now()}","type":"{event_type}","deployment":null,'
        line = f'{head}"host":{self._hosts[host]},"data":{data if isinstance(data, str) else to_json(data)}}}\n'.encode()
        self._unconfirmed.append(line)
        if self._outgoing or self.lost_recorder:
            self._outgoing.append(line)
            self._flush()
        elif rest := self._write(line):
            self._outgoing.append(rest)
        if self.sent % HEAR_EVERY == 0:
            self._hear()

    def _now(self) -> str:
        """The time as ISO 8601 in UTC; the text of a second is made once."""
        now = time.time()
        if int(now) != self._second:
            self._second = int(now)
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self._second))
        return f"{self._second_text}.{int((now - self._second) * 1_000_000):06d}+00:00"

    def close(self, patience: float = CLOSE_SECONDS) -> dict[str, Any]:
        """Say that the run has ended and hear what became of the events: {sent, stored, spooled, waiting, notes: [...]}.

        ``spooled`` counts events of the callback, ``waiting`` those of the recorder too.
        """
        self._outgoing.append(encode({"end": {"sent": self.sent}}))
        deadline = time.monotonic() + patience
        rung = False
        while not self.lost_recorder and self._report is None and time.monotonic() < deadline:
            self._flush()
            if not rung and not self._outgoing:
                rung = True
                self._tell("look")  # it would by itself, a moment later
            self._hear()
            if self._report is None:
                time.sleep(0.005)
        report = {"sent": self.sent, "stored": 0, "spooled": 0, "waiting": 0, "notes": [], **(self._report or {})}
        if self._report is None:
            report["stored"] = self.confirmed
            report["notes"].append(self.lost_recorder or "the recorder did not answer in time")
            try:
                report["spooled"] = report["waiting"] = self._rescue()
            except OSError as exception:
                report["notes"].append(f"events cannot be kept in {self.settings['spool']}: {exception.strerror}")
        self._release()
        return report

    def _flush(self) -> None:
        while self._outgoing and not self.lost_recorder:
            line = self._outgoing[0]
            rest = self._write(line)
            if rest:
                self._outgoing[0] = rest
                return
            self._outgoing.popleft()

    def _write(self, line: bytes) -> bytes:
        """Write what the pipe takes now; what is left over."""
        try:
            return line[os.write(self._pipe, line) :]
        except BlockingIOError:
            return line
        except OSError:
            self.lost_recorder = f"the recorder ended early{self._last_words()}"
            return line

    def _report_interrupts(self) -> None:
        """Tell the recorder of a SIGINT at once: Ansible then waits for its workers, so the end of its process comes seconds later."""
        previous = signal.getsignal(signal.SIGINT)
        if not callable(previous) or threading.current_thread() is not threading.main_thread():
            return
        controller, go_on = os.getpid(), previous

        def interrupted(number: int, frame: FrameType | None) -> None:
            if os.getpid() == controller:  # not in a worker that has just been forked
                told = self._tell("interrupted").get("told")
                if told:  # past whatever holds the lock of the display
                    os.write(2, f"\nfraisier.deploy: {told}\n".encode())
            go_on(number, frame)

        self._interrupts = (interrupted, previous)
        signal.signal(signal.SIGINT, interrupted)

    def _tell(self, operation: str) -> dict[str, Any]:
        """One word to the recorder beside the pipe, and its answer; {} when it gives none within a second."""
        with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(1.0)
            link.connect(os.environ.get(SOCKET_VARIABLE, ""))
            link.sendall(encode({"op": operation}))
            with link.makefile("rb") as stream:
                return dict(json.loads(stream.readline(ANSWER_BYTES)))
        return {}

    def _last_words(self) -> str:
        """The last line that the recorder wrote before it ended, if any."""
        try:
            lines = (Path(self._folder) / "recorder.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            return ""
        return f": {shorten_line(lines[-1], 300)}" if lines else ""

    def _hear(self) -> None:
        try:
            while chunk := os.read(self._back, 65536):
                self._answers += chunk
        except (BlockingIOError, OSError):
            pass
        *lines, self._answers = self._answers.split(b"\n")
        for line in lines:
            answer = json.loads(line)
            while self.confirmed < int(answer.get("confirmed", 0)):
                self.confirmed += 1
                self._unconfirmed.popleft()
            self._report = answer.get("report", self._report)

    def _rescue(self) -> int:
        """Spool what the recorder never confirmed; returns how many events that is."""
        spool = Spool(Path(self.settings["spool"]), self.settings["store_url"], f"{self.run}-callback")
        try:
            return spool.append(list(self._unconfirmed))
        finally:
            spool.close()

    def _release(self) -> None:
        for descriptor in (self._pipe, self._back):
            if descriptor >= 0:
                os.close(descriptor)
        self._pipe = self._back = -1
        os.environ.pop(SOCKET_VARIABLE, None)
        if self._interrupts and signal.getsignal(signal.SIGINT) is self._interrupts[0]:
            signal.signal(signal.SIGINT, self._interrupts[1])
        # A recorder that has given its report ends by itself: nobody need wait for its interpreter to be torn down.
        if self._process is not None and self._report is None:
            try:
                self._process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                self.lost_recorder = "the recorder is still busy"
                return
        shutil.rmtree(self._folder, ignore_errors=True)
