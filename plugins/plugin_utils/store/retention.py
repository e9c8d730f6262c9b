# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forgetting old deployments and events, in batches that hold no lock for long; what the counters have counted is carried over in the same transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DatabaseConnectionError, DatabaseError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.retention import Recorded, may_go
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import events as event_rows
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import old_plans, tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.clock import read_clock
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.metrics import PRUNED, counted
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.transactions import Transactions
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import OPEN_STATUSES, Event

DEPLOYMENTS_AT_ONCE = 25
EVENTS_AT_ONCE = 1000
YEARS = 36500
deployment, event, host_row = tables.deployment, tables.event, tables.deployment_host


class Retention:
    """Pruning of one store. Each batch is a transaction of its own: whoever is killed in between leaves a store in order, and the next call goes on."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def prune(self, *, keep_days: int, keep: int, run: str, by: str, check: bool = False) -> dict[str, Any]:
        """Forget what is older than ``keep_days`` and needed by nothing; {before, deployments: identifiers, plans and events: how many, check}."""
        _require(keep_days, keep)
        before = self._transactions.read("reading its clock", read_clock) - timedelta(days=keep_days)
        going: list[Recorded] = []
        for pair in self._transactions.read("listing what was deployed", _pairs):
            going += self._transactions.read("looking for old deployments", partial(_candidates, pair=pair, before=before, keep=keep))
        if check:
            return self._transactions.read("looking for what is old", lambda connection: _foreseen(connection, going, before))
        gone, events = self._forget(going, run, by, before)
        plans_gone = 0
        while removed := self._transactions.write("forgetting old plans", lambda connection: old_plans.forget(connection, before)):
            plans_gone += removed
        events += self._sweep(lambda connection: _old_events(connection, before))
        return {"before": before, "deployments": gone, "plans": plans_gone, "events": events, "check": False}

    def _forget(self, going: Sequence[Recorded], run: str, by: str, before: datetime) -> tuple[list[str], int]:
        gone: list[str] = []
        events, waiting = 0, [list(part) for part in _parts(going, DEPLOYMENTS_AT_ONCE)]
        # The events of this call are numbered under a source of its own: a run may prune twice.
        source, number = f"prune-{uuid7()}", 0
        while waiting:
            part = waiting.pop(0)
            keys = [row.key for row in part]
            events += self._sweep(partial(_events_of, keys=keys))
            number += 1
            told = {"by": by, "before": before.isoformat()}
            try:
                names = self._transactions.write("forgetting old deployments", partial(_forget, keys=keys, word=(run, source, number), told=told))
            except DatabaseConnectionError:
                raise
            except DatabaseError:
                # Too much for the store's time limits: half of it then.
                if len(part) == 1:
                    raise
                middle = len(part) // 2
                waiting[:0] = [part[:middle], part[middle:]]
                continue
            gone += names
        return gone, events

    def _sweep(self, choose: Callable[[Connection], list[int]]) -> int:
        """Remove events chunk by chunk until none is chosen; how many."""

        def chunk(connection: Connection) -> int:
            keys = choose(connection)
            if keys:
                connection.execute(delete(event).where(event.c.pk_event.in_(keys)))
            return len(keys)

        total = 0
        while removed := self._transactions.write("forgetting old events", chunk):
            total += removed
        return total


def _require(keep_days: int, keep: int) -> None:
    if not 1 <= keep_days <= YEARS:
        raise ValidationError(f"keep_days: {keep_days} is not a number of days from 1 to {YEARS}", hint="Write -e keep_days=365, for example")
    if keep < 1:
        raise ValidationError(f"keep: {keep} deployments of each fraise and environment is too few", hint="Write -e keep=50, for example; at least 1")


def _parts(rows: Sequence[Recorded], size: int) -> Iterable[Sequence[Recorded]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _pairs(connection: Connection) -> list[tuple[int, int]]:
    return [(row[0], row[1]) for row in connection.execute(select(tables.lock.c.fk_fraise, tables.lock.c.fk_environment).order_by(tables.lock.c.pk_lock))]


def _candidates(connection: Connection, pair: tuple[int, int], before: datetime, keep: int) -> list[Recorded]:
    here = (deployment.c.fk_fraise == pair[0], deployment.c.fk_environment == pair[1])
    columns = ("pk_deployment", "identifier", "number", "version", "status", "scope")
    ended = func.coalesce(deployment.c.finished_at, deployment.c.started_at, type_=deployment.c.started_at.type).label("ended_at")
    rows = [
        Recorded(row.pk_deployment, row.identifier, row.number, row.version, row.status, row.scope == "whole", row.status not in OPEN_STATUSES, row.ended_at)
        for row in connection.execute(select(*(deployment.c[name] for name in columns), ended).where(*here))
    ]
    table = tables.quarantine
    banned = select(table.c.version).where(table.c.fk_fraise == pair[0], table.c.fk_environment == pair[1], table.c.lifted_at.is_(None))
    pinned = _referred(connection) | _newest_of_hosts(connection, pair)
    return may_go(rows, before=before, keep=keep, pinned=pinned, quarantined=set(connection.execute(banned).scalars()))


def _referred(connection: Connection) -> set[int]:
    """Deployments that something in force refers to: a hold, a quarantine, a debt, a lock."""
    found: set[int] = set()
    for table, over in ((tables.hold, "lifted_at"), (tables.quarantine, "lifted_at"), (tables.owed_host, "settled_at"), (tables.lock, None)):
        query = select(table.c.fk_deployment).where(table.c.fk_deployment.is_not(None))
        found |= set(connection.execute(query.where(table.c[over].is_(None)) if over else query).scalars())
    return found


def _newest_of_hosts(connection: Connection, pair: tuple[int, int]) -> set[int]:
    """For each host the deployment that was the last to name it, and the last that it answered: what the fleet is known by."""
    joined = host_row.join(deployment, deployment.c.pk_deployment == host_row.c.fk_deployment)
    newest = (
        select(func.max(deployment.c.pk_deployment))
        .select_from(joined)
        .where(deployment.c.fk_fraise == pair[0], deployment.c.fk_environment == pair[1])
        .group_by(host_row.c.host)
    )
    found: set[int] = set()
    for query in (newest, newest.where(host_row.c.version_after.is_not(None)), newest.where(host_row.c.state == "active")):
        found |= set(connection.execute(query).scalars())
    return found


def _events_of(connection: Connection, keys: Sequence[int]) -> list[int]:
    return list(connection.execute(select(event.c.pk_event).where(event.c.fk_deployment.in_(keys)).limit(EVENTS_AT_ONCE)).scalars())


def _old(before: datetime, plans_going: Sequence[int] = ()) -> Any:
    """Events of no deployment (any more), and of no plan that stays; the word about a prune stays, for it carries what the counters have counted."""
    return event.c.fk_deployment.is_(None) & (event.c.at < before) & (event.c.type != PRUNED) & old_plans.of_no_plan(plans_going)


def _old_events(connection: Connection, before: datetime) -> list[int]:
    return list(connection.execute(select(event.c.pk_event).where(_old(before)).limit(EVENTS_AT_ONCE)).scalars())


def _count_events(connection: Connection, keys: Sequence[int], before: datetime, plans_going: Sequence[int]) -> int:
    total = connection.execute(select(func.count()).select_from(event).where(_old(before, plans_going))).scalar_one()
    for start in range(0, len(keys), EVENTS_AT_ONCE):
        mine = event.c.fk_deployment.in_(keys[start : start + EVENTS_AT_ONCE])
        total += connection.execute(select(func.count()).select_from(event).where(mine)).scalar_one()
    return int(total)


def _foreseen(connection: Connection, going: Sequence[Recorded], before: datetime) -> dict[str, Any]:
    """What a prune would answer."""
    keys = [row.key for row in going]
    plans = old_plans.outlived(connection, before, deployments=keys)
    events = _count_events(connection, keys, before, plans)
    return {"before": before, "deployments": [row.identifier for row in going], "plans": len(plans), "events": events, "check": True}


def _forget(connection: Connection, keys: Sequence[int], word: tuple[str, str, int], told: dict[str, Any]) -> list[str]:
    """One batch: lock the rows, so that no other prune counts them too, note their figures, remove them with all that hangs on them."""
    query = select(deployment.c.pk_deployment, deployment.c.identifier).where(deployment.c.pk_deployment.in_(keys)).order_by(deployment.c.pk_deployment)
    pinned = _referred(connection)
    rows = [row for row in connection.execute(query.with_for_update()) if row.pk_deployment not in pinned]
    if not rows:
        return []
    mine = [row.pk_deployment for row in rows]
    names = [row.identifier for row in rows]
    data = {**told, "deployments": names, "figures": counted(connection, deployment.c.pk_deployment.in_(mine))}
    connection.execute(delete(event).where(event.c.fk_deployment.in_(mine)))
    event_rows.apply(connection, [Event(*word, read_clock(connection), PRUNED, None, None, data)])
    connection.execute(delete(deployment).where(deployment.c.pk_deployment.in_(mine)))
    return names
