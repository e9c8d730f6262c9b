# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at the audit: is it whole, where does it end, what does it say; and forgetting its oldest rows behind a signed checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from sqlalchemy import delete, func, insert, or_, select
from sqlalchemy.engine import Connection, Row

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.chain import GENESIS, HEAD_NAME, canonical
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.chain_walk import Checkpoint, Link, Problem, Walk
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.clock import read_clock
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.notes import note
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.transactions import Transactions
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import format_time
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import bounded

PAGE = 1000
"""Rows in one question: each ends well within the store's time limits."""
ROWS_AT_ONCE = 1000
YEARS = 36500
END = 2**62
"""Behind every position."""
ATTEMPTS = 3
audit, checkpoint_table, head_table = tables.audit, tables.audit_checkpoint, tables.audit_head


class Keys(Protocol):
    """Whoever signs and knows signatures."""

    key_id: str | None

    def sign(self, payload: bytes) -> str:
        """A signature of ``payload`` as text."""

    def holds(self, key_id: str, payload: bytes, signature: str) -> bool | None:
        """Whether the signature is that key's; nothing when the key is not known here."""


class Audit:
    """The audit of one store. Only reading and walking, but for :meth:`checkpoint` and :meth:`prune`."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def verify(self, keys: Keys | None = None, *, older: int | None = None) -> dict[str, Any]:
        """{ok, rows, first, position, hash, old, checkpoints, signatures, problem}.

        ``position`` and ``hash`` are where the chain ends. ``signatures``: how many checkpoints' were proved, or nothing without keys.
        ``problem``: {position, kind, text} of the first one, or nothing. ``old``: {position, hash, rows} of those that are more than ``older`` days old.
        """
        before = self._moment(older) if older is not None else None
        seen = self._checkpoints()
        for _attempt in range(ATTEMPTS):
            answer = self._verify(seen, keys, before)
            now = self._checkpoints()
            # Somebody may have forgotten rows while we were walking.
            if answer["ok"] or len(now) == len(seen):
                break
            seen = now
        return answer

    def _moment(self, days: int) -> datetime:
        if not 1 <= days <= YEARS:
            raise ValidationError(f"keep_days: {days} is not a number of days from 1 to {YEARS}", hint="Write -e keep_days=365, for example")
        return self._transactions.read("reading its clock", read_clock) - timedelta(days=days)

    def _verify(self, checkpoints: Sequence[Row[Any]], keys: Keys | None, before: datetime | None) -> dict[str, Any]:
        head = self._transactions.read("reading the head of the audit", _head)
        walk = Walk([Checkpoint(row.position, row.hash, row.made_by, format_time(row.made_at)) for row in checkpoints], before)
        problem = self._walk(walk, head.position if head is not None else END)
        problem = problem or walk.end(head) or self._beyond(walk) or _signatures(checkpoints, keys)
        proved = None if keys is None else sum(bool(_proved(row, keys)) for row in checkpoints)
        return {
            "ok": problem is None,
            "rows": walk.rows,
            "first": walk.first,
            "position": walk.position,
            "hash": walk.hash,
            "old": dict(zip(("position", "hash", "rows"), walk.old, strict=True)),
            "checkpoints": len(checkpoints),
            "signatures": proved,
            "problem": problem.to_dict() if problem else None,
        }

    def _walk(self, walk: Walk, last: int) -> Problem | None:
        position, key = -END, 0
        while True:
            rows = self._transactions.read("reading the audit", partial(_page, after=(position, key), last=last))
            for row in rows:
                problem = walk.step(row)
                if problem is not None:
                    return problem
            if len(rows) < PAGE:
                return None
            position, key = rows[-1].position, rows[-1].pk_audit

    def _beyond(self, walk: Walk) -> Problem | None:
        """Rows behind the head. They are looked for before the head is read again: whoever adds a row moves the head with it."""
        newest = self._transactions.read("reading the audit", lambda connection: connection.execute(select(func.max(audit.c.position))).scalar_one())
        head = self._transactions.read("reading the head of the audit", _head)
        end = head.position if head is not None else 0
        if end < walk.position:
            return Problem(end + 1, "head", f"the head of the chain went back from row {walk.position} to row {end}")
        if newest is not None and newest > end:
            return Problem(end + 1, "inserted", f"rows after row {end}, where the chain ends, were put in")
        return None

    def _checkpoints(self) -> Sequence[Row[Any]]:
        query = select(checkpoint_table).order_by(checkpoint_table.c.position, checkpoint_table.c.pk_audit_checkpoint)
        return self._transactions.read("reading checkpoints", lambda connection: connection.execute(query).all())

    def hash_at(self, position: int) -> str | None:
        """The hash of the row at ``position``, or of a checkpoint there when the row was forgotten; 0 is the beginning."""
        if position == 0:
            return GENESIS

        def work(connection: Connection) -> str | None:
            for table in (audit, checkpoint_table):
                found = connection.execute(select(table.c.hash).where(table.c.position == position).limit(1)).scalar_one_or_none()
                if found is not None:
                    return str(found)
            return None

        return self._transactions.read("looking for a row of the audit", work)

    def now(self) -> str:
        """The database's clock as text."""
        return format_time(self._transactions.read("reading its clock", read_clock))

    def latest(self, limit: int, **wanted: str | None) -> list[dict[str, Any]]:
        """The newest rows first, with ``data`` of the body. ``wanted``: values of columns, None for any. What belongs to no environment concerns each."""
        query = select(audit).order_by(audit.c.position.desc()).limit(limit)
        for name, value in wanted.items():
            if value is not None:
                query = query.where(or_(audit.c[name] == value, audit.c[name].is_(None)) if name == "environment" else audit.c[name] == value)
        rows = self._transactions.read("reading the audit", lambda connection: connection.execute(query).mappings().all())
        return [{key: value for key, value in row.items() if key not in ("pk_audit", "body")} | {"data": _data(row["body"])} for row in rows]

    def checkpoint(self, place: Mapping[str, Any], keys: Keys, *, run: str, by: str) -> dict[str, Any]:
        """Sign that the chain was whole up to ``place`` (position, hash, rows), as a walk has just seen it.

        {position, hash, key_id, made}; ``made``: whether it was not there yet.
        """
        position, digest = int(place["position"]), str(place["hash"])
        if position < 1:
            raise ValidationError("The audit has no row yet to make a checkpoint of", hint="Deploy something first")

        def work(connection: Connection) -> dict[str, Any]:
            identifier = f"{position}:{keys.key_id}"
            answer = {"position": position, "hash": digest, "key_id": keys.key_id}
            if connection.execute(select(checkpoint_table.c.hash).where(checkpoint_table.c.identifier == identifier)).one_or_none() is not None:
                return {**answer, "made": False}
            now = read_clock(connection)
            values = {"position": position, "hash": digest, "row_count": int(place["rows"]), "made_at": now}
            values |= {"made_by": bounded(by, 255), "key_id": keys.key_id}
            signature = keys.sign(checkpoint_payload(values))
            connection.execute(insert(checkpoint_table).values(id=uuid7(), identifier=identifier, signature=signature, **values))
            note(connection, run, "audit.checkpoint", {**answer, "by": by}, now)
            return {**answer, "made": True}

        return self._transactions.write("making a checkpoint", work)

    def prune(self, position: int, *, run: str, by: str) -> int:
        """Forget the rows up to ``position``, which a checkpoint covers, oldest first; how many. Whoever is killed in between leaves a chain in order."""

        def chunk(connection: Connection) -> int:
            oldest = select(audit.c.position).where(audit.c.position <= position).order_by(audit.c.position).limit(ROWS_AT_ONCE)
            positions = list(connection.execute(oldest).scalars())
            if positions:
                connection.execute(delete(audit).where(audit.c.position <= positions[-1]))
                told = {"by": by, "from": positions[0], "to": positions[-1], "rows": len(positions)}
                note(connection, run, "audit.pruned", told, read_clock(connection))
            return len(positions)

        total = 0
        while removed := self._transactions.write("forgetting old rows of the audit", chunk):
            total += removed
        return total


