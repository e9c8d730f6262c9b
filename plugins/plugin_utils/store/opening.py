# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening a deployment: the lock, the number and every row of it in one transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import and_, insert, select, update
from sqlalchemy.engine import Connection, Row

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DeploymentError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import commands, locks, plans, tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.admission import Admit, admission_facts
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.clock import read_clock
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.goods import last_good
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.names import check_name, check_pair
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.notes import note
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import KINDS, OPEN_STATUSES, SCOPES, Lease, Opened, OpenRequest, format_time
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import HOST_LIMIT, NAME_LIMIT, bounded, document, optional

deployment = tables.deployment


def check_request(request: OpenRequest) -> None:
    """ValidationError for a request that could not be stored as it is; names are never cut short."""
    check_name("version", request.version, NAME_LIMIT)
    for name, value in {"provider": request.provider, "strategy": request.strategy, "run": request.run, "owner": request.owner}.items():
        check_name(name, value, 64)
    check_name("fraise type", request.fraise_type, 32)
    for host in request.hosts:
        check_name("host", host, HOST_LIMIT)
    check_pair(request.fraise, request.environment)
    if len(set(request.hosts)) != len(request.hosts):
        raise ValidationError("A host is named twice", hint="Name each host once")
    if request.kind not in KINDS:
        raise ValidationError(f"A deployment is of the kind {' or '.join(KINDS)}, not {request.kind!r}")
    if request.scope not in SCOPES:
        raise ValidationError(f"A deployment covers the fleet as {' or '.join(SCOPES)}, not {request.scope!r}")
    if not 0 < request.lease_seconds <= 86400:
        raise ValidationError(f"A lease lasts more than 0 and at most 86400 seconds, not {request.lease_seconds!r}")
    if request.at.tzinfo is None:
        raise ValidationError("The time of a request bears a time zone")


def open_deployment(connection: Connection, request: OpenRequest, admit: Admit | None = None) -> Opened:
    """Take the lock and write what is known, or raise DeploymentLockedError. Asking again with the same run and owner gives the same answer again.

    ``admit`` is asked once the lock is taken, for only then nothing else can close with an undo between the question and the opening.
    """
    now = read_clock(connection)
    pair = locks.ensure_pair(connection, request.fraise, request.fraise_type, request.environment, now)
    taken = locks.take(
        connection,
        pair.pk_lock,
        owner=request.owner,
        owner_name=bounded(request.owner_name, 255),
        reason=bounded(request.reason),
        seconds=request.lease_seconds,
        now=now,
    )
    lock = connection.execute(select(tables.lock).where(tables.lock.c.pk_lock == pair.pk_lock)).one()
    if not taken:
        before = _opened_before(connection, request, lock)
        if before is None:
            raise locks.locked(connection, request.fraise, request.environment)
        return before
    passed = admit(admission_facts(connection, request.fraise, request.environment, request.version)) if admit else []
    mark_stale(connection, lock, now, request.owner_name)
    if request.must_follow is not None and lock.last_number != request.must_follow + 1:
        raise DeploymentError(f"Another deployment of {request.fraise} was opened meanwhile", hint="Run it again: it looks at the record anew")
    good = last_good(connection, request.fraise, request.environment)
    return _write(connection, request, lock, now, good.version if good else None, passed)


def _opened_before(connection: Connection, request: OpenRequest, lock: Row[Any]) -> Opened | None:
    """What the same request got already: its answer was lost on the way."""
    if lock.owner != request.owner or lock.fk_deployment is None:
        return None
    row = connection.execute(select(deployment).where(deployment.c.pk_deployment == lock.fk_deployment)).one_or_none()
    if row is None or (row.run, row.kind, row.version) != (request.run, request.kind, request.version) or row.status not in OPEN_STATUSES:
        return None
    return Opened(row.id, row.identifier, row.number, row.previous_version, _lease(request, lock))


def _lease(request: OpenRequest, lock: Row[Any]) -> Lease:
    return Lease(request.fraise, request.environment, lock.owner, lock.token, lock.expires_at, lock.acquired_at)


def mark_stale(connection: Connection, lock: Row[Any], now: datetime, owner_name: str) -> None:
    """Deployments of the pair that nobody holds the lock for any more were interrupted. When they stopped is not known, so they get no duration."""
    stale = and_(
        deployment.c.fk_fraise == lock.fk_fraise,
        deployment.c.fk_environment == lock.fk_environment,
        deployment.c.status.in_(OPEN_STATUSES),
    )
    rows = connection.execute(select(deployment.c.pk_deployment, deployment.c.id, deployment.c.run).where(stale).order_by(deployment.c.pk_deployment)).all()
    reason = f"its lease ended without a word; found by {bounded(owner_name, 255)}"
    for row in rows:
        connection.execute(
            update(deployment).where(deployment.c.pk_deployment == row.pk_deployment).values(status="interrupted", status_reason=reason, finished_at=now)
        )
        commands.unheard(connection, row.pk_deployment, now, "the controller of the deployment ended")
        note(connection, row.run, "deployment.interrupted", {"reason": reason}, now, key=row.pk_deployment, deployment=row.id)


def _write(connection: Connection, request: OpenRequest, lock: Row[Any], now: datetime, previous: str | None, passed: list[dict[str, Any]]) -> Opened:
    identifier = f"{request.fraise}:{request.environment}:{lock.last_number}"
    deployment_id = uuid7()
    values = {
        "id": deployment_id,
        "identifier": identifier,
        "fk_fraise": lock.fk_fraise,
        "fk_environment": lock.fk_environment,
        "number": lock.last_number,
        "run": request.run,
        "owner": request.owner,
        "owner_name": bounded(request.owner_name, 255),
        "token": lock.token,
        "kind": request.kind,
        "version": request.version,
        "previous_version": previous,
        "provider": request.provider,
        "strategy": request.strategy,
        "reason": bounded(request.reason),
        "user_name": bounded(request.user, 255),
        "status": "in_progress",
        "plan": document(request.plan),
        "options": document(request.options),
        "scope": request.scope,
        "resumes": request.resumes,
        "override_reason": optional(request.override),
        "requested_at": request.at,
        "started_at": now,
    }
    key = _inserted(connection.execute(insert(deployment).values(**values)))
    if request.applies is not None:
        plans.bind(connection, request.applies, key, now)
    connection.execute(update(tables.lock).where(tables.lock.c.pk_lock == lock.pk_lock).values(fk_deployment=key))
    hosts = [{"id": uuid7(), "identifier": f"{identifier}:{host}", "fk_deployment": key, "host": host, "state": "pending"} for host in request.hosts]
    if hosts:
        connection.execute(insert(tables.deployment_host), hosts)
    lease = _lease(request, lock)
    told = {name: values[name] for name in ("identifier", "kind", "version", "previous_version", "token")} | {"hosts": request.hosts}
    taken = {"by": values["user_name"], "owner": request.owner, "owner_name": values["owner_name"], "expires_at": format_time(lock.expires_at)}
    locks.note_deed(connection, "lock.taken", request.run, lock.token, now, taken, deployment_id)
    note(connection, request.run, "deployment.opened", told, now, key=key, deployment=deployment_id)
    if passed:
        told = {"by": values["user_name"], "reason": values["override_reason"], "passed": passed}
        note(connection, request.run, "override.used", told, now, key=key, deployment=deployment_id)
    return Opened(deployment_id, identifier, lock.last_number, previous, lease)


def _inserted(result: Any) -> int:
    return int(result.inserted_primary_key[0])
