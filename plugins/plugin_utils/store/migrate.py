# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schema migrations by Alembic: under a lock, resumable, and as text for a DBA."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import SQLAlchemyError

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError, FraisierError, MigrationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.engine import WRITE, make_engine
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.failures import OTHER, kind_of, reason, translate
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.revisions import current_revision
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.urls import describe

FOLDER = Path(__file__).resolve().parents[3] / "migrations"
LOCK_NAME = "fraisier_migrations"
LOCK_NUMBER = 0x66726169736965
"""The same lock for PostgreSQL, which wants a number: "fraisie" in ASCII."""
DIALECTS = ("sqlite", "postgresql", "mysql")


def _config(output: io.StringIO | None = None) -> Config:
    config = Config(output_buffer=output if output is not None else io.StringIO())
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


def known_revisions() -> list[str]:
    """All revisions in migrations/, oldest first."""
    script = ScriptDirectory.from_config(_config())
    return [revision.revision for revision in reversed(list(script.walk_revisions()))]


def migrate(url: URL, timeout: float) -> list[str]:
    """Bring the schema to the newest revision; the revisions that were run. ``timeout``: seconds to wait for another migration, and for each statement."""
    engine = make_engine(url, timeout=timeout)
    try:
        with engine.execution_options(**{WRITE: True}).connect() as connection, _lock(connection, timeout):
            return _upgrade(connection, url)
    except SQLAlchemyError as error:
        if kind_of(error) != OTHER:
            raise translate(error, url, "migrating the schema") from None
        raise MigrationError(f"{describe(url)} could not be migrated: {reason(error, url)}", hint=_after_failure(engine), cause=error) from None
    finally:
        engine.dispose()


def _after_failure(engine: Engine) -> str:
    if engine.dialect.name == "mysql":
        return "Remove the cause and migrate again: it goes on where it stopped"
    return "Nothing was changed; remove the cause and migrate again"


def _upgrade(connection: Connection, url: URL) -> list[str]:
    revisions = known_revisions()
    current = current_revision(connection)
    if current is not None and current not in revisions:
        raise newer(url, current, revisions[-1])
    pending = revisions[revisions.index(current) + 1 :] if current is not None else revisions
    if pending:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return pending


def newer(url: URL, current: str, head: str) -> FraisierError:
    """The store was migrated by a later version of the collection."""
    return MigrationError(
        f"{describe(url)} has schema {current}, which this version of fraisier.deploy does not know (it knows up to {head})",
        hint="Update the collection fraisier.deploy on this controller",
        context={"current": current, "head": head},
    )


@contextmanager
def _lock(connection: Connection, timeout: float) -> Iterator[None]:
    """One migration at a time. On SQLite and PostgreSQL all of it is one transaction; MySQL and MariaDB commit by themselves: there the session has it."""
    dialect = connection.dialect.name
    if dialect == "mysql":
        # Such a lock counts for the whole server, so its name holds the database's.
        query = text("SELECT GET_LOCK(CONCAT(:name, '.', LEFT(SHA2(DATABASE(), 256), 32)), :seconds)")
        got = connection.execute(query, {"name": LOCK_NAME, "seconds": timeout * 0.7}).scalar()
        connection.commit()
        if got != 1:
            raise MigrationError("Another migration of this store is still running", recoverable=True, hint="Wait for it, then migrate again")
        # Closing the session frees the lock; it must not go back to the pool with it.
        try:
            yield
            connection.commit()
        finally:
            connection.detach()
        return
    # "begin" takes the write lock on SQLite.
    with connection.begin():
        if dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK_NUMBER})
        yield


def offline_sql(dialect: str) -> str:
    """The SQL of all migrations for one kind of database, for a DBA to read and apply to an empty database."""
    name = "mysql" if dialect == "mariadb" else dialect
    if name not in DIALECTS:
        raise ConfigurationError(f"There is no SQL for {dialect!r}", hint=f"Name one of: {', '.join(DIALECTS)}")
    output = io.StringIO()
    config = _config(output)
    config.attributes["dialect"] = name
    command.upgrade(config, "head", sql=True)
    return f"-- fraisier.deploy store for {name}, schema {known_revisions()[-1]}. Apply once, to an empty database.\n\n{output.getvalue()}"
