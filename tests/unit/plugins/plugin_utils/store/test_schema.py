# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schema and migrations, as far as SQLite shows them (the other databases: tests/integration/store)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, UniqueConstraint

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError, MigrationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store, tables, views
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.migrate import FOLDER, known_revisions
from tests.unit.plugins.plugin_utils.store.builders import Run, request


def _sql(store: Store, statement: str) -> None:
    with sqlite3.connect(str(store._url.database)) as connection:
        connection.executescript(statement)
    connection.close()


def test_a_new_store_is_empty_and_all_revisions_are_pending(url: str) -> None:
    with Store.connect(url) as store:
        state = store.schema()
        assert (state.current, state.empty, state.ready, state.pending) == (None, True, False, known_revisions())
        assert store.migrate() == known_revisions()
        assert store.migrate() == []
        state = store.schema()
        assert (state.current, state.empty, state.ready, state.pending) == (tables.HEAD_REVISION, False, True, [])


def test_the_head_that_the_code_names_is_the_newest_migration() -> None:
    assert known_revisions() == list(tables.REVISIONS)


def test_migrations_are_found_beside_the_plugins_wherever_the_collection_lies() -> None:
    assert (FOLDER / "env.py").is_file()
    assert FOLDER.name == "migrations"


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(store: Store) -> None:
    with store._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), tables.metadata) == []


def test_a_store_of_a_later_version_is_refused_with_the_remedy(store: Store, url: str) -> None:
    _sql(store, "UPDATE alembic_version SET version_num = '9999'")
    with Store.connect(url) as old:
        assert old.schema().newer
        for act in (old.migrate, lambda: old.open_deployment(request())):
            with pytest.raises(MigrationError, match=r"9999.*Update the collection"):
                act()
        assert old.check()["ok"] is False


def test_a_migration_that_fails_changes_nothing(url: str) -> None:
    with Store.connect(url) as store:
        _sql(store, "CREATE TABLE tb_lock (of_somebody_else INTEGER)")
        with pytest.raises(MigrationError, match="Nothing was changed"):
            store.migrate()
        with sqlite3.connect(str(store._url.database)) as connection:
            assert connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'tb_%'").fetchall() == [("tb_lock",)]
        connection.close()


def test_a_table_that_is_gone_is_a_matter_of_the_schema(store: Store) -> None:
    _sql(store, "DROP VIEW v_deployment_history")
    with pytest.raises(MigrationError, match=r"lacks a table.*fraisier\.deploy\.store"):
        store.history()
    assert store.check()["missing"] == ["v_deployment_history"]


def test_every_table_has_internal_key_uuid_and_identifier() -> None:
    for name, table in tables.metadata.tables.items():
        assert [column.name for column in table.columns][:3] == [f"pk_{name.removeprefix('tb_')}", "id", "identifier"]


def test_no_column_of_a_unique_key_may_be_null() -> None:
    for table in tables.metadata.tables.values():
        for constraint in table.constraints:
            if isinstance(constraint, UniqueConstraint):
                assert not [column.name for column in constraint.columns if column.nullable], constraint.name


def test_names_fit_every_database() -> None:
    for table in tables.metadata.tables.values():
        named = [constraint.name for constraint in table.constraints if constraint.name] + [index.name for index in table.indexes]
        assert all(len(str(name)) <= 63 for name in named)
        assert not [constraint for constraint in table.constraints if isinstance(constraint, CheckConstraint)]


def test_every_foreign_key_is_backed_by_an_index() -> None:
    for table in tables.metadata.tables.values():
        leading = {next(iter(index.columns)).name for index in table.indexes}
        leading |= {next(iter(constraint.columns)).name for constraint in table.constraints if isinstance(constraint, UniqueConstraint)}
        assert {column.name for column in table.columns if column.foreign_keys} <= leading, table.name


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mysql", "mariadb"])
def test_the_sql_for_a_dba_holds_every_table_and_view(dialect: str) -> None:
    text = Store.offline_sql(dialect)
    for name in [*tables.metadata.tables, *views.metadata.tables, "alembic_version"]:
        assert name in text
    assert "%(" not in text


def test_sql_for_an_unknown_database_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="oracle"):
        Store.offline_sql("oracle")


def test_what_a_pruned_deployment_leaves_and_takes_along(store: Store) -> None:
    run = Run(store).done()
    _sql(store, "PRAGMA foreign_keys = ON; DELETE FROM tb_deployment;")
    with sqlite3.connect(str(store._url.database)) as connection:
        left = {
            name: connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0]
            for name in ("tb_deployment_host", "tb_step", "tb_health_check", "tb_lock", "tb_release")
        }
        assert left == {"tb_deployment_host": 0, "tb_step": 0, "tb_health_check": 0, "tb_lock": 1, "tb_release": 1}
        assert connection.execute("SELECT DISTINCT fk_deployment, deployment FROM tb_event WHERE deployment IS NOT NULL").fetchall() == [(None, run.opened.id)]
        with pytest.raises(sqlite3.IntegrityError):
            connection.executescript("PRAGMA foreign_keys = ON; DELETE FROM tb_fraise;")
    connection.close()
    assert store.check()["ok"]
    assert Run(store).opened.number == 2


def test_a_check_finds_orphans_and_deployments_nobody_holds(store: Store) -> None:
    Run(store).done()
    stale = Run(store)
    assert store.check() | {"database_time": 0, "clock_skew_seconds": 0} == {
        "ok": True,
        "dialect": "sqlite",
        "server": sqlite3.sqlite_version,
        "schema": {"current": tables.HEAD_REVISION, "head": tables.HEAD_REVISION, "pending": [], "empty": False, "newer": False},
        "missing": [],
        "unguarded": [],
        "orphans": 0,
        "stale_deployments": [],
        "clock_skew_seconds": 0,
        "database_time": 0,
    }
    store.release_lease(stale.opened.lease)
    _sql(store, "PRAGMA foreign_keys = OFF; DELETE FROM tb_step WHERE step = 'activate';")
    found = store.check()
    assert (found["ok"], found["orphans"], found["stale_deployments"]) == (False, 3, [stale.opened.identifier])
    assert abs(found["clock_skew_seconds"]) < 1


def test_an_empty_store_is_not_in_order(url: str) -> None:
    with Store.connect(url) as store:
        found = store.check()
    assert found["ok"] is False
    assert "tb_lock" in found["missing"]
    assert Path(str(store._url.database)).is_file()
