# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic environment. ``Store.migrate`` hands in a connection that already holds the migration lock; ``Store.offline_sql`` asks for text only."""

from __future__ import annotations

from alembic import context


def run() -> None:
    """Run the migrations in the mode that the caller prepared."""
    connection = context.config.attributes.get("connection")
    if context.is_offline_mode():
        dialect = context.config.attributes["dialect"]
        context.configure(dialect_name=dialect, literal_binds=True, transactional_ddl=dialect != "mysql")
    else:
        context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()


run()
