# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans and approvals: written down once, found by the start of their hash, bound to the deployment that applies them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, insert, or_, select, update
from sqlalchemy.engine import Connection, Row

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NotFoundError, PlanDriftedError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.approvals import require, standing
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.clock import read_clock
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.notes import note
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.rows import insert_missing, named_key
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.transactions import Transactions
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import ApprovalRequest, PlanRequest, PlanUse
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import JSON_LIMIT, bounded, dumps, storable

LONGEST_APPROVAL_SECONDS = 366 * 86400
RECENT_SUCCESSES = 10
plan, approval, deployment = tables.plan, tables.approval, tables.deployment


class Plans:
    """The store's plans. Each method is one transaction."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def make(self, request: PlanRequest) -> dict[str, Any]:
        """Write a plan down unless it is there; as :meth:`find` gives it, with ``made``: whether this call wrote it."""
        return self._transactions.write("writing a plan", lambda connection: make(connection, request))

    def find(self, start: str) -> dict[str, Any]:
        """The plan whose hash begins with ``start``: its columns, ``deployment`` and its ``status``, ``approvals`` and ``now``. NotFoundError without one."""
        return self._transactions.read("reading a plan", lambda connection: _told(connection, _find(connection, start), read_clock(connection)))

    def latest(self, fraise: str | None, environment: str | None, limit: int) -> list[dict[str, Any]]:
        """The newest plans first, as :meth:`find` gives them but for the document."""
        return self._transactions.read("reading plans", lambda connection: latest(connection, fraise, environment, limit))

    def admit(self, use: PlanUse) -> None:
        """Raise unless the plan may be applied now: PlanDriftedError when it was, NotApprovedError when too few stand behind it."""
        self._transactions.read("looking at a plan", lambda connection: admit(connection, use, read_clock(connection)))

    def approve(self, request: ApprovalRequest) -> dict[str, Any]:
        """Approve a plan from now on; the plan as :meth:`find` gives it, and ``expires_at``."""
        return self._transactions.write("approving a plan", lambda connection: approve(connection, request))

    def revoke(self, request: ApprovalRequest) -> dict[str, Any]:
        """Take back every approval in force, whoever gave it; the plan as :meth:`find` gives it, with ``revoked``, how many."""
        return self._transactions.write("revoking approvals", lambda connection: revoke(connection, request))

    def durations(self, fraise: str, environment: str) -> list[tuple[float, int]]:
        """(seconds, batches) of the newest whole deployments that brought another version with success."""
        return self._transactions.read("reading durations", lambda connection: durations(connection, fraise, environment))


def make(connection: Connection, request: PlanRequest) -> dict[str, Any]:
    """See :meth:`Plans.make`."""
    document = storable(request.document)
    size = len(dumps(document).encode())
    if size > JSON_LIMIT:
        raise ValidationError(f"The plan has {size} bytes, more than the store keeps of one", hint="Plan for fewer hosts at a time, with --limit")
    now = read_clock(connection)
    row = {
        "id": uuid7(),
        "identifier": request.hash,
        "fk_fraise": named_key(connection, tables.fraise, request.fraise, {"type": request.fraise_type, "created_at": now}),
        "fk_environment": named_key(connection, tables.environment, request.environment, {"created_at": now}),
        "version": request.version,
        "document": document,
        "expected_seconds": request.expected_seconds,
        "reason": bounded(request.reason),
        "user_name": bounded(request.user, 255),
        "made_at": now,
    }
    insert_missing(connection, plan, [row])
    found = _find(connection, request.hash)
    made = found.id == row["id"]
    if made:
        note(connection, request.run, "plan.made", {**_named(found), "by": request.user, "reason": request.reason}, now)
    return {**_told(connection, found, now), "made": made}


def _query() -> Select[Any]:
    """Plans with the names of what they belong to and the deployment that applied them."""
    names = tables.fraise.c.identifier.label("fraise"), tables.environment.c.identifier.label("environment")
    bound = deployment.c.identifier.label("deployment"), deployment.c.status
    return (
        select(plan, *names, *bound)
        .join(tables.fraise, tables.fraise.c.pk_fraise == plan.c.fk_fraise)
        .join(tables.environment, tables.environment.c.pk_environment == plan.c.fk_environment)
        .join(deployment, deployment.c.pk_deployment == plan.c.fk_deployment, isouter=True)
    )


def _find(connection: Connection, start: str) -> Row[Any]:
    rows = connection.execute(_query().where(plan.c.identifier.startswith(start, autoescape=True)).order_by(plan.c.identifier).limit(2)).all()
    if not rows:
        raise NotFoundError(f"No plan {start} in the store", hint="Look at the playbook fraisier.deploy.plans", context={"option": "plan", "value": start})
    if len(rows) > 1:
        named = ", ".join(row.identifier[: len(start) + 8] for row in rows)
        raise ValidationError(f"More than one plan begins with {start}: {named}, ...", hint="Give more of its hash", context={"option": "plan", "value": start})
    return rows[0]


def _told(connection: Connection, row: Row[Any], now: datetime) -> dict[str, Any]:
    columns = ("fraise", "environment", "version", "document", "expected_seconds", "reason", "user_name", "made_at", "applied_at", "deployment", "status")
    return {"hash": row.identifier, **{name: row._mapping[name] for name in columns}, "approvals": _approvals(connection, row.pk_plan), "now": now}


def _approvals(connection: Connection, key: int) -> list[dict[str, Any]]:
    columns = (approval.c.user_name, approval.c.reason, approval.c.approved_at, approval.c.expires_at, approval.c.revoked_at)
    return [dict(row) for row in connection.execute(select(*columns).where(approval.c.fk_plan == key).order_by(approval.c.pk_approval)).mappings()]


def latest(connection: Connection, fraise: str | None, environment: str | None, limit: int) -> list[dict[str, Any]]:
    """See :meth:`Plans.latest`."""
    query = _query().order_by(plan.c.made_at.desc(), plan.c.pk_plan.desc()).limit(limit)
    if fraise is not None:
        query = query.where(tables.fraise.c.identifier == fraise)
    if environment is not None:
        query = query.where(tables.environment.c.identifier == environment)
    now = read_clock(connection)
    found = [_told(connection, row, now) for row in connection.execute(query).all()]
    return [{**{name: value for name, value in told.items() if name != "document"}, "kind": told["document"].get("kind")} for told in found]


def admit(connection: Connection, use: PlanUse, now: datetime) -> Row[Any]:
    """The plan's row when it may be applied; see :meth:`Plans.admit`."""
    row = _find(connection, use.hash)
    if row.applied_at is not None and row.status in (None, "success"):
        by = f"with success by {row.deployment}" if row.deployment else "by a deployment that is no longer in the record"
        raise PlanDriftedError(
            f"Plan {use.hash[:12]} was applied {by}", hint="Make a new plan with fraisier.deploy.plan", context={"plan": use.hash, "deployment": row.deployment}
        )
    if use.approvals > 0:
        counted, refused = standing(_approvals(connection, row.pk_plan), row.user_name, own=use.own, now=now)
        require(use.approvals, use.hash, counted, refused)
    return row


