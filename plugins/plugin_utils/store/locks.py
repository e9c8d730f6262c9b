# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a fraise in an environment: taken by one UPDATE, kept by heartbeats, given back by its owner only."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, or_, select, update
from sqlalchemy.engine import Connection, Row

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DeploymentLockedError, LeaseLostError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.chain import Deed, remember
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.clock import read_clock
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.rows import find_pair, insert_missing, named_key
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import Lease, LockRow, format_time, told_time

lock = tables.lock


def ensure_pair(connection: Connection, fraise: str, fraise_type: str, environment: str, now: datetime) -> Row[Any]:
    """The lock row of the pair; fraise, environment and a free lock are made when missing, a changed type of the fraise is noted."""
    fraise_key = named_key(connection, tables.fraise, fraise, {"type": fraise_type, "created_at": now})
    connection.execute(update(tables.fraise).where(tables.fraise.c.pk_fraise == fraise_key, tables.fraise.c.type != fraise_type).values(type=fraise_type))
    environment_key = named_key(connection, tables.environment, environment, {"created_at": now})
    query = select(lock).where(lock.c.fk_fraise == fraise_key, lock.c.fk_environment == environment_key)
    found = connection.execute(query).one_or_none()
    if found is None:
        row = {"fk_fraise": fraise_key, "fk_environment": environment_key, "token": 0, "reason": "", "last_number": 0}
        insert_missing(connection, lock, [{"id": uuid7(), "identifier": f"{fraise}:{environment}", **row}])
        found = connection.execute(query).one()
    return found


def take(connection: Connection, key: int, *, owner: str, owner_name: str, reason: str, seconds: float, now: datetime) -> bool:
    """Take the lock if it is free: never held, given back, or its lease has ended. The token outgrows every earlier one, those of a lost store too."""
    epoch = int(now.timestamp())
    free = or_(lock.c.owner.is_(None), lock.c.released_at.is_not(None), lock.c.expires_at <= now)
    taken = connection.execute(
        update(lock)
        .where(lock.c.pk_lock == key, free)
        .values(
            owner=owner,
            owner_name=owner_name,
            reason=reason,
            token=case((lock.c.token >= epoch, lock.c.token + 1), else_=epoch),
            acquired_at=now,
            expires_at=now + timedelta(seconds=seconds),
            released_at=None,
            fk_deployment=None,
            last_number=lock.c.last_number + 1,
        )
    )
    return taken.rowcount == 1


def renew(connection: Connection, lease: Lease, seconds: float) -> Lease:
    """Move the end of the lease; LeaseLostError when somebody else has the lock or had it since."""
    now = read_clock(connection)
    row = find_pair(connection, lease.fraise, lease.environment)
    expires_at = now + timedelta(seconds=seconds)
    if row is not None:
        renewed = connection.execute(update(lock).where(_own(row.pk_lock, lease.owner, lease.token)).values(expires_at=expires_at))
        if renewed.rowcount == 1:
            return Lease(lease.fraise, lease.environment, lease.owner, lease.token, expires_at, lease.acquired_at)
        row = find_pair(connection, lease.fraise, lease.environment)
    raise _lost(lease, row)


def _lost(lease: Lease, row: Row[Any] | None) -> LeaseLostError:
    context: dict[str, Any] = {"fraise": lease.fraise, "environment": lease.environment, "token": lease.token}
    if row is None:
        gone = f"The lock of {lease.fraise} in {lease.environment} is gone from the store"
        return LeaseLostError(gone, context=context, hint="Was the store replaced? Run it again")
    context |= {"owner": row.owner_name, "newer_token": row.token}
    if row.token == lease.token:
        what = "was given back"
    else:
        since = told_time(row.acquired_at) if row.acquired_at else "an unknown time"
        what = f"went to {row.owner_name} (token {row.token}, ours was {lease.token}) at {since}"
    hint = "This run changes nothing more; look at the history, then run it again"
    return LeaseLostError(f"The lock of {lease.fraise} in {lease.environment} {what}", context=context, hint=hint)


