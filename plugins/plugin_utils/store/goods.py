# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What last served well: the version that a rollback goes back to."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import GoodRelease


def last_good(connection: Connection, fraise: str, environment: str, before: str | None = None) -> GoodRelease | None:
    """The newest deployment of the pair that ended in success, leaving out those of version ``before``; its digest when a host told one."""
    deployment, host = tables.deployment, tables.deployment_host
    query = (
        select(deployment.c.pk_deployment, deployment.c.version, deployment.c.identifier)
        .join(tables.fraise, tables.fraise.c.pk_fraise == deployment.c.fk_fraise)
        .join(tables.environment, tables.environment.c.pk_environment == deployment.c.fk_environment)
        .where(tables.fraise.c.identifier == fraise, tables.environment.c.identifier == environment, deployment.c.status == "success")
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
