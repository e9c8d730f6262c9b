# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quarantined releases: turned back in an environment, so that deploying them there again needs a person's word."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, insert, or_, select, update
from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import bounded, optional

quarantine = tables.quarantine


def active(connection: Connection, fraise: str | None, environment: str | None) -> list[dict[str, Any]]:
    """Releases in quarantine, the newest first."""
    columns = (quarantine.c.version, quarantine.c.digest, quarantine.c.reason, quarantine.c.error_code, quarantine.c.placed_at)
    query = (
        select(
            *columns,
            tables.fraise.c.identifier.label("fraise"),
            tables.environment.c.identifier.label("environment"),
            tables.deployment.c.identifier.label("deployment"),
        )
        .join(tables.fraise, tables.fraise.c.pk_fraise == quarantine.c.fk_fraise)
        .join(tables.environment, tables.environment.c.pk_environment == quarantine.c.fk_environment)
        .outerjoin(tables.deployment, tables.deployment.c.pk_deployment == quarantine.c.fk_deployment)
        .where(quarantine.c.lifted_at.is_(None))
    )
    if fraise is not None:
        query = query.where(tables.fraise.c.identifier == fraise)
    if environment is not None:
        query = query.where(tables.environment.c.identifier == environment)
    return [dict(row) for row in connection.execute(query.order_by(quarantine.c.placed_at.desc(), quarantine.c.pk_quarantine.desc())).mappings()]


def known_digests(connection: Connection, fraise: str, version: str) -> list[str]:
    """Every digest under which a version was ever staged, in any environment."""
    query = select(tables.release.c.digest).join(tables.fraise, tables.fraise.c.pk_fraise == tables.release.c.fk_fraise)
    return list(connection.execute(query.where(tables.fraise.c.identifier == fraise, tables.release.c.version == version)).scalars())


def place(connection: Connection, deployment: Any, digests: Sequence[str | None], reason: str, error_code: str | None, now: datetime) -> None:
    """Put what a deployment (its row) has staged into quarantine; None is its version, whatever it holds. Told twice it is one."""
    for position, digest in enumerate(digests):
        name = f"{deployment.identifier}:{position}"
        if connection.execute(select(quarantine.c.pk_quarantine).where(quarantine.c.identifier == name)).first() is None:
            connection.execute(
                insert(quarantine).values(
                    id=uuid7(),
                    identifier=name,
                    fk_fraise=deployment.fk_fraise,
                    fk_environment=deployment.fk_environment,
                    fk_deployment=deployment.pk_deployment,
                    version=deployment.version,
                    digest=optional(digest, 200),
                    reason=bounded(reason),
                    error_code=optional(error_code, 64),
                    placed_at=now,
                )
            )


def lift(connection: Connection, deployment: Any, digests: Sequence[str], now: datetime) -> None:
    """A deployment (its row) of what is in quarantine has proved good: lift it."""
    proved = and_(quarantine.c.digest.is_(None), quarantine.c.version == deployment.version)
    connection.execute(
        update(quarantine)
        .where(
            quarantine.c.fk_fraise == deployment.fk_fraise,
            quarantine.c.fk_environment == deployment.fk_environment,
            quarantine.c.lifted_at.is_(None),
            or_(proved, quarantine.c.digest.in_(list(digests))),
        )
        .values(
            lifted_at=now,
            lifted_by=bounded(f"{deployment.identifier} of {deployment.user_name}", 255),
            lift_reason=bounded(deployment.override_reason or "deployed with success"),
        )
    )
