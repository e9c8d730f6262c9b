# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds: what stands in the way of deployments of a fraise, or of all of an environment, until a person lifts it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, insert, or_, select, update
from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NotFoundError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.clock import read_clock
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.names import check_pair
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.notes import note
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.rows import named_key
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import HoldRequest
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import bounded

hold = tables.hold
PERSON, UNDO, REPEATED_UNDO = "person", "undo", "repeated_undo"


def _rows() -> Select[Any]:
    return (
        select(
            *(hold.c.identifier, hold.c.kind, hold.c.reason, hold.c.placed_by, hold.c.placed_at, hold.c.expires_at),
            tables.fraise.c.identifier.label("fraise"),
            tables.environment.c.identifier.label("environment"),
            tables.deployment.c.identifier.label("deployment"),
        )
        .join(tables.environment, tables.environment.c.pk_environment == hold.c.fk_environment)
        .outerjoin(tables.fraise, tables.fraise.c.pk_fraise == hold.c.fk_fraise)
        .outerjoin(tables.deployment, tables.deployment.c.pk_deployment == hold.c.fk_deployment)
    )


def _in_force(now: datetime) -> tuple[Any, ...]:
    return hold.c.lifted_at.is_(None), or_(hold.c.expires_at.is_(None), hold.c.expires_at > now)


def active(connection: Connection, fraise: str | None, environment: str | None, now: datetime) -> list[dict[str, Any]]:
    """Holds that nobody has lifted and that have not ended; of a fraise those of its whole environment, too. The newest first."""
    query = _rows().where(*_in_force(now))
    if environment is not None:
        query = query.where(tables.environment.c.identifier == environment)
    if fraise is not None:
        query = query.where(or_(hold.c.fk_fraise.is_(None), tables.fraise.c.identifier == fraise))
    return [dict(row) for row in connection.execute(query.order_by(hold.c.placed_at.desc(), hold.c.pk_hold.desc())).mappings()]


def figures(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """For each pair that was ever deployed, whether a hold stands in its way (1 or 0)."""
    now, lock = read_clock(connection), tables.lock
    holding = select(hold.c.fk_environment, hold.c.fk_fraise).where(*_in_force(now))
    held = {(row.fk_environment, row.fk_fraise) for row in connection.execute(holding)}
    query = (
        select(tables.fraise.c.identifier.label("fraise"), tables.environment.c.identifier.label("environment"), lock.c.fk_environment, lock.c.fk_fraise)
        .join(tables.fraise, tables.fraise.c.pk_fraise == lock.c.fk_fraise)
        .join(tables.environment, tables.environment.c.pk_environment == lock.c.fk_environment)
    )
    pairs = [(row.fraise, row.environment, {(row.fk_environment, row.fk_fraise), (row.fk_environment, None)}) for row in connection.execute(query)]
    return {"locked": [{"fraise": fraise, "environment": environment, "value": int(bool(ways & held))} for fraise, environment, ways in pairs]}


def place(connection: Connection, request: HoldRequest) -> dict[str, Any]:
    """A person's hold, as its row."""
    check_pair(request.fraise, request.environment)
    now = read_clock(connection)
    environment_key = named_key(connection, tables.environment, request.environment, {"created_at": now})
    fraise_key = None
    if request.fraise is not None:
        # One that was never deployed has no type yet; its first deployment notes the true one.
        fraise_key = named_key(connection, tables.fraise, request.fraise, {"type": "api", "created_at": now})
    unique = uuid7()
    name = f"{request.fraise or 'all'}:{request.environment}:{PERSON}:{unique[-12:]}"
    values = {
        "kind": PERSON,
        "reason": bounded(request.reason),
        "placed_by": bounded(request.user, 255),
        "placed_at": now,
        "expires_at": None if request.seconds is None else now + timedelta(seconds=request.seconds),
    }
    connection.execute(insert(hold).values(id=unique, identifier=name, fk_fraise=fraise_key, fk_environment=environment_key, **values))
    told = {"hold": name, "fraise": request.fraise, "environment": request.environment, "by": values["placed_by"], **values}
    note(connection, request.run, "operator.lock", told, now)
    return dict(connection.execute(_rows().where(hold.c.identifier == name)).mappings().one())


def place_after(connection: Connection, deployment: Any, fraise_environment: str, kind: str, reason: str, now: datetime) -> None:
    """A hold that a deployment left (its row); told twice it is one."""
    name = f"{fraise_environment}:{kind}:{deployment.number}"
    if connection.execute(select(hold.c.pk_hold).where(hold.c.identifier == name)).first() is not None:
        return
    connection.execute(
        insert(hold).values(
            id=uuid7(),
            identifier=name,
            fk_fraise=deployment.fk_fraise,
            fk_environment=deployment.fk_environment,
            fk_deployment=deployment.pk_deployment,
            kind=kind,
            reason=bounded(reason),
            placed_by=bounded(f"{deployment.identifier} of {deployment.user_name}", 255),
            placed_at=now,
        )
    )


def meant(connection: Connection, request: HoldRequest, now: datetime) -> list[dict[str, Any]]:
    """The holds in force that a request speaks of, oldest first. NotFoundError when it names one that is not there."""
    query = _rows().where(*_in_force(now), tables.environment.c.identifier == request.environment)
    query = query.where(tables.fraise.c.identifier == request.fraise) if request.fraise is not None else query.where(hold.c.fk_fraise.is_(None))
    if request.hold is not None:
        query = query.where(hold.c.identifier == request.hold)
    found = [dict(row) for row in connection.execute(query.order_by(hold.c.pk_hold)).mappings()]
    if request.hold is not None and not found:
        raise NotFoundError(
            f"hold: there is no hold {request.hold} of {request.fraise or 'the whole environment'} in {request.environment}",
            hint="See the playbook fraisier.deploy.status for those that there are",
            context={"option": "hold", "value": request.hold},
        )
    return found


def lift(connection: Connection, request: HoldRequest) -> list[dict[str, Any]]:
    """Lift what is meant; what was lifted by this very call."""
    now = read_clock(connection)
    values = {"lifted_at": now, "lifted_by": bounded(request.user, 255), "lift_reason": bounded(request.reason)}
    lifted = []
    for row in meant(connection, request, now):
        done = connection.execute(update(hold).where(hold.c.identifier == row["identifier"], hold.c.lifted_at.is_(None)).values(**values))
        if done.rowcount == 1:
            lifted.append(row)
            told = {"hold": row["identifier"], "fraise": row["fraise"], "environment": row["environment"], "by": values["lifted_by"]}
            note(connection, request.run, "operator.unlock", {**told, "reason": values["lift_reason"], "lifted": row}, now)
    return lifted
