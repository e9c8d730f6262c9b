# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where events go: into the store by one thread, onto the spool while the store is away, and back in order when it returns."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DatabaseConnectionError, DatabaseError, FraisierError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.spool import Claim, Spool, left_behind, read_lines
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Event, Store

BATCH = 500
GATHER_SECONDS = 0.25
QUEUE_LIMIT = 20000
RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)


@dataclass
class Job:
    """A question to the store; ``done`` gets its answer or the error, in the main thread. ``any_schema``: to be asked of a store of any age.

    ``apart``: to be asked while no store is connected here, and of one that cannot be connected to: ``ask`` gets nothing and goes to the store itself.
    """

    ask: Callable[[Any], Any]
    done: Callable[[Any, FraisierError | None], None]
    any_schema: bool = False
    apart: bool = False


@dataclass
class Item:
    """An event on its way; ``done`` is called in the main thread once it is stored or spooled. ``urgent``: somebody waits for that."""

    event: Event
    done: Callable[[], None] | None
    urgent: bool


class Sink:
    """One writer thread for the store. ``submit``, ``ask``, ``pump`` and ``drained`` belong to the main thread; ``wake`` may be called from both."""

    def __init__(self, connect: Callable[[], Store], prepare: Callable[[Store], None], spool: Spool, store_url: str, wake: Callable[[], None]) -> None:
        self._connect, self._prepare, self._spool, self._store_url, self._wake = connect, prepare, spool, store_url, wake
        self._condition = threading.Condition()
        self._queue: deque[Item | Job] = deque()
        self._answers: deque[Callable[[], None]] = deque()
        self._store: Store | None = None
        self._busy = self._ready = self._hurried = False
        self._stopping = False
        self._failures = 0
        self.away = ""
        self.stored: Counter[str] = Counter()
        self.spooled: Counter[str] = Counter()
        self.notes: list[str] = []
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)

    def start(self) -> None:
        """Start the writer; it connects by itself."""
        self._thread.start()

    def submit(self, event: Event, done: Callable[[], None] | None = None, *, urgent: bool = True) -> None:
        """Hand over one event; one that is not urgent may wait a moment for others, since a transaction costs the same for one as for many."""
        with self._condition:
            self._queue.append(Item(event, done, urgent))
            if self.away or len(self._queue) > QUEUE_LIMIT:
                self.away = self.away or "it is too slow for this run"
                self._to_spool()
            self._condition.notify()

    def hurry(self) -> None:
        """Nothing more will come: gather no longer."""
        with self._condition:
            self._hurried = True
            self._condition.notify()

    def ask(self, job: Job) -> None:
        """Have a question answered after all events before it."""
        with self._condition:
            self._queue.append(job)
            self._condition.notify()

    def pump(self) -> None:
        """Run the callbacks that the writer left for the main thread."""
        while self._answers:
            self._answers.popleft()()

    def drained(self) -> bool:
        """Whether nothing is under way: all is stored, or spooled."""
        with self._condition:
            return not self._queue and not self._busy

    def _to_spool(self) -> None:
        """Move queued events to the spool, in order; what a full disk refuses stays in memory. Called under the lock."""
        items = [entry for entry in self._queue if isinstance(entry, Item)]
        try:
            self._spool.append([item.event.to_json().encode() + b"\n" for item in items])
        except OSError as exception:
            self._note(f"the spool {self._spool.path} cannot be written: {exception.strerror}")
            return
        self._queue = deque(entry for entry in self._queue if isinstance(entry, Job))
        for item in items:
            self.spooled[item.event.source] += 1
            if item.done:
                self._answers.append(item.done)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _run(self) -> None:
        while True:
            with self._condition:
                self._busy = False
                if not self._queue:
                    self._wake()
                while not self._queue and not (self.away or self._store is None) and not self._stopping:
                    self._condition.wait()
                if self.away and not any(isinstance(entry, Job) for entry in self._queue):
                    self._condition.wait(RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)])
                gathered = time.monotonic() + GATHER_SECONDS
                while not self._pressing() and (left := gathered - time.monotonic()) > 0:
                    self._condition.wait(left)
                if self._stopping:
                    return
                self._busy = True
            try:
                self._turn()
            except FraisierError as error:
                self._went_away(error)
            except Exception as exception:  # a defect of ours must not end the thread on which every answer waits
                self._note(f"unexpected error at the store: {type(exception).__name__}: {exception}")
                self._went_away(DatabaseError(f"Unexpected error at the store: {type(exception).__name__}: {exception}", cause=exception))

    def _pressing(self) -> bool:
        """Whether the writer must not wait for more: somebody waits for an answer, or nothing more will come."""
        return self._hurried or self._stopping or not self._ready or any(isinstance(entry, Job) or entry.urgent for entry in self._queue)

    def _turn(self) -> None:
        """One round of the writer: be connected, bring the spool in, then take what is queued."""
        self._answer_apart()
        store = self._connected()
        with self._condition:
            waiting = next((entry for entry in self._queue if isinstance(entry, Job) and entry.any_schema), None)
            if waiting is not None:
                self._queue.remove(waiting)
        if waiting is not None:
            self._answer(store, waiting)
        self._make_ready(store)
        if self.away:
            self._return(store)
        with self._condition:
            batch: list[Item] = []
            while self._queue and isinstance(self._queue[0], Item) and len(batch) < BATCH:
                batch.append(self._queue.popleft())  # type: ignore[arg-type]
            job = self._queue.popleft() if not batch and self._queue else None
        if batch:
            self._store_batch(store, batch)
        elif isinstance(job, Job):
            self._answer(store, job)

    def _answer_apart(self) -> None:
        """A question that must find no connection of ours open: the store may be another one afterwards."""
        with self._condition:
            waiting = next((entry for entry in self._queue if isinstance(entry, Job) and entry.apart), None)
            if waiting is not None:
                self._queue.remove(waiting)
        if waiting is not None:
            if self._store is not None:
                self._store.close()
            self._store, self._ready = None, False
            self._answer(None, waiting)

    def _connected(self) -> Store:
        if self._store is None:
            self._store = self._connect()
        return self._store

    def _make_ready(self, store: Store) -> None:
        """Once: bring the schema up to date, then in what earlier runs left on disk."""
        if not self._ready:
            self._prepare(store)
            self._replay_left_behind(store)
            self._ready = True

    def _store_batch(self, store: Store, batch: list[Item]) -> None:
        try:
            store.apply([item.event for item in batch])
        except FraisierError:
            # Busy, full, read-only or gone: no event is refused for what it says, so all of them are tried again later.
            with self._condition:
                self._queue.extendleft(reversed(batch))
            raise
        for item in batch:
            self.stored[item.event.source] += 1
        self._answers.extend(item.done for item in batch if item.done)
        self._failures = 0
        self._wake()

    def _answer(self, store: Store | None, job: Job) -> None:
        value, failure = None, None
        try:
            value = job.ask(store)
        except FraisierError as error:
            failure = error
        self._answers.append(lambda: job.done(value, failure))
        self._wake()
        if isinstance(failure, DatabaseConnectionError):
            raise failure

    def _went_away(self, error: FraisierError) -> None:
        """The store does not answer: whoever asks is told, events go to the spool."""
        with self._condition:
            self._failures += 1
            self.away = error.message
            # A question about the schema can be answered whatever is wrong with it, unless the store itself cannot be reached.
            stays = self._store is not None
            for job in [entry for entry in self._queue if isinstance(entry, Job) and not (entry.apart or (entry.any_schema and stays))]:
                self._answers.append(lambda job=job: job.done(None, error))  # type: ignore[misc]
            self._queue = deque(entry for entry in self._queue if isinstance(entry, Item) or entry.apart or (entry.any_schema and stays))
            self._to_spool()
        self._wake()

    def _return(self, store: Store) -> None:
        """The store answers again: replay our own spool to its end, then go live in the same breath in which the end is seen."""
        store.now()
        offset = 0
        while True:
            lines, offset = read_lines(self._spool.path, offset, BATCH) if self._spool.exists() else ([], offset)
            if lines:
                self._apply_lines(store, lines)
                continue
            with self._condition:
                if self._spool.exists() and read_lines(self._spool.path, offset, 1)[0]:
                    continue
                self._spool.remove()
                self.away, self._failures = "", 0
                for source, count in self.spooled.items():
                    self.stored[source] += count
                self.spooled.clear()
                return

    def _replay_left_behind(self, store: Store) -> None:
        for path in left_behind(self._spool.folder, self._store_url):
            if path == self._spool.path:
                continue
            with Claim(path) as ours:
                if not ours:
                    continue
                try:
                    count = self._replay(store, path)
                except DatabaseConnectionError:
                    raise
                except FraisierError as error:
                    self._note(f"{path} could not be brought in and stays where it is: {error}")
                    continue
                path.unlink(missing_ok=True)
                self._note(f"{count} events of an earlier run, kept while the store was away, are stored now")

    def _replay(self, store: Store, path: Path) -> int:
        offset, count = 0, 0
        while True:
            lines, offset = read_lines(path, offset, BATCH)
            if not lines:
                return count
            self._apply_lines(store, lines)
            count += len(lines)

    def _apply_lines(self, store: Store, lines: list[bytes]) -> None:
        events = []
        for line in lines:
            try:
                events.append(Event.from_json(line))
            except FraisierError as error:
                self._note(f"a line of the spool is not an event: {error}")
        store.apply(events)

    def stop(self, patience: float = 2.0) -> None:
        """End the writer and close the store."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        self._thread.join(patience)
        self._spool.close()
        if self._store is not None and not self._thread.is_alive():
            self._store.close()
