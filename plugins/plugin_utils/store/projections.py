# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an event changes in the tables of deployments, hosts, steps and checks.

An event may come late, out of order or half filled: what can be read of it is written, nothing here raises for its content.
The deployment's row is locked by the caller, so looking first and inserting after is safe.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, select, update
from sqlalchemy.engine import Connection, Row

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.clock import read_clock
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.late import Late
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import CLOSED_STATUSES, OPEN_STATUSES, Event, parse_time
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import bounded, document, mapping, number, optional, whole

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import commands, debts, hosts, locks, pasts, steps, undos
else:
    commands, debts, hosts = Late("commands"), Late("debts"), Late("hosts")
    locks, pasts, steps, undos = Late("locks"), Late("pasts"), Late("steps"), Late("undos")

deployment = tables.deployment


class Target:
    """The deployment that events tell of."""

    def __init__(self, row: Row[Any]) -> None:
        self.row = row
        self.key = int(row.pk_deployment)
        self.identifier = str(row.identifier)
        self.version = str(row.version)
        self.fraise_key = int(row.fk_fraise)


def project(connection: Connection, target: Target, event: Event) -> None:
    """Write what ``event`` means; types without a meaning here (playbook.*, gate.decided, later inventions) stay events only."""
    if event.type in ("step.intent", "step.outcome"):
        _step(connection, target, event)
    elif event.type == "deployment.closed":
        _close(connection, target, event)
        debts.note_end(connection, target.row, event)
    elif event.type == "deployment.interrupted":
        _interrupt(connection, target, event)
    elif event.type in ("deployment.paused", "deployment.resumed", "deployment.validating"):
        _pause(connection, target, event)
    elif event.type == "command.obeyed":
        commands.obey(connection, target.key, event)
    elif event.type == "deployment.recovered":
        pasts.note_recovery(connection, target.key, event.data)


def _step(connection: Connection, target: Target, event: Event) -> None:
    name = optional(event.data.get("step_id"), 128)
    if name is None or not event.host:
        return
    host = hosts.find(connection, target.key, target.identifier, event.host)
    if event.type == "step.intent":
        steps.intend(connection, target.key, host.pk_deployment_host, name, event)
        hosts.note_batch(connection, host, event)
        return
    step = steps.conclude(connection, target.key, host.pk_deployment_host, name, event)
    hosts.observe(connection, host, event, step.target_version or target.version)
    steps.store_checks(connection, target.key, host.pk_deployment_host, step, event)
    if step.step == "stage":
        steps.note_release(connection, target.fraise_key, event, target.version)


def _close(connection: Connection, target: Target, event: Event) -> None:
    """The run's own word about its end, also over ``interrupted`` (which somebody else concluded); never over an end it gave before."""
    data = event.data
    status, reason = str(data.get("status")), data.get("reason")
    if status not in CLOSED_STATUSES:
        status, reason = "failed", f"closed with an unknown status {status!r}: {reason}"
    error = mapping(data.get("error"))
    finished_at = event.at
    with suppress(KeyError, ValueError):
        finished_at = parse_time(str(data["finished_at"]))
    duration = number(data.get("duration"))
    ended = connection.execute(
        update(deployment)
        .where(deployment.c.pk_deployment == target.key, deployment.c.status.in_((*OPEN_STATUSES, "interrupted")))
        .values(
            status=status,
            status_reason=optional(reason),
            error_code=optional(error.get("code"), 64),
            error_category=optional(error.get("category"), 32),
            error_message=optional(error.get("message")),
            error=document(error) if error else None,
            finished_at=finished_at,
            duration_seconds=duration if duration is not None else max(0.0, (finished_at - target.row.started_at).total_seconds()),
        )
    )
    commands.unheard(connection, target.key, finished_at, "the deployment ended before its next gate")
    left = mapping(data.get("left"))
    if ended.rowcount == 1 and left:
        undos.leave(connection, target.row, left)
    token = whole(data.get("token"), 62)
    if token is not None:
        pair = and_(tables.lock.c.fk_fraise == target.row.fk_fraise, tables.lock.c.fk_environment == target.row.fk_environment)
        lock = connection.execute(select(tables.lock.c.pk_lock).where(pair)).scalar_one_or_none()
        now = read_clock(connection)
        if lock is not None and locks.release(connection, lock, str(data.get("owner")), token, now):
            locks.note_deed(connection, "lock.released", event.run, token, now, {"by": target.row.user_name}, target.row.id)


def _pause(connection: Connection, target: Target, event: Event) -> None:
    """A deployment waits for an operator, goes on, or is watched after its last batch; one that has ended stays ended."""
    paused = event.type == "deployment.paused"
    before, after = {
        "deployment.paused": (("in_progress", "validating"), "paused"),
        "deployment.resumed": (("paused",), "validating" if event.data.get("validating") else "in_progress"),
        "deployment.validating": (("in_progress",), "validating"),
    }[event.type]
    connection.execute(
        update(deployment)
        .where(deployment.c.pk_deployment == target.key, deployment.c.status.in_(before))
        .values(status=after, status_reason=optional(event.data.get("reason")) if paused else None)
    )


def _interrupt(connection: Connection, target: Target, event: Event) -> None:
    """The lock stays: workers of the dead controller may still be at it until the lease ends."""
    connection.execute(
        update(deployment)
        .where(deployment.c.pk_deployment == target.key, deployment.c.status.in_(OPEN_STATUSES))
        .values(
            status="interrupted",
            status_reason=bounded(event.data.get("reason")) or None,
            finished_at=event.at,
            duration_seconds=max(0.0, (event.at - target.row.started_at).total_seconds()),
        )
    )
    commands.unheard(connection, target.key, event.at, "the controller of the deployment ended")