def _own(key: int, owner: str, token: int) -> Any:
    return and_(lock.c.pk_lock == key, lock.c.owner == owner, lock.c.token == token, lock.c.released_at.is_(None))


def release(connection: Connection, key: int, owner: str, token: int, now: datetime) -> bool:
    """Give the lock back if it is ours; whether it was."""
    return connection.execute(update(lock).where(_own(key, owner, token)).values(released_at=now)).rowcount == 1


def release_lease(connection: Connection, lease: Lease) -> bool:
    """``release`` by the lease's names."""
    row = find_pair(connection, lease.fraise, lease.environment)
    now = read_clock(connection)
    released = row is not None and release(connection, row.pk_lock, lease.owner, lease.token, now)
    if row is not None and released:
        told = {"by": row.owner_name, "fraise": lease.fraise, "environment": lease.environment}
        note_deed(connection, "lock.released", lease.owner, lease.token, now, told)
    return released


def note_deed(connection: Connection, what: str, run: str, token: int, at: datetime, told: dict[str, Any], deployment: str | None = None) -> None:
    """The audit knows of each taking and giving back of a lock; ``deployment``: a UUID."""
    remember(connection, Deed(uuid7(), f"{run}:{what}:{token}", at, what, {"token": token, **told}, deployment))


def read_lock(connection: Connection, fraise: str, environment: str) -> LockRow | None:
    """The lock as it is, or nothing when the pair was never deployed."""
    row = find_pair(connection, fraise, environment)
    return None if row is None else _lock_row(connection, row, fraise, environment)


def _lock_row(connection: Connection, row: Row[Any], fraise: str, environment: str) -> LockRow:
    deployment = tables.deployment
    identifier = connection.execute(select(deployment.c.identifier).where(deployment.c.pk_deployment == row.fk_deployment)).scalar_one_or_none()
    return LockRow(
        fraise=fraise,
        environment=environment,
        owner=row.owner,
        owner_name=row.owner_name,
        token=row.token,
        reason=row.reason,
        acquired_at=row.acquired_at,
        expires_at=row.expires_at,
        released_at=row.released_at,
        deployment=identifier,
        now=read_clock(connection),
    )


def require_free(connection: Connection, fraise: str, environment: str) -> None:
    """Raise when somebody has it now."""
    row = read_lock(connection, fraise, environment)
    if row is not None and row.held:
        raise locked(connection, fraise, environment)


def _interrupted(connection: Connection, identifier: str | None) -> bool:
    """Whether the record says already that a deployment was interrupted."""
    table = tables.deployment
    return connection.execute(select(table.c.status).where(table.c.identifier == identifier)).scalar_one_or_none() == "interrupted"


def locked(connection: Connection, fraise: str, environment: str) -> DeploymentLockedError:
    """Who has it, since when, why, and what one can do."""
    row = read_lock(connection, fraise, environment)
    if row is None or row.acquired_at is None or row.expires_at is None:
        return DeploymentLockedError(f"{fraise} in {environment} is locked", hint="Run it again")
    holder = f" for {row.deployment}" if row.deployment else ""
    frees = f"the lock frees itself at {told_time(row.expires_at)}"
    hint = f"Wait for it with -e wait=900; if that run is dead, {frees}"
    if _interrupted(connection, row.deployment):
        holder += ", which was interrupted"
        hint = (
            f"{frees[0].upper()}{frees[1:]}, for what is left of that run may still act. Then run fraisier.deploy.recover -e fraise={fraise}, or deploy again"
        )
    return DeploymentLockedError(
        f"{fraise} in {environment} is locked by {row.owner_name} since {told_time(row.acquired_at)}{holder}{f': {row.reason}' if row.reason else ''}",
        hint=hint,
        context={
            "fraise": fraise,
            "environment": environment,
            "owner": row.owner_name,
            "since": format_time(row.acquired_at),
            "reason": row.reason,
            "expires_at": format_time(row.expires_at),
            "deployment": row.deployment,
            "token": row.token,
        },
    )
