# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What migrations use to be resumable where the database cannot undo DDL, and to write a view on any of the three databases."""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import Column, Constraint, inspect
from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.columns import TABLE_OPTIONS


def _resuming() -> Connection | None:
    """The connection when an earlier, killed migration may have left parts behind: only MySQL and MariaDB commit each DDL statement."""
    context = op.get_context()
    if context.as_sql or context.dialect.name not in ("mysql", "mariadb"):
        return None
    return context.bind


def create_table(name: str, *parts: Column[Any] | Constraint, indexes: tuple[tuple[str, tuple[str, ...]], ...] = ()) -> None:
    """Create ``tb_...`` with its indexes; what an interrupted migration made already is kept."""
    connection = _resuming()
    if connection is None or not inspect(connection).has_table(name):
        op.create_table(name, *parts, **TABLE_OPTIONS)
    for index, columns in indexes:
        create_index(index, name, columns)


def create_index(name: str, table: str, columns: tuple[str, ...]) -> None:
    """Create an index unless an interrupted migration made it already."""
    connection = _resuming()
    if connection is None or name not in {found["name"] for found in inspect(connection).get_indexes(table)}:
        op.create_index(name, table, list(columns))


def add_column(table: str, column: Column[Any]) -> None:
    """Add a column unless an interrupted migration did it already. It may be null, or has a constant as the server's default."""
    connection = _resuming()
    if connection is None or column.name not in {found["name"] for found in inspect(connection).get_columns(table)}:
        op.add_column(table, column)


def create_view(name: str, select: str) -> None:
    """Create or replace a view; ``select`` is standard SQL that all three databases take."""
    if op.get_context().dialect.name == "sqlite":
        op.execute(f"DROP VIEW IF EXISTS {name}")
        op.execute(f"CREATE VIEW {name} AS\n{select.strip()}")
    else:
        op.execute(f"CREATE OR REPLACE VIEW {name} AS\n{select.strip()}")


def create_trigger(name: str, table: str, when: str, body: str, *, compound: bool = False) -> None:
    """Create a trigger, in place of one that an interrupted migration made already.

    ``when`` is BEFORE UPDATE, for example, ``body`` what follows the table, in the dialect's own words.
    ``compound``: the body holds semicolons, which the client of MySQL and MariaDB would take for the statement's end.
    """
    context = op.get_context()
    statement = f"CREATE TRIGGER {name} {when} ON {table} {body}"
    committing = context.dialect.name in ("mysql", "mariadb")
    if committing:
        op.execute(f"DROP TRIGGER IF EXISTS {name}")
    if committing and compound and context.as_sql:
        context.impl.static_output("DELIMITER //\n")
        context.impl.static_output(f"{statement} //\n")
        context.impl.static_output("DELIMITER ;\n")
        return
    op.execute(statement)
