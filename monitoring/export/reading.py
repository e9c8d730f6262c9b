# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the figures within a bounded time, whatever the database does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Reading:
    """What the store gave: ``rows`` as Store.metrics_rows has them, or none and the ``problem`` in words."""

    rows: Rows | None
    problem: str | None = None


def read_store(url: str, timeout: float) -> Rows:
    """The figures, or FraisierError. The connection is a new one, so that a database that was restarted or a file that was replaced is never missed."""
    with Store.connect(url, timeout=timeout, read_only=True) as store:
        store.require_schema()
        return store.metrics_rows()


class Reader:
    """Reads the store at ``url``; an answer, good or bad, comes within ``timeout`` seconds.

    One reading runs at a time: scrapes that come meanwhile share it, so a database that hangs gathers no queue of connections.
    """

    def __init__(self, url: str, timeout: float, read: Callable[[str, float], Rows] = read_store) -> None:
        self._url = url
        self._timeout = timeout
        self._read = read
        self._lock = threading.Lock()
        self._running: _Attempt | None = None

    def read(self) -> Reading:
        """The figures now, or why there are none."""
        with self._lock:
            if self._running is None or self._running.reading is not None:
                # Half of the time for a single call, so that the driver's own words about the trouble mostly come before the end of it.
                self._running = _Attempt(lambda: self._read(self._url, self._timeout / 2))
                self._running.start()
            attempt = self._running
        attempt.join(self._timeout)
        return attempt.reading or Reading(None, f"The store did not answer within {self._timeout:g} s")


class _Attempt(threading.Thread):
    """One reading. A daemon, for a driver that hangs must not keep the exporter from ending."""

    def __init__(self, read: Callable[[], Rows]) -> None:
        super().__init__(name="store-reading", daemon=True)
        self._read = read
        self.reading: Reading | None = None

    def run(self) -> None:
        try:
            self.reading = Reading(self._read())
        except FraisierError as error:
            self.reading = Reading(None, str(error))
        except Exception as error:  # a scrape is answered whatever happens, and the log says what did
            self.reading = Reading(None, f"The store could not be read: {type(error).__name__}: {error}")