def checkpoint_payload(values: Any) -> bytes:
    """What a checkpoint's signature is made of."""
    names = ("position", "hash", "row_count", "made_by", "key_id")
    return b"fraisier.deploy audit checkpoint\n" + canonical({**{name: values[name] for name in names}, "made_at": format_time(values["made_at"])}).encode()


def head_payload(values: Any) -> bytes:
    """What an exported head's signature is made of."""
    return b"fraisier.deploy audit head\n" + canonical({name: values[name] for name in ("position", "hash", "at", "key_id")}).encode()


def _head(connection: Connection) -> Row[Any] | None:
    return connection.execute(select(head_table.c.position, head_table.c.hash).where(head_table.c.identifier == HEAD_NAME)).one_or_none()


def _page(connection: Connection, after: tuple[int, int], last: int) -> list[Link]:
    """The next rows; also those of the same position, which the unique key forbids and a forger may have dropped."""
    position, key = after
    further = (audit.c.position >= position, or_(audit.c.position > position, audit.c.pk_audit > key), audit.c.position <= last)
    query = select(*(audit.c[name] for name in Link._fields)).where(*further).order_by(audit.c.position, audit.c.pk_audit).limit(PAGE)
    return list(map(Link._make, connection.execute(query).all()))


def _proved(row: Row[Any], keys: Keys) -> bool | None:
    return keys.holds(row.key_id, checkpoint_payload(row._mapping), row.signature)


def _signatures(checkpoints: Sequence[Row[Any]], keys: Keys | None) -> Problem | None:
    """Every checkpoint of a known key must be that key's, and the newest one of a known key."""
    if keys is None or not checkpoints:
        return None
    for row in checkpoints:
        if _proved(row, keys) is False:
            return Problem(row.position, "signature", f"the checkpoint at row {row.position} does not bear the signature of the key {row.key_id} that it names")
    newest = [row for row in checkpoints if row.position == checkpoints[-1].position]
    if not any(_proved(row, keys) for row in newest):
        named = ", ".join(row.key_id for row in newest)
        return Problem(newest[-1].position, "signature", f"the newest checkpoint is signed with {named}, a key that is not in the key file")
    return None


def _data(body: str) -> Any:
    try:
        return json.loads(body).get("data")
    except (ValueError, AttributeError):
        return None
