# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walking along the audit's chain and naming the first row that is not as it was written. No I/O: rows go in one by one, in the order of their positions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.chain import GENESIS, chained
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import format_time


class Link(NamedTuple):
    """A row of tb_audit. Up to ``host`` the values stand in the body, too; so does ``at``."""

    id: str
    identifier: str
    position: int
    type: str
    event: str
    actor: str
    fraise: str | None
    environment: str | None
    deployment: str | None
    host: str | None
    at: datetime
    body: str
    previous_hash: str
    hash: str
    pk_audit: int


TWICE = Link._fields[: Link._fields.index("at")]
WRITTEN = {*TWICE, "at", "data"}
_told_twice = itemgetter(*TWICE)


@dataclass(frozen=True)
class Problem:
    """The first thing that is wrong with the chain: where, of which kind, in words."""

    position: int
    kind: str
    text: str

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {"position": self.position, "kind": self.kind, "text": self.text}


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint says of the chain: the row at ``position`` had ``hash``."""

    position: int
    hash: str
    made_by: str
    made_at: str


class Walk:
    """One walk from the oldest row that is kept to the head. ``step`` and ``end`` answer the first problem, or nothing."""

    def __init__(self, checkpoints: Sequence[Checkpoint], before: datetime | None = None) -> None:
        self._checkpoints: dict[int, list[Checkpoint]] = {}
        for checkpoint in checkpoints:
            self._checkpoints.setdefault(checkpoint.position, []).append(checkpoint)
        self.covered = max(self._checkpoints, default=0)
        """Up to this position rows may have been forgotten."""
        self.first = 0
        self.rows = 0
        self.position = 0
        self.hash = GENESIS
        self._last_but_one: str | None = None
        self._before = before
        self.old = (0, GENESIS, 0)
        """Position, hash and number of the oldest rows, all from before ``before``."""

    def step(self, row: Link) -> Problem | None:
        """The next row."""
        if not self.rows:
            problem = self._begin(row)
        elif row.position == self.position:
            problem = Problem(row.position, "inserted", f"position {row.position} is there twice")
        elif row.position != self.position + 1:
            problem = self._gap(row.position)
        else:
            problem = None
        problem = problem or self._look(row)
        if problem is None:
            self.rows += 1
            self._last_but_one, self.hash, self.position = self.hash, row.hash, row.position
            if self._before is not None and row.at < self._before and self.old[2] == self.rows - 1:
                self.old = (row.position, row.hash, self.rows)
            problem = self._against_checkpoints(row)
        return problem

    def _begin(self, row: Link) -> Problem | None:
        """The oldest row that is kept: the first of all, or one that follows what a checkpoint covers."""
        self.first = row.position
        if row.position == 1:
            return None
        if row.position < 1:
            return Problem(row.position, "inserted", f"position {row.position} lies before the first row")
        if self.covered < row.position - 1:
            self.position = self.covered
            return self._gap(row.position)
        known = self._checkpoints.get(row.position - 1)
        # Within what a checkpoint covers, the hash at the checkpoint proves the rows before it.
        self.hash = known[0].hash if known else row.previous_hash
        return None

    def _gap(self, found: int) -> Problem:
        first, last = self.position + 1, found - 1
        return Problem(first, "missing", f"{_rows(first, last)} missing")

    def _look(self, row: Link) -> Problem | None:
        """A row by itself, then as the successor of the one before."""
        if chained(row.previous_hash, row.body) != row.hash:
            return Problem(row.position, "changed", f"row {row.position} is not what its hash was made of")
        if row.previous_hash != self.hash and self._last_but_one is not None and row.previous_hash == self._last_but_one:
            return Problem(self.position, "inserted", f"row {self.position} was put in between two rows")
        values = _content(row.body)
        # Looked at one by one only where something differs: this is done for every row.
        differing = [] if values and row[: len(TWICE)] == _told_twice(values) and values["at"] == format_time(row.at) else _differing(row, values)
        if "position" in differing:
            return Problem(row.position, "reordered", f"row {row.position} was written as row {values.get('position')}")
        if differing:
            return Problem(row.position, "changed", f"row {row.position} says something else in {', '.join(differing)} than when it was written")
        if row.previous_hash != self.hash:
            return Problem(row.position, "broken", f"row {row.position} does not follow the row before it")
        return None

    def _against_checkpoints(self, row: Link) -> Problem | None:
        for checkpoint in self._checkpoints.get(row.position, []):
            if checkpoint.hash != row.hash:
                said = f"the checkpoint that {checkpoint.made_by} made at {checkpoint.made_at}"
                return Problem(row.position, "changed", f"row {row.position} is not the one of {said}: what it covers was written anew")
        return None

    def end(self, head: Any | None) -> Problem | None:
        """After the last row: ``head`` (position, hash) is where the chain ends by its own word."""
        if not self.rows:
            # All rows may have been forgotten: then the newest checkpoint is the end.
            self.position = self.covered
            self.hash = self._checkpoints[self.covered][0].hash if self.covered else GENESIS
        if head is None:
            return Problem(self.position, "head", "the head of the chain is gone") if self.rows or self.covered else None
        if self.position < head.position:
            first, last = self.position + 1, head.position
            return Problem(first, "tail", f"{_rows(first, last)} cut off from the end of the chain")
        if self.covered > head.position:
            first, last = head.position + 1, self.covered
            return Problem(first, "tail", f"{_rows(first, last)} cut off from the end of the chain: a checkpoint has seen row {last}")
        if head.hash != self.hash:
            return Problem(self.position, "head", f"the head of the chain has another hash than row {self.position}")
        return None


def _rows(first: int, last: int) -> str:
    return f"row {first} is" if first == last else f"rows {first} to {last} are"


def _differing(row: Link, values: Mapping[str, Any]) -> list[str]:
    """The columns that differ from what the body says."""
    told = {**{name: getattr(row, name) for name in TWICE}, "at": format_time(row.at)}
    return [name for name, value in told.items() if values.get(name, ...) != value]


def _content(body: str) -> Mapping[str, Any]:
    """What a body says; nothing when it does not say all that a row's says."""
    try:
        values = json.loads(body)
    except ValueError:
        return {}
    return values if isinstance(values, dict) and values.keys() >= WRITTEN else {}
