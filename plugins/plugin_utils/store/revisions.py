# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which schema a store has; without Alembic, since every run asks."""

from __future__ import annotations

from sqlalchemy import column, inspect, select, table
from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.tables import HEAD_REVISION, REVISIONS
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import SchemaState

_VERSION_TABLE = table("alembic_version", column("version_num"))


def current_revision(connection: Connection) -> str | None:
    """The revision of the store; nothing when it was never migrated."""
    if not inspect(connection).has_table(_VERSION_TABLE.name):
        return None
    return connection.execute(select(_VERSION_TABLE.c.version_num)).scalar_one_or_none()


def schema_state(connection: Connection) -> SchemaState:
    """The store's revision against what this collection knows."""
    current = current_revision(connection)
    if current == HEAD_REVISION:
        return SchemaState(current, HEAD_REVISION, [], empty=False)
    known = list(REVISIONS)
    if current is None:
        return SchemaState(None, HEAD_REVISION, known, empty=True)
    if current not in known:
        return SchemaState(current, HEAD_REVISION, [], empty=False, newer=True)
    return SchemaState(current, HEAD_REVISION, known[known.index(current) + 1 :], empty=False)
