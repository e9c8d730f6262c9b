# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storing events exactly once, however often and by however many processes they are sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.chain import Deed, remember
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.clock import read_clock
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.projections import Target, project
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.rows import insert_new
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import Event
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import HOST_LIMIT, document, optional

Key = tuple[str, str, int]
CHUNK = 400
"""Rows in one statement: below every database's limit of parameters."""


def apply(connection: Connection, events: Sequence[Event]) -> int:
    """Store ``events`` and project those that are new here; how many of them are stored now."""
    given: dict[Key, Event] = {}
    for event in events:
        given.setdefault((event.run, event.source, event.seq), event)
    targets = _lock_targets(connection, given.values())
    known = _stored(connection, given)
    mine = {key: uuid7() for key in sorted(given) if key not in known}
    told = {key: document(given[key].data) for key in mine}
    now = read_clock(connection)
    for chunk in _chunks(sorted(mine)):
        insert_new(
            connection,
            tables.event,
            [
                {
                    "id": mine[key],
                    "identifier": "{}:{}:{}".format(*key),
                    "fk_deployment": targets[event.deployment].key if event.deployment in targets else None,
                    "run": event.run,
                    "source": event.source,
                    "seq": event.seq,
                    "at": event.at,
                    "stored_at": now,
                    "type": event.type,
                    "deployment": event.deployment,
                    "host": optional(event.host, HOST_LIMIT),
                    "data": told[key],
                }
                for key in chunk
                for event in (given[key],)
            ],
        )
    # Another process may have stored the same events meanwhile: the row's id tells whose insert it was.
    stored = _stored(connection, given)
    for key, event in given.items():
        if key not in mine or stored.get(key) != mine[key]:
            continue
        remember(connection, Deed(mine[key], "{}:{}:{}".format(*key), event.at, event.type, told[key], event.deployment, event.host))
        if event.deployment in targets:
            project(connection, targets[event.deployment], event)
    return sum(key in stored for key in given)


def _chunks(keys: Sequence[Key]) -> Iterable[Sequence[Key]]:
    return (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK))


def _stored(connection: Connection, given: Iterable[Key]) -> dict[Key, str]:
    """The id of each of these events that is in the store."""
    event = tables.event
    sources: dict[tuple[str, str], list[int]] = {}
    for run, source, seq in given:
        sources.setdefault((run, source), []).append(seq)
    found: dict[Key, str] = {}
    for (run, source), numbers in sources.items():
        for start in range(0, len(numbers), CHUNK):
            query = select(event.c.seq, event.c.id).where(event.c.run == run, event.c.source == source, event.c.seq.in_(numbers[start : start + CHUNK]))
            found.update({(run, source, row.seq): row.id for row in connection.execute(query)})
    return found


def _lock_targets(connection: Connection, events: Iterable[Event]) -> dict[str | None, Target]:
    """The deployments that these events tell of, locked in one order (pair, then deployment) so that two replays wait for each other instead of deadlocking."""
    deployment, lock = tables.deployment, tables.lock
    wanted: set[str] = set()
    closing: set[str] = set()
    for event in events:
        if event.deployment is not None:
            wanted.add(event.deployment)
            if event.type == "deployment.closed":
                closing.add(event.deployment)
    if closing:
        pairs = select(deployment.c.fk_fraise, deployment.c.fk_environment).where(deployment.c.id.in_(sorted(closing))).distinct()
        for pair in sorted(tuple(row) for row in connection.execute(pairs)):
            connection.execute(select(lock.c.pk_lock).where(lock.c.fk_fraise == pair[0], lock.c.fk_environment == pair[1]).with_for_update())
    targets: dict[str | None, Target] = {}
    for identifier in sorted(wanted):
        row = connection.execute(select(deployment).where(deployment.c.id == identifier).with_for_update()).one_or_none()
        if row is not None:
            targets[identifier] = Target(row)
    return targets


def count_events(connection: Connection, run: str, source: str) -> int:
    """How many events of a run came from ``source``."""
    event = tables.event
    return int(connection.execute(select(func.count()).select_from(event).where(event.c.run == run, event.c.source == source)).scalar_one())
