# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of which nobody knows what they serve: a change of them was begun, and no answer was heard since."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.clock import read_clock
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import OPEN_STATUSES

CHANGING = ("activate", "revert")
TELLING = ("ok", "unchanged", "reverted")
"""Outcomes of a step that tell what the host serves."""


def _doubtful(step: Any) -> Any:
    """A change without an outcome, or with one that no host has told (its connection broke)."""
    unanswered = and_(step.c.outcome.in_(("failed", "unreachable")), step.c.changed.is_(None))
    return and_(step.c.step.in_(CHANGING), or_(step.c.finished_at.is_(None), unanswered))


def cut_off(connection: Connection, fraise: str | None, environment: str | None) -> list[dict[str, Any]]:
    """{fraise, environment, host, deployment, version: what it was to serve} of each such host. A deployment that goes on is still at it: none of its hosts."""
    step, host, deployment, lock = tables.step, tables.deployment_host, tables.deployment, tables.lock
    later_step, later_host, later = step.alias(), host.alias(), deployment.alias()
    heard = (
        exists()
        .where(later_step.c.fk_deployment_host == later_host.c.pk_deployment_host, later_host.c.fk_deployment == later.c.pk_deployment)
        .where(later.c.fk_fraise == deployment.c.fk_fraise, later.c.fk_environment == deployment.c.fk_environment)
        .where(later_host.c.host == host.c.host, later_step.c.pk_step > step.c.pk_step)
        .where(or_(later_step.c.outcome.in_(TELLING), _doubtful(later_step)))
    )
    pair = and_(lock.c.fk_fraise == deployment.c.fk_fraise, lock.c.fk_environment == deployment.c.fk_environment)
    held = and_(lock.c.fk_deployment == deployment.c.pk_deployment, lock.c.released_at.is_(None), lock.c.expires_at > read_clock(connection))
    names = tables.fraise.c.identifier.label("fraise"), tables.environment.c.identifier.label("environment")
    query = (
        select(*names, host.c.host, deployment.c.identifier.label("deployment"), step.c.target_version.label("version"))
        .join(host, host.c.pk_deployment_host == step.c.fk_deployment_host)
        .join(deployment, deployment.c.pk_deployment == host.c.fk_deployment)
        .join(tables.fraise, tables.fraise.c.pk_fraise == deployment.c.fk_fraise)
        .join(tables.environment, tables.environment.c.pk_environment == deployment.c.fk_environment)
        .join(lock, pair)
        .where(_doubtful(step), ~heard)
        .where(~and_(deployment.c.status.in_(OPEN_STATUSES), held))
        .order_by(tables.fraise.c.identifier, tables.environment.c.identifier, host.c.host)
    )
    for name, value in zip(names, (fraise, environment), strict=True):
        query = query if value is None else query.where(name.element == value)
    return [dict(row) for row in connection.execute(query).mappings()]
