# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which plans a prune may forget: those that nobody can or will apply any more. Their approvals go with them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select
from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.clock import read_clock

AT_ONCE = 500
UNAPPLIED_DAYS = 30
"""A plan that was never applied stays so long at least, whatever the limit of the prune."""
TELLING = ("plan.made", "operator.approve", "operator.revoke")
plan, approval, event = tables.plan, tables.approval, tables.event


def outlived(connection: Connection, before: datetime, *, limit: int | None = None, deployments: Sequence[int] = ()) -> list[int]:
    """Keys of plans from before ``before`` that may go, those that ``deployments`` (which go, too) applied among them.

    One that was applied goes when the deployment that did it is forgotten. One that was not stays while an approval of it is in force, and for UNAPPLIED_DAYS.
    """
    now = read_clock(connection)
    in_force = exists().where(approval.c.fk_plan == plan.c.pk_plan, approval.c.revoked_at.is_(None), approval.c.expires_at > now)
    applied = and_(plan.c.applied_at.is_not(None), or_(plan.c.fk_deployment.is_(None), plan.c.fk_deployment.in_(deployments)))
    forgotten = and_(plan.c.applied_at.is_(None), plan.c.made_at < now - timedelta(days=UNAPPLIED_DAYS), ~in_force)
    query = select(plan.c.pk_plan).where(plan.c.made_at < before, or_(applied, forgotten)).order_by(plan.c.pk_plan)
    return list(connection.execute(query.limit(limit) if limit else query).scalars())


def forget(connection: Connection, before: datetime) -> int:
    """Remove some of them, with their approvals; how many. They are chosen in the transaction that removes them: one that was approved meanwhile stays."""
    keys = outlived(connection, before, limit=AT_ONCE)
    if keys:
        connection.execute(delete(approval).where(approval.c.fk_plan.in_(keys)))
        connection.execute(delete(plan).where(plan.c.pk_plan.in_(keys)))
    return len(keys)


def of_no_plan(going: Sequence[int] = ()) -> ColumnElement[bool]:
    """Events that do not tell of a plan which stays; ``going``: keys of plans that will not."""
    named: Any = event.c.data["plan"].as_string()
    staying = exists().where(plan.c.identifier == named)
    if going:
        staying = staying.where(plan.c.pk_plan.not_in(going))
    return or_(event.c.type.not_in(TELLING), ~staying)