def bind(connection: Connection, use: PlanUse, deployment_key: int, now: datetime) -> None:
    """In the transaction that opens the deployment: admit the plan and write down who applies it."""
    row = admit(connection, use, now)
    connection.execute(update(plan).where(plan.c.pk_plan == row.pk_plan).values(fk_deployment=deployment_key, applied_at=now))


def approve(connection: Connection, request: ApprovalRequest) -> dict[str, Any]:
    """See :meth:`Plans.approve`."""
    if not 0 < request.seconds <= LONGEST_APPROVAL_SECONDS:
        raise ValidationError(
            f"expires: {request.seconds:g} is not a time that an approval may last",
            hint=f"Give seconds, more than 0 and at most {LONGEST_APPROVAL_SECONDS}; the default is a day",
            context={"option": "expires", "value": request.seconds},
        )
    row = _find(connection, request.plan)
    if row.status == "success":
        hint = "Make a new plan with fraisier.deploy.plan"
        raise ValidationError(f"Plan {row.identifier[:12]} was applied with success by {row.deployment}; there is nothing left to approve", hint=hint)
    now = read_clock(connection)
    expires_at = now + timedelta(seconds=request.seconds)
    unique = uuid7()
    values = {"user_name": bounded(request.user, 255), "reason": bounded(request.reason), "approved_at": now, "expires_at": expires_at}
    connection.execute(insert(approval).values(id=unique, identifier=f"{row.identifier}:{unique}", fk_plan=row.pk_plan, **values))
    note(connection, request.run, "operator.approve", {**_named(row), "by": request.user, "reason": request.reason, "expires_at": expires_at}, now)
    return {**_told(connection, row, now), "expires_at": expires_at}


def revoke(connection: Connection, request: ApprovalRequest) -> dict[str, Any]:
    """See :meth:`Plans.revoke`."""
    row = _find(connection, request.plan)
    now = read_clock(connection)
    in_force = approval.c.fk_plan == row.pk_plan, approval.c.revoked_at.is_(None), approval.c.expires_at > now
    taken_back = connection.execute(select(approval.c.pk_approval, approval.c.user_name, approval.c.reason).where(*in_force).with_for_update()).all()
    if not taken_back:
        raise NotFoundError(f"Plan {row.identifier[:12]} has no approval in force", hint="Look at the playbook fraisier.deploy.plans")
    word = f"revoked by {request.user}" + (f": {request.reason}" if request.reason else "")
    for entry in taken_back:
        text = bounded(f"{entry.reason}; {word}" if entry.reason else word)
        connection.execute(update(approval).where(approval.c.pk_approval == entry.pk_approval).values(revoked_at=now, reason=text))
    told = {**_named(row), "by": request.user, "reason": request.reason, "approvals_of": [entry.user_name for entry in taken_back]}
    note(connection, request.run, "operator.revoke", told, now)
    return {**_told(connection, row, now), "revoked": len(taken_back)}


def _named(row: Row[Any]) -> dict[str, Any]:
    """What an event says of a plan."""
    return {"plan": row.identifier, "fraise": row.fraise, "environment": row.environment, "version": row.version}


def durations(connection: Connection, fraise: str, environment: str) -> list[tuple[float, int]]:
    """See :meth:`Plans.durations`."""
    query = (
        select(deployment.c.duration_seconds, deployment.c.plan)
        .join(tables.fraise, tables.fraise.c.pk_fraise == deployment.c.fk_fraise)
        .join(tables.environment, tables.environment.c.pk_environment == deployment.c.fk_environment)
        .where(
            tables.fraise.c.identifier == fraise,
            tables.environment.c.identifier == environment,
            deployment.c.status == "success",
            deployment.c.kind.in_(("deploy", "rollback")),
            deployment.c.duration_seconds.is_not(None),
            deployment.c.scope == "whole",
            # What brings nothing new is over in no time and says nothing of what a release takes.
            or_(deployment.c.previous_version.is_(None), deployment.c.previous_version != deployment.c.version),
        )
        .order_by(deployment.c.number.desc())
        .limit(RECENT_SUCCESSES)
    )
    return [(float(row.duration_seconds), len((row.plan or {}).get("batches") or [])) for row in connection.execute(query)]
