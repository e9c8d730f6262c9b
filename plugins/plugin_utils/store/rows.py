# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Insert-if-missing in the dialects' own words, and finding rows by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, insert, select
from sqlalchemy.engine import Connection, Row

from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables


def insert_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert those of ``rows`` whose unique key is not there. The number of rows a database reports for this means nothing, so none is returned."""
    if not rows:
        return
    dialect = connection.dialect.name
    if dialect == "mysql":
        from sqlalchemy.dialects import mysql

        unchanged = table.primary_key.columns.values()[0]
        statement: Any = mysql.insert(table)
        connection.execute(statement.on_duplicate_key_update({unchanged.name: unchanged}), list(rows))
    elif dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        connection.execute(postgresql.insert(table).on_conflict_do_nothing(), list(rows))
    else:
        from sqlalchemy.dialects import sqlite

        connection.execute(sqlite.insert(table).on_conflict_do_nothing(), list(rows))


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """As :func:`insert_missing`, for tables that a controller may only add to.

    MySQL and MariaDB have no such insert without the right to change rows: there a row that came meanwhile is a conflict, so the transaction is repeated.
    """
    if connection.dialect.name != "mysql":
        insert_missing(connection, table, rows)
    elif rows:
        connection.execute(insert(table), list(rows))


def find_pair(connection: Connection, fraise: str, environment: str) -> Row[Any] | None:
    """The lock row of a pair (with the keys of its fraise and environment), or nothing when the pair was never deployed."""
    query = (
        select(tables.lock)
        .join(tables.fraise, tables.fraise.c.pk_fraise == tables.lock.c.fk_fraise)
        .join(tables.environment, tables.environment.c.pk_environment == tables.lock.c.fk_environment)
        .where(tables.fraise.c.identifier == fraise, tables.environment.c.identifier == environment)
    )
    return connection.execute(query).one_or_none()


def named_key(connection: Connection, table: Table, name: str, values: Mapping[str, Any]) -> int:
    """``pk_`` of the row with that identifier, inserted with ``values`` when missing."""
    key = table.primary_key.columns.values()[0]
    query = select(key).where(table.c.identifier == name)
    found = connection.execute(query).scalar_one_or_none()
    if found is None:
        insert_missing(connection, table, [{"id": uuid7(), "identifier": name, **values}])
        found = connection.execute(query).scalar_one()
    return int(found)
