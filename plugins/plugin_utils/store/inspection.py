# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the store in order? Read only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table, func, inspect, select
from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables, views
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.clock import read_clock
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.guards import missing_guards
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.revisions import schema_state
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import OPEN_STATUSES


def inspect_store(connection: Connection) -> dict[str, Any]:
    """{ok, dialect, server, schema, missing, unguarded, orphans, stale_deployments, clock_skew_seconds, database_time}.

    ``ok``: schema known and whole, no orphans. ``unguarded``: triggers of the audit that are gone, None where this user cannot see triggers.
    """
    schema = schema_state(connection)
    missing = _missing(connection)
    orphans = 0 if missing else sum(_orphans(connection, table) for table in tables.metadata.sorted_tables)
    unguarded = [] if missing else missing_guards(connection)
    before = datetime.now(UTC)
    there = read_clock(connection)
    here = before + (datetime.now(UTC) - before) / 2
    return {
        "ok": schema.ready and not missing and not unguarded and not orphans,
        "dialect": connection.dialect.name,
        "server": ".".join(str(part) for part in connection.dialect.server_version_info or ()),
        "schema": {"current": schema.current, "head": schema.head, "pending": schema.pending, "empty": schema.empty, "newer": schema.newer},
        "missing": missing,
        "unguarded": unguarded,
        "orphans": orphans,
        "stale_deployments": [] if missing else _stale(connection, there),
        "clock_skew_seconds": round((there - here).total_seconds(), 3),
        "database_time": there,
    }


def table_rows(connection: Connection) -> dict[str, int]:
    """How many rows each table has, by its name."""
    return {table.name: int(connection.execute(select(func.count()).select_from(table)).scalar_one()) for table in tables.metadata.sorted_tables}


def _missing(connection: Connection) -> list[str]:
    inspector = inspect(connection)
    there = {*inspector.get_table_names(), *inspector.get_view_names()}
    return sorted({*tables.metadata.tables, *views.metadata.tables} - there)


def _orphans(connection: Connection, table: Table) -> int:
    """Rows whose parent is gone (written while foreign keys were off)."""
    total = 0
    for key in table.foreign_keys:
        parent = key.column.table.alias()
        query = (
            select(func.count())
            .select_from(table.outerjoin(parent, key.parent == parent.c[key.column.name]))
            .where(key.parent.is_not(None), parent.c[key.column.name].is_(None))
        )
        total += int(connection.execute(query).scalar_one())
    return total


def _stale(connection: Connection, now: datetime) -> list[str]:
    """Deployments that are open by their row, but nobody holds their lock: the next deployment of the pair marks them."""
    deployment, lock = tables.deployment, tables.lock
    held = (lock.c.fk_deployment == deployment.c.pk_deployment) & lock.c.released_at.is_(None) & (lock.c.expires_at > now)
    query = (
        select(deployment.c.identifier)
        .outerjoin(lock, held)
        .where(deployment.c.status.in_(OPEN_STATUSES), lock.c.pk_lock.is_(None))
        .order_by(deployment.c.pk_deployment)
    )
    return list(connection.execute(query).scalars())
