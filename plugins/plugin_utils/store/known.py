# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which fraises and environments the store has ever heard of: by their lock rows, which outlive what is pruned, their holds and their plans."""

from __future__ import annotations

from sqlalchemy import Select, or_, select
from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables

TOLD_BY = (tables.lock, tables.hold, tables.plan)


def known_environments(connection: Connection, fraise: str | None) -> list[str]:
    """Environments that anything was ever done in, or with ``fraise``; a hold of all of an environment counts for every fraise."""
    names: set[str] = set()
    for table in TOLD_BY:
        query: Select[tuple[str]] = select(tables.environment.c.identifier).distinct()
        query = query.join(table, table.c.fk_environment == tables.environment.c.pk_environment)
        if fraise is not None:
            query = query.outerjoin(tables.fraise, tables.fraise.c.pk_fraise == table.c.fk_fraise)
            query = query.where(or_(table.c.fk_fraise.is_(None), tables.fraise.c.identifier == fraise))
        names |= set(connection.execute(query).scalars())
    return sorted(names)


def known_fraises(connection: Connection) -> list[str]:
    """Fraises that were deployed, held or planned, in whatever environment."""
    return sorted(connection.execute(select(tables.fraise.c.identifier)).scalars())
