# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A psycopg connection that never waits for ever: a server that is frozen or cut off is given up after a time."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import psycopg


class _NoAnswer(Exception):
    """The time is up while a statement waits for the server."""


class BoundedConnection(psycopg.Connection[Any]):
    """libpq bounds the connecting and the server its statements; only this bounds a server that has stopped to answer."""

    answer_timeout: float = 2.0

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **options: Any) -> Any:
        try:
            return super().wait(_until(gen, time.monotonic() + self.answer_timeout), *args, **options)
        except _NoAnswer:
            self.close()
            raise psycopg.OperationalError(f"the server gave no answer within {self.answer_timeout:g} s") from None


def _until(gen: Generator[Any, Any, Any], deadline: float) -> Generator[Any, Any, Any]:
    """Hand ``gen`` on; psycopg comes by at least ten times a second, with nothing when the socket was silent."""
    try:
        state = next(gen)
        while True:
            ready = yield state
            if not ready and time.monotonic() >= deadline:
                raise _NoAnswer
            state = gen.send(ready)
    except StopIteration as end:
        return end.value


def connection_class(answer_timeout: float) -> type[BoundedConnection]:
    """The class with its own limit in seconds."""
    return type("BoundedConnection", (BoundedConnection,), {"answer_timeout": answer_timeout})
