# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backing up and restoring on each database, with its real programs; what a user without many rights gets; what others can see of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DatabaseConnectionError, DatabaseError, FraisierError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.backup import back_up
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.restore import restore
from tests.testbed.databases import Server
from tests.unit.plugins.plugin_utils.store.builders import Run
from tests.unit.plugins.plugin_utils.store.test_backup import (  # noqa: F401
    LIMIT,
    backup,
    names,
    restored,
    run_sql,
    saved,
    test_a_backup_holds_one_moment_while_a_deployment_writes,
    test_a_backup_is_readable_by_its_owner_only_proved_by_restoring_and_described,
    test_a_backup_of_an_older_schema_is_migrated_before_it_takes_the_place,
    test_a_restore_that_fails_leaves_the_old_store_and_its_locks,
    test_a_restored_store_is_what_it_was_and_says_that_it_was_restored,
    test_a_store_whose_tables_were_lost_is_replaced_when_told_so,
    test_no_token_after_a_restore_is_as_low_as_one_that_a_host_may_have_seen,
)

SECRET = "w:eird\\pass\"wo'rd#1"
ENCODED = "w%3Aeird%5Cpass%22wo%27rd%231"
PROGRAMS = ("pg_dump", "pg_restore", "psql", "mariadb-dump", "mariadb", "mysqldump", "mysql")
SPY = """#!/bin/sh
{{ printf '%s\\n' "$0" "$@"; env; tr '\\0' '\\n' < "/proc/$$/cmdline"; }} >> {log}
for word in "$PGPASSFILE" "${{1#--defaults-file=}}"; do [ -f "$word" ] && stat -c 'secret %a %n' "$word" >> {log}; done
{delay}
exec {program} "$@"
"""


def spied(folder: Path, monkeypatch: pytest.MonkeyPatch, delay: str = "") -> Path:
    """Put programs in front of the real ones which write down how they were called; where."""
    log = folder / "calls.log"
    places = folder / "bin"
    places.mkdir()
    for program in PROGRAMS:
        place = places / program
        place.write_text(SPY.format(log=log, program=shutil.which(program), delay=delay), encoding="utf-8")
        place.chmod(0o755)
    monkeypatch.setenv("PATH", f"{places}{os.pathsep}{os.environ['PATH']}")
    return log


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture
def served(server: Server, request: pytest.FixtureRequest) -> str:
    """Url of an empty database of ``server``."""
    return str(request.getfixturevalue(f"{server.scheme}_url"))


