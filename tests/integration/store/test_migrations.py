# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations on real databases: what is made, what a DBA is given, what a killed migration leaves."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, event, inspect, text
from sqlalchemy.engine import URL, Engine, make_url

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DatabaseError, MigrationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store, engine, migrate, tables, views
from tests.unit.plugins.plugin_utils.store.builders import Run

TRIGGERS = {
    "sqlite": "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name",
    "postgresql": "SELECT tgname, tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname",
    "mysql": "SELECT trigger_name, event_object_table, action_timing, event_manipulation, action_statement FROM information_schema.triggers"
    " WHERE trigger_schema = DATABASE() ORDER BY trigger_name",
}


def _portrait(store: Store) -> dict[str, Any]:
    """Everything that the database says about its own schema."""
    with store._engine.connect() as connection:
        inspector = inspect(connection)
        found: dict[str, Any] = {}
        for table in sorted(inspector.get_table_names()):
            found[table] = {
                "columns": [(column["name"], str(column["type"]), column["nullable"], str(column["default"])) for column in inspector.get_columns(table)],
                "key": inspector.get_pk_constraint(table)["constrained_columns"],
                "indexes": sorted((str(index["name"]), index["column_names"], index["unique"]) for index in inspector.get_indexes(table)),
                "unique": sorted((str(key["name"]), key["column_names"]) for key in inspector.get_unique_constraints(table)),
                "foreign": sorted((key["constrained_columns"], key["referred_table"], key["options"]) for key in inspector.get_foreign_keys(table)),
            }
        for view in sorted(inspector.get_view_names()):
            found[view] = (inspector.get_view_definition(view) or "").replace(str(store._url.database), "DATABASE")
        found |= {f"trigger {name}": " ".join(words) for name, *words in connection.execute(text(TRIGGERS[store.dialect]))}
        return found


def _clean(connection: Connection) -> None:
    """Drop everything again."""
    cascade = " CASCADE" if connection.dialect.name == "postgresql" else ""
    for view in reversed(views.metadata.tables):
        connection.execute(text(f"DROP VIEW IF EXISTS {view}{cascade}"))
    tables.metadata.drop_all(connection)
    if connection.dialect.name == "postgresql":
        connection.execute(text("DROP FUNCTION IF EXISTS fraisier_audit_guard"))
    connection.execute(text("DROP TABLE IF EXISTS alembic_version"))


def _client(url: URL) -> tuple[list[str], dict[str, str]]:
    """The database's own command line client."""
    password = str(url.password or "")
    if url.drivername.startswith("sqlite"):
        return ["sqlite3", "-bail", str(url.database)], {}
    where = ["-h", str(url.host)]
    if url.drivername.startswith("postgresql"):
        return ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *where, "-p", str(url.port), "-U", str(url.username), str(url.database)], {"PGPASSWORD": password}
    return ["mariadb", "--no-defaults", *where, "-P", str(url.port), "-u", str(url.username), str(url.database)], {"MYSQL_PWD": password}


def test_the_tables_are_exactly_those_of_the_code(store: Store) -> None:
    with store._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert list(compare_metadata(context, tables.metadata)) == []
        for view in views.metadata.tables.values():
            assert [column["name"] for column in inspect(connection).get_columns(view.name)] == [column.name for column in view.columns]


def test_the_sql_for_a_dba_makes_the_same_schema_as_the_migration(store: Store, store_url: str) -> None:
    migrated = _portrait(store)
    with store._engine.begin() as connection:
        _clean(connection)
    store.close()
    argv, environment = _client(make_url(store_url))
    if shutil.which(argv[0]) is None:
        pytest.fail(f"{argv[0]} is needed (Debian: postgresql-client, mariadb-client, sqlite3)")
    sql = Store.offline_sql(store.dialect)
    done = subprocess.run(argv, input=sql, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment})
    assert (done.returncode, done.stderr) == (0, "")
    with Store.connect(store_url) as applied:
        assert _portrait(applied) == migrated
        assert applied.migrate() == []
        assert applied.check()["ok"]
        Run(applied).done()


def _interrupt_at(position: int) -> Callable[[], None]:
    """Make the statement of that number among the DDL ones fail, as a lost server does; the returned function takes it back."""
    count = 0

    def fail(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        nonlocal count
        if statement.lstrip().upper().startswith(("CREATE", "ALTER", "INSERT INTO ALEMBIC_VERSION", "UPDATE ALEMBIC_VERSION")):
            count += 1
            if count == position:
                raise RuntimeError("killed")

    event.listen(Engine, "before_cursor_execute", fail)
    return lambda: event.remove(Engine, "before_cursor_execute", fail)


def test_a_migration_killed_at_any_statement_is_finished_by_the_next_one(store: Store, store_url: str) -> None:
    whole = _portrait(store)
    killed = 0
    for position in range(1, 200, 4):
        with store._engine.begin() as connection:
            _clean(connection)
        restore = _interrupt_at(position)
        try:
            store.migrate()
            break
        except RuntimeError:
            killed += 1
        finally:
            restore()
        left = set(_portrait(store)) - {"alembic_version"}
        assert (left == set()) == (store.dialect != "mysql" or position <= 2)
        done = store.schema().current
        assert done is None or store.dialect == "mysql"
        assert store.migrate() == list(tables.REVISIONS[tables.REVISIONS.index(done) + 1 if done else 0 :])
        assert _portrait(store) == whole
    assert killed > 8


def test_a_migration_does_not_wait_for_ever_for_another(store: Store) -> None:
    with store._engine.begin() as connection:
        _clean(connection)
    url = store._url
    other = engine.make_engine(url, timeout=5)
    with other.execution_options(**{engine.WRITE: True}).connect() as holding, migrate._lock(holding, 5):
        with pytest.raises(DatabaseError) as caught:
            store.migrate(timeout=1)
        assert caught.value.recoverable
        assert isinstance(caught.value, MigrationError) or "busy" in str(caught.value)
    other.dispose()
    assert store.migrate() == list(tables.REVISIONS)
