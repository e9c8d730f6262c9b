# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The side process: one loop over the event pipe, the action socket, the controller's life and the lease."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import encode
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.sink import Job, Sink
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.spool import Spool
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Event, Store

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.operations import Operations

LOOK_SECONDS = 0.25
"""How often the event pipe is read. Were the loop woken by each event, every write would cost the play a change of process: 0.4 ms against 0.01."""
FLUSH_SECONDS = 5.0
AWAY_PATIENCE_SECONDS = 2.0
LONGEST_FAREWELL_SECONDS = 30.0
INTERRUPT_PATIENCE_SECONDS = 12.0
"""Ansible gives its workers 5 s after an interrupt. It would wait for ever when one of them was ended while it held the lock of their queue."""


class Connection:
    """One action's connection: bytes in until a line is whole, one answer out."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.received = b""

    def reply(self, message: dict[str, Any]) -> None:
        """Send the answer and close; an action that has gone is no harm."""
        try:
            self.link.settimeout(2.0)
            self.link.sendall(encode(message))
        except OSError:
            pass
        finally:
            self.link.close()


class Server:
    """Joins the wire, the sink and the operations, until the run has ended."""

    def __init__(self, settings: dict[str, Any], events: int, answers: int, listener: int) -> None:
        self._listener = socket.socket(fileno=listener)
        self._listener.setblocking(False)
        self.settings, self._events, self._answers = settings, events, answers
        self._selector = selectors.DefaultSelector()
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)
        spool = Spool(Path(settings["spool"]), settings["store_url"], settings["run"])
        self.sink = Sink(self._connect, self._prepare, spool, settings["store_url"], self._wake)
        self._operations: Operations | None = None
        self._buffer = b""
        self._confirmed = self._told = 0
        self._safe_ahead: set[int] = set()
        self._sent: int | None = None
        self._alive = True
        self._linger_until = self._leave_at = self._end_controller_at = 0.0
        self._pidfd = -1

    @property
    def operations(self) -> Operations:
        """What actions ask for; loaded when one first asks, for a run without our actions never does."""
        if self._operations is None:
            from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.operations import Operations

            self._operations = Operations(self.settings, self.sink)
            self._operations.over = "gone" if not self._alive else "ended" if self._sent is not None else ""
        return self._operations

    def _connect(self) -> Store:
        return Store.connect(self.settings["store_url"], timeout=float(self.settings["timeout"]))

    def _prepare(self, store: Store) -> None:
        state = store.schema()
        if not state.pending:
            store.require_schema()
            return
        if not self.settings["auto_migrate"]:
            raise ConfigurationError(
                f"The store's schema is at {state.current or 'nothing'}, this collection needs {state.head}",
                hint="Run: ansible-playbook fraisier.deploy.store -e store=migrate",
            )
        store.migrate()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: the loop is awake already
            self._wake_in.send(b"w")

    def serve(self, initial: bytes) -> None:
        """Run until the playbook has ended (or died) and everything is stored or spooled."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        listener = self._listener
        self._watch_controller()
        self._selector.register(self._wake_out, selectors.EVENT_READ, self._drain_wakes)
        self._selector.register(listener, selectors.EVENT_READ, lambda: self._accept(listener))
        self.sink.start()
        self._take(initial)
        while not self._finished():
            lease = self._operations.keep_lease() if self._operations and self._alive else LOOK_SECONDS
            timeout = min(LOOK_SECONDS, max(0.0, lease))
            for key, _mask in self._selector.select(timeout):
                callback: Callable[[], None] = key.data
                callback()
            self._read_events()
            if self._alive and self._pidfd < 0 and os.getppid() != self.settings["controller"]:
                self._controller_ended()
            self.sink.pump()
            self._confirm()
        self._farewell()
        listener.close()
        # The controller removes it too, unless it is dead or had no patience to wait for this end.
        shutil.rmtree(Path(self.settings["socket"]).parent, ignore_errors=True)

    def _watch_controller(self) -> None:
        """By pidfd: a pipe's end says nothing, for forked workers hold it open after the controller was killed."""
        try:
            self._pidfd = os.pidfd_open(self.settings["controller"])
        except (AttributeError, OSError):
            return
        self._selector.register(self._pidfd, selectors.EVENT_READ, self._controller_ended)

    def _controller_ended(self) -> None:
        if not self._alive:
            return
        if self._pidfd >= 0:
            self._selector.unregister(self._pidfd)
        self._alive = False
        self._read_events()
        self.sink.hurry()
        if self._sent is None and self._operations:
            self._linger_until = time.monotonic() + self._operations.controller_gone()

    def _accept(self, listener: socket.socket) -> None:
        link, _address = listener.accept()
        link.setblocking(False)
        connection = Connection(link)
        self._selector.register(link, selectors.EVENT_READ, lambda: self._read_request(connection))

    def _read_request(self, connection: Connection) -> None:
        try:
            chunk = connection.link.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        connection.received += chunk
        if chunk and not connection.received.endswith(b"\n"):
            return
        self._selector.unregister(connection.link)
        if not connection.received.endswith(b"\n"):
            connection.link.close()
            return
        # What the callback wrote before this action was started lies in the pipe: take it in first, so that rows keep the order of deeds.
        self._read_events()
        request = json.loads(connection.received)
        if request.get("op") == "look":  # nothing but a reason to read the pipe
            connection.reply({"ok": True})
        elif request.get("op") == "interrupted":  # the controller has had a SIGINT and only waits for its workers
            connection.reply({"ok": True, "told": self._operations.interrupted_line() if self._operations else ""})
            self._end_controller_at = time.monotonic() + float(self.settings.get("interrupt_patience", INTERRUPT_PATIENCE_SECONDS))
            self._controller_ended()
        else:
            self.operations.handle(request, connection.reply)

    def _read_events(self) -> None:
        if self._events < 0:
            return
        try:
            while chunk := os.read(self._events, 1 << 20):
                self._take(chunk)
        except BlockingIOError:
            return
        os.close(self._events)  # the last writer has gone
        self._events = -1

    def _take(self, chunk: bytes) -> None:
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "end" in message:
                self._sent = int(message["end"]["sent"])
                if self._operations:
                    self._operations.run_ended()
                self.sink.hurry()
            else:
                self._submit(message)

    def _submit(self, message: dict[str, Any]) -> None:
        current = self._operations.current if self._operations else None
        identity = current.identity if current else None
        event = Event(
            run=message["run"],
            source=message["source"],
            seq=int(message["seq"]),
            at=datetime.fromisoformat(message["at"]),
            type=message["type"],
            deployment=identity.id if identity else None,
            host=message["host"],
            data=message["data"],
        )
        if self._operations:
            self._operations.observe(event)
        self.sink.submit(event, lambda: self._safe(event.seq), urgent=False)

    def _safe(self, number: int) -> None:
        """Confirm up to the highest number without a gap: items may become safe out of their order."""
        self._safe_ahead.add(number)
        while self._confirmed + 1 in self._safe_ahead:
            self._confirmed += 1
            self._safe_ahead.discard(self._confirmed)

    def _confirm(self) -> None:
        if self._confirmed > self._told:
            self._told = self._confirmed
            self._answer({"confirmed": self._confirmed})

    def _answer(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the controller has gone, or does not read: the numbers are cumulative
            os.write(self._answers, encode(message))

    def _drain_wakes(self) -> None:
        try:
            while self._wake_out.recv(4096):
                pass
        except BlockingIOError:
            pass

    def _see_off(self) -> bool:
        """Whether nothing is to be waited for of a controller that was interrupted; one that does not end in its time is made to."""
        controller = self.settings["controller"]
        if not self._end_controller_at or self._sent is not None or os.getppid() != controller:
            return True
        if time.monotonic() < self._end_controller_at:
            return False
        self._end_controller_at = 0.0
        with contextlib.suppress(OSError):
            os.kill(controller, signal.SIGTERM)
        return True

    def _finished(self) -> bool:
        if (self._sent is None and self._alive) or not self._see_off():
            return False
        if self._leave_at == 0.0:
            self._leave_at = max(time.monotonic(), self._linger_until) + LONGEST_FAREWELL_SECONDS
        if time.monotonic() >= self._leave_at:
            return True
        return self.sink.drained() and time.monotonic() >= self._linger_until

    def _farewell(self) -> None:
        """Wait a moment for a store that is away, count what is stored, tell the callback, end the writer."""
        deadline = time.monotonic() + AWAY_PATIENCE_SECONDS
        while self.sink.away and time.monotonic() < deadline:
            time.sleep(0.1)
            self.sink.pump()
        counted: list[int] = []
        if not self.sink.away:
            self.sink.ask(Job(lambda store: store.count_events(self.settings["run"], "callback"), lambda answer, _failure: counted.append(answer or 0)))
            deadline = time.monotonic() + FLUSH_SECONDS
            while not counted and time.monotonic() < deadline:
                time.sleep(0.002)
                self.sink.pump()
        stored = counted[0] if counted else self.sink.stored["callback"]
        waiting = sum(self.sink.spooled.values())
        report = {"stored": stored, "spooled": self.sink.spooled["callback"], "waiting": waiting, "away": self.sink.away, "notes": self.sink.notes}
        self._answer({"confirmed": self._confirmed, "report": report})
        self.sink.stop()
