# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""UUID version 7 (RFC 9562): identifiers that sort by the time they were made."""

from __future__ import annotations

import os
import threading
import time
import uuid

_TAIL_BITS = 74
_TAIL_MASK = (1 << _TAIL_BITS) - 1


class _Generator:
    """Monotonic within a process: in one millisecond (or when the clock steps back) the random tail grows by a random step (RFC 9562, 6.2 method 2)."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._millisecond = -1
        self._tail = 0

    def next(self, millisecond: int) -> uuid.UUID:
        with self._guard:
            if millisecond > self._millisecond:
                self._millisecond = millisecond
                # The top bit starts at 0, so that the tail has room to grow.
                self._tail = int.from_bytes(os.urandom(10), "big") & (_TAIL_MASK >> 1)
            else:
                self._tail += 1 + int.from_bytes(os.urandom(4), "big")
                if self._tail > _TAIL_MASK:
                    self._millisecond += 1
                    self._tail = int.from_bytes(os.urandom(10), "big") & (_TAIL_MASK >> 1)
            return _assemble(self._millisecond, self._tail)


def _assemble(millisecond: int, tail: int) -> uuid.UUID:
    value = (millisecond & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76
    value |= (tail >> 62) << 64
    value |= 0b10 << 62
    value |= tail & ((1 << 62) - 1)
    return uuid.UUID(int=value)


_generator = _Generator()


def _after_fork() -> None:
    """A forked child must not go on from its parent's tail (nor from a lock that another thread held)."""
    global _generator
    _generator = _Generator()


os.register_at_fork(after_in_child=_after_fork)


def uuid7(millisecond: int | None = None) -> str:
    """A new UUID version 7 as text; ``millisecond`` (Unix time) stands for the clock in tests."""
    return str(_generator.next(time.time_ns() // 1_000_000 if millisecond is None else millisecond))
