# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store that a restore replaces: whether anybody works with it, and which of its words must live on in the restored one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import and_, case, func, inspect, or_, select, update
from sqlalchemy.engine import URL, Connection

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DatabaseError, DeploymentLockedError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import locks, tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.backup import connected
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.clock import read_clock
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.failures import CORRUPT
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import OPEN_STATUSES, Event
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import bounded

NEEDED = ("tb_lock", "tb_deployment", "tb_fraise", "tb_environment", "tb_event")
lock, deployment, event = tables.lock, tables.deployment, tables.event


@dataclasses.dataclass(frozen=True)
class Old:
    """``pairs``: (fraise, its type, environment) of each lock; ``busy``: who works with it, a line each; ``events``: what the asking run has told;
    ``standing``: the holds, quarantines and debts in force, by their names."""

    readable: bool
    has_locks: bool
    empty: bool
    deployments: int = 0
    token: int = 0
    pairs: tuple[tuple[str, str, str], ...] = ()
    busy: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    standing: tuple[str, ...] = ()

    def token_floor(self, other: int) -> int:
        """The highest token that is known."""
        return max(self.token, other)

    def summary(self) -> dict[str, Any]:
        """What goes, for people and for the record."""
        return {"readable": self.readable, "empty": self.empty, "deployments": self.deployments, "token": self.token}


def look(url: URL, run: str) -> Old:
    """The store at ``url`` as it is; one that is damaged, or lacks tables, counts as not empty and not readable."""
    if url.get_backend_name() == "sqlite":
        path = Path(url.database or "")
        if not path.exists() or path.stat().st_size == 0:
            return Old(readable=True, has_locks=False, empty=True)
    try:
        with connected(url) as store:
            return store._transactions.read("looking at what would be replaced", lambda connection: _look(connection, run))
    except DatabaseError as error:
        if error.context.get("kind") != CORRUPT:
            raise
        return Old(readable=False, has_locks=False, empty=False)


def _look(connection: Connection, run: str) -> Old:
    names = set(inspect(connection).get_table_names())
    if not names & set(tables.metadata.tables):
        return Old(readable=True, has_locks=False, empty=True)
    if not names.issuperset(NEEDED):
        return Old(readable=False, has_locks=False, empty=False)
    count = int(connection.execute(select(func.count()).select_from(deployment)).scalar_one())
    environments = int(connection.execute(select(func.count()).select_from(tables.environment)).scalar_one())
    pairs = select(tables.fraise.c.identifier, tables.fraise.c.type, tables.environment.c.identifier).select_from(
        lock.join(tables.fraise, tables.fraise.c.pk_fraise == lock.c.fk_fraise).join(
            tables.environment, tables.environment.c.pk_environment == lock.c.fk_environment
        )
    )
    return Old(
        readable=True,
        has_locks=True,
        empty=not count and not environments,
        deployments=count,
        token=highest_token(connection),
        pairs=tuple((row[0], row[1], row[2]) for row in connection.execute(pairs)),
        busy=tuple(busy(connection)),
        events=tuple(_events(connection, run)),
        standing=tuple(standing(connection)),
    )


def highest_token(connection: Connection) -> int:
    """The highest token that any lock has given."""
    return int(connection.execute(select(func.coalesce(func.max(lock.c.token), 0))).scalar_one())


def standing(connection: Connection) -> list[str]:
    """What keeps deployments from going on as if nothing had happened: holds, quarantines and debts in force. A store of the first schema has none."""
    there = set(inspect(connection).get_table_names())
    found: list[str] = []
    kinds = (tables.hold, "hold", "lifted_at"), (tables.quarantine, "quarantine", "lifted_at"), (tables.owed_host, "owed host", "settled_at")
    for table, word, over in kinds:
        if table.name in there:
            query = select(table.c.identifier).where(table.c[over].is_(None)).order_by(table.c.identifier)
            found += [f"{word} {name}" for name in connection.execute(query).scalars()]
    return found


def busy(connection: Connection) -> list[str]:
    """Each lock that is held and each deployment that is open, in words."""
    now = read_clock(connection)
    held = and_(lock.c.owner.is_not(None), lock.c.released_at.is_(None), lock.c.expires_at > now)
    found = [
        f"the lock of {row.identifier} is held by {row.owner_name} until {row.expires_at:%H:%M:%S} UTC"
        for row in connection.execute(select(lock.c.identifier, lock.c.owner_name, lock.c.expires_at).where(held).order_by(lock.c.pk_lock))
    ]
    open_ones = select(deployment.c.identifier).where(deployment.c.status.in_(OPEN_STATUSES)).order_by(deployment.c.pk_deployment)
    return found + [f"the deployment {name} is open" for name in connection.execute(open_ones).scalars()]


def require_idle(label: str, found: Sequence[str]) -> None:
    """DeploymentLockedError when anybody works with the store."""
    if found:
        hint = "Wait for them, end them with the playbook fraisier.deploy.abort, or settle what was cut off with fraisier.deploy.recover; then restore again"
        raise DeploymentLockedError(f"{label} is in use: {'; '.join(found)}", hint=hint, context={"busy": list(found)})


def _events(connection: Connection, run: str) -> list[Event]:
    columns = (event.c.source, event.c.seq, event.c.at, event.c.type, event.c.host, event.c.data)
    rows = connection.execute(select(*columns).where(event.c.run == run).order_by(event.c.pk_event))
    return [Event(run, row.source, int(row.seq), row.at, row.type, None, row.host, dict(row.data)) for row in rows]


def claim(connection: Connection, owner: str, owner_name: str, seconds: float) -> None:
    """Take every lock, or raise when anybody has one or works on a deployment. No number is used up."""
    now = read_clock(connection)
    connection.execute(select(lock.c.pk_lock).order_by(lock.c.pk_lock).with_for_update()).all()
    require_idle("The store", busy(connection))
    values = {"owner": owner, "owner_name": bounded(owner_name, 255), "reason": "the store is being replaced by a backup", "token": lock.c.token + 1}
    times = {"acquired_at": now, "expires_at": now + timedelta(seconds=seconds), "released_at": None}
    connection.execute(update(lock).values(**values, **times, fk_deployment=None))


def give_back(connection: Connection, owner: str) -> None:
    """Free what :func:`claim` took."""
    connection.execute(update(lock).where(lock.c.owner == owner).values(released_at=read_clock(connection)))


def raise_tokens(connection: Connection, pairs: Sequence[tuple[str, str, str]], floor: int) -> list[str]:
    """Give every lock, also those of ``pairs`` that the backup does not know, a token of at least ``floor`` and set it free.

    Returns the deployments that were open when the backup was made.
    """
    now = read_clock(connection)
    for fraise, fraise_type, environment in pairs:
        locks.ensure_pair(connection, fraise, fraise_type, environment, now)
    freed = case((and_(lock.c.owner.is_not(None), lock.c.released_at.is_(None)), now), else_=lock.c.released_at)
    connection.execute(update(lock).where(or_(lock.c.token < floor, lock.c.released_at.is_(None))).values(released_at=freed))
    connection.execute(update(lock).where(lock.c.token < floor).values(token=floor))
    open_ones = select(deployment.c.identifier).where(deployment.c.status.in_(OPEN_STATUSES)).order_by(deployment.c.pk_deployment)
    return list(connection.execute(open_ones).scalars())
