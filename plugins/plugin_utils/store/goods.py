# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What last served well: the version that a rollback goes back to."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.rows import find_pair
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import GoodRelease


def last_good(connection: Connection, fraise: str, environment: str, before: str | None = None) -> GoodRelease | None:
    """The newest deployment of the whole fraise that ended in success, leaving out those of version ``before``; its digest when a host told one."""
    deployment, host = tables.deployment, tables.deployment_host
    query = (
        select(deployment.c.pk_deployment, deployment.c.version, deployment.c.identifier)
        .join(tables.fraise, tables.fraise.c.pk_fraise == deployment.c.fk_fraise)
        .join(tables.environment, tables.environment.c.pk_environment == deployment.c.fk_environment)
        .where(tables.fraise.c.identifier == fraise, tables.environment.c.identifier == environment, deployment.c.status == "success")
        .where(deployment.c.scope == "whole")
        .order_by(deployment.c.number.desc())
        .limit(1)
    )
    if before is not None:
        query = query.where(deployment.c.version != before)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    digest = connection.execute(select(func.max(host.c.digest)).where(host.c.fk_deployment == row.pk_deployment)).scalar_one()
    return GoodRelease(row.version, digest, row.identifier)


def same_everywhere(connection: Connection, identifier: str) -> bool:
    """Whether every host of this deployment got its version (from it or from a later success), and none of them another content under that name."""
    deployment, host = tables.deployment, tables.deployment_host
    row = connection.execute(select(deployment).where(deployment.c.identifier == identifier)).one_or_none()
    if row is None:
        return False
    digests = select(func.count(host.c.digest.distinct())).where(host.c.fk_deployment == row.pk_deployment, host.c.state == "active")
    if connection.execute(digests).scalar_one() > 1:
        return False
    here = (deployment.c.fk_fraise == row.fk_fraise, deployment.c.fk_environment == row.fk_environment)
    reached = (
        select(host.c.host)
        .join(deployment, deployment.c.pk_deployment == host.c.fk_deployment)
        .where(*here, deployment.c.version == row.version, deployment.c.status == "success", host.c.state == "active")
    )
    missing = select(func.count()).select_from(host).where(host.c.fk_deployment == row.pk_deployment, host.c.host.not_in(reached))
    return bool(connection.execute(missing).scalar_one() == 0)


def quarantined(connection: Connection, fraise: str, environment: str) -> set[str]:
    """Versions of the pair that were turned back and that nobody has let out since."""
    pair, table = find_pair(connection, fraise, environment), tables.quarantine
    if pair is None:
        return set()
    here = (table.c.fk_fraise == pair.fk_fraise, table.c.fk_environment == pair.fk_environment)
    return {str(version) for version in connection.execute(select(table.c.version).where(*here, table.c.lifted_at.is_(None))).scalars()}