def test_nobody_sees_the_password_in_a_command_line_or_an_environment(server: Server, served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = spied(tmp_path, monkeypatch)
    with Store.connect(served, timeout=10) as store:
        store.migrate()
        saved(store, tmp_path / "x.backup")
        restored(store, tmp_path / "x.backup")
    told = log.read_text(encoding="utf-8")
    assert "dump" in told
    assert server.password not in told
    kept = [line.split(" ", 2) for line in told.splitlines() if line.startswith("secret ")]
    assert {mode for _word, mode, _path in kept} == {"600"}
    assert not [path for _word, _mode, path in kept if Path(path).parent.exists()]
    # The backup, its description, and nothing else.
    assert server.password not in "".join(path.read_text(encoding="latin-1") for path in tmp_path.glob("x.backup*"))


def test_a_dump_that_hangs_is_ended_and_nothing_is_left(server: Server, served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spied(tmp_path, monkeypatch, delay="sleep 60")
    there = sorted(tmp_path.iterdir())
    with Store.connect(served, timeout=10) as store:
        store.migrate()
        with pytest.raises(DatabaseConnectionError, match="dump did not end within 1 s"):
            saved(store, tmp_path / "x.backup", time_limit=1.0)
    assert sorted(path for path in tmp_path.iterdir() if path.name != "calls.log") == there


def weak(server: Server, url: str) -> str:
    """A user who owns the database and may create no other; the url with it."""
    name = url.rpartition("/")[2]
    if server.scheme == "postgresql":
        quoted = SECRET.replace("'", "''")
        server.execute(f"CREATE ROLE \"weak_{name}\" LOGIN PASSWORD '{quoted}'")
        server.execute(f'ALTER DATABASE "{name}" OWNER TO "weak_{name}"')
    else:
        quoted = SECRET.replace("\\", "\\\\").replace("'", "\\'")
        server.execute(f"CREATE USER 'weak_{name}'@'%' IDENTIFIED BY '{quoted}'")
        server.execute(f"GRANT ALL ON `{name}`.* TO 'weak_{name}'@'%'")
    return f"{server.scheme}://weak_{name}:{ENCODED}@127.0.0.1:{server.port}/{name}"


def test_a_user_who_may_create_no_database_is_told_how_far_the_backup_is_proved(server: Server, served: str, tmp_path: Path) -> None:
    url = weak(server, served)
    path = tmp_path / "x.backup"
    options = {"time_limit": LIMIT, "by": "on-call", "check": False}
    with Store.connect(url, timeout=10) as store:
        store.migrate()
        first = Run(store, version="1.0").done()
        answer = back_up(url, path, verify=True, replace=False, **options)
        assert (answer["verified"], answer["rows"]["tb_deployment"]) == (False, 1)
        assert "not restored, for this user may create no database" in answer["how"]
        half = tmp_path / "half.backup"
        half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(DatabaseError, match=r"half\.backup is damaged"):
            restore(url, half, replace=True, run="run-1", **options)
        later = Run(store, version="2.0").done()
        if server.scheme == "mariadb":
            with pytest.raises(DatabaseError, match="cannot replace a store in one step"):
                restore(url, path, replace=True, run="run-1", **options)
            assert names(store) == ["2.0", "1.0"]
            server.execute("SET FOREIGN_KEY_CHECKS=0")
            name = url.rpartition("/")[2]
            server.execute(f"DROP DATABASE `{name}`")
            server.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        done = restore(url, path, replace=True, run="run-1", **options)
        assert (done["verified"], names(store)) == (False, ["1.0"])
        assert store.check()["ok"]
        third = Run(store, version="3.0").done()
        assert third.opened.lease.token > max(first.opened.lease.token, later.opened.lease.token)


def test_a_restore_that_cannot_be_finished_leaves_a_weak_users_store_as_it_was(
    postgresql_server: Server, postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.backup_postgresql import PostgresqlBackups

    url = weak(postgresql_server, postgresql_url)
    path = tmp_path / "x.backup"
    options = {"time_limit": LIMIT, "by": "on-call", "check": False}
    with Store.connect(url, timeout=10) as store:
        store.migrate()
        Run(store, version="1.0").done()
        back_up(url, path, verify=True, replace=False, **options)
        Run(store, version="2.0").done()
        # The last of the statements fails, after all tables were dropped and made anew.
        monkeypatch.setattr(PostgresqlBackups, "raising_tokens", lambda _self, _floor: "SELECT 1/0;\n")
        with pytest.raises(DatabaseError, match="division by zero"):
            restore(url, path, replace=True, run="run-1", **options)
        assert names(store) == ["2.0", "1.0"]
        assert Run(store, version="3.0").opened.number == 3


def test_triggers_and_what_they_call_come_back_with_their_tables(store: Store, tmp_path: Path) -> None:
    guard = "no 100%; never"
    if store.dialect == "postgresql":
        body = f"CREATE FUNCTION fraisier_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{guard.replace('%', '%%')}'; END $$"
        run_sql(store, body, "CREATE TRIGGER guard BEFORE DELETE ON tb_hold FOR EACH ROW EXECUTE FUNCTION fraisier_guard()")
        run_sql(store, "CREATE TRIGGER guard_all BEFORE TRUNCATE ON tb_hold FOR EACH STATEMENT EXECUTE FUNCTION fraisier_guard()")
        run_sql(store, "GRANT SELECT ON tb_hold TO pg_monitor")
    elif store.dialect == "mysql":
        act = f"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{guard}'"
        run_sql(store, f"CREATE TRIGGER guard BEFORE DELETE ON tb_hold FOR EACH ROW BEGIN IF OLD.kind <> 'x' THEN {act}; END IF; END")
    else:
        run_sql(store, f"CREATE TRIGGER guard BEFORE DELETE ON tb_hold BEGIN SELECT RAISE(ABORT, '{guard}'); END")
    Run(store, version="1.0").done()
    run_sql(
        store,
        "INSERT INTO tb_hold (id, identifier, fk_environment, kind, reason, placed_by, placed_at)"
        " SELECT '01a2103f-e6c4-758d-a0ea-1467ea18893d', 'one', pk_environment, 'lock', 'why', 'who', '2026-01-01 00:00:00' FROM tb_environment",
    )
    saved(store, tmp_path / "x.backup")
    restored(store, tmp_path / "x.backup")
    with pytest.raises(FraisierError, match="never"):
        run_sql(store, "DELETE FROM tb_hold")
    if store.dialect == "postgresql":
        asked = "SELECT has_table_privilege('pg_monitor', 'tb_hold', 'SELECT'), has_table_privilege('pg_monitor', 'tb_lock', 'SELECT')"
        assert store._transactions.read("asking", lambda connection: tuple(connection.exec_driver_sql(asked).one())) == (True, False)
    assert store.check()["ok"]
