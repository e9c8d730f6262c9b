# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backing a store up and bringing it back. The integration tests run what depends on the database on each of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import select, text

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    DatabaseError,
    DeploymentLockedError,
    LeaseLostError,
    MigrationError,
    NotFoundError,
    ValidationError,
)
from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Event, Store, tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import restore as restoring
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.backup import back_up, backups_of
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.migrate import _config
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.restore import restore
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.urls import parse_url
from tests.unit.plugins.plugin_utils.store.builders import Run

LIMIT = 60.0


def address(store: Store) -> str:
    """The url as a user writes it."""
    url = store._url
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=False)


def saved(store: Store, path: Path, **changes: Any) -> dict[str, Any]:
    return back_up(address(store), path, **{"verify": True, "replace": False, "time_limit": LIMIT, "by": "on-call", "check": False, **changes})


def restored(store: Store, path: Path, **changes: Any) -> dict[str, Any]:
    usual = {"replace": True, "time_limit": LIMIT, "by": "on-call", "run": uuid7(), "check": False}
    return restore(address(store), path, **{**usual, **changes})


def names(store: Store) -> list[str]:
    return [row["version"] for row in store.history()]


def events(store: Store, kind: str) -> list[Any]:
    query = select(tables.event).where(tables.event.c.type == kind).order_by(tables.event.c.pk_event)
    return store._transactions.read("reading events", lambda connection: list(connection.execute(query)))


def run_sql(store: Store, *statements: str) -> None:
    def work(connection: Any) -> None:
        for statement in statements:
            connection.execute(text(statement))

    store._transactions.write("running statements", work)


@pytest.fixture
def backup(store: Store, tmp_path: Path) -> Path:
    """A backup of a store with the deployments 1.0 and 1.1, after which 1.2 came."""
    path = tmp_path / "saved.backup"
    Run(store, version="1.0").done()
    Run(store, version="1.1").done()
    saved(store, path, verify=False)
    Run(store, version="1.2").done()
    return path


def test_a_backup_is_readable_by_its_owner_only_proved_by_restoring_and_described(store: Store, tmp_path: Path) -> None:
    Run(store, version="1.0").done()
    path = tmp_path / "saved.backup"
    answer = saved(store, path)
    assert (answer["verified"], answer["how"]) == (True, "restored into a scratch database and compared, table by table")
    assert answer["rows"] == store.table_rows()
    assert (answer["revision"], answer["bytes"]) == (store.schema().current, path.stat().st_size)
    description = json.loads(path.with_name("saved.backup.json").read_text(encoding="utf-8"))
    assert (description["sha256"], description["by"]) == (answer["sha256"], "on-call")
    assert "password" not in str(description)
    assert {place.stat().st_mode & 0o777 for place in tmp_path.glob("saved*")} == {0o600}
    assert not list(tmp_path.glob(".fraisier*"))


def test_a_backup_puts_itself_over_an_older_file_only_when_told_so(store: Store, backup: Path) -> None:
    before = backup.read_bytes()
    with pytest.raises(ValidationError, match="is there already") as caught:
        saved(store, backup)
    assert "replace=true" in caught.value.hint
    assert backup.read_bytes() == before
    assert saved(store, backup, replace=True)["rows"]["tb_deployment"] == 3
    assert restored(store, backup)["verified"]


@contextmanager
def writing(store: Store) -> Iterator[list[int]]:
    """Somebody stores events all the time; how many so far."""
    count, stop = [0], threading.Event()

    def write() -> None:
        with Store.connect(address(store), timeout=10) as other:
            while not stop.is_set():
                batch = [Event("busy-run", "callback", count[0] + number, other.now(), "task.ok", None, "web1", {}) for number in range(20)]
                other.apply(batch)
                count[0] += len(batch)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield count
    finally:
        stop.set()
        thread.join(30)


def test_a_backup_holds_one_moment_while_a_deployment_writes(store: Store, tmp_path: Path) -> None:
    run = Run(store, version="1.0")
    with writing(store) as count:
        while not count[0]:
            threading.Event().wait(0.01)
        answer = saved(store, tmp_path / "busy.backup")
        during = count[0]
    run.done()
    assert answer["verified"]
    assert 0 < answer["rows"]["tb_event"] - 1 <= during + 20
    restored(store, tmp_path / "busy.backup")
    assert store.count_events("busy-run", "callback") % 20 == 0
    # What was open when the backup was made is open in the record, and free to be settled.
    assert (store.history()[0]["status"], store.read_lock("shop_api", "production").held) == ("in_progress", False)


def banish(store: Store) -> None:
    """Put 1.2 into quarantine."""

    def work(connection: Any) -> None:
        lock = connection.execute(select(tables.lock)).one()
        values = {"id": uuid7(), "identifier": "shop_api:production:1.2", "version": "1.2", "reason": "bad", "placed_at": store.now()}
        connection.execute(tables.quarantine.insert().values(fk_fraise=lock.fk_fraise, fk_environment=lock.fk_environment, **values))

    store._transactions.write("banishing", work)


def test_a_restored_store_is_what_it_was_and_says_that_it_was_restored(store: Store, backup: Path) -> None:
    run = uuid7()
    banish(store)
    store.apply([Event(run, "callback", number, store.now(), "playbook.start", None, None, {"name": "store"}) for number in (1, 2)])
    answer = restored(store, backup, run=run)
    assert names(store) == ["1.1", "1.0"]
    assert store.check()["ok"]
    (told,) = events(store, "store.restored")
    assert (told.run, told.data["by"], told.data["sha256"], told.data["replaced"]["deployments"]) == (run, "on-call", answer["sha256"], 3)
    # What the restoring run had told before is not lost with the store that went.
    assert store.count_events(run, "callback") == 2
    assert (answer["verified"], answer["open"], answer["replaced"]["readable"]) == (True, [], True)
    # What stood in the way of deployments and is in no backup must not vanish without a word.
    assert answer["lost"] == told.data["lost"] == ["quarantine shop_api:production:1.2"]
    Run(store, version="1.3").done()
    assert names(store) == ["1.3", "1.1", "1.0"]
    assert store.audit.verify()["ok"]
    assert [row["actor"] for row in store.audit.latest(100) if row["event"] == "store.restored"] == ["on-call"]


def test_no_token_after_a_restore_is_as_low_as_one_that_a_host_may_have_seen(store: Store, backup: Path) -> None:
    # Another service, and a clock that was ahead, after the backup.
    other = Run(store, fraise="later", version="9.0").done()
    run_sql(store, "UPDATE tb_lock SET token = token + 50000")
    seen = max(store.read_lock(fraise, "production").token for fraise in ("shop_api", "later"))
    # Once more with what the restore itself has raised; one kind of database is enough for that.
    for version in ("2.0", "3.0") if store.dialect == "sqlite" else ("2.0",):
        restored(store, backup)
        tokens = [Run(store, fraise=fraise, version=version).done().opened.lease.token for fraise in ("shop_api", "later")]
        assert min(tokens) > seen
        seen = max(tokens)
    with pytest.raises(LeaseLostError):
        store.renew_lease(other.opened.lease, 30)


def test_a_store_in_use_is_not_replaced_and_its_users_are_named(store: Store, backup: Path) -> None:
    run = Run(store, version="1.3")
    with pytest.raises(DeploymentLockedError, match=r"lock of shop_api:production is held by ada@controller 42 .*; the deployment .*:4 is open") as caught:
        restored(store, backup)
    assert "fraisier.deploy.recover" in caught.value.hint
    run.done()
    run_sql(store, "UPDATE tb_deployment SET status = 'in_progress' WHERE number = 2")
    with pytest.raises(DeploymentLockedError, match="the deployment shop_api:production:2 is open"):
        restored(store, backup, check=True)
    assert len(names(store)) == 4


def test_a_store_that_holds_something_goes_only_when_told_so(store: Store, backup: Path) -> None:
    with pytest.raises(ValidationError, match="is not empty: it holds 3 deployments") as caught:
        restored(store, backup, replace=False)
    assert f"-e path={backup} -e replace=true" in caught.value.hint
    assert names(store) == ["1.2", "1.1", "1.0"]


def test_check_mode_looks_at_everything_and_changes_nothing(store: Store, backup: Path, tmp_path: Path) -> None:
    there = sorted(tmp_path.rglob("*"))
    would = saved(store, tmp_path / "other.backup", check=True)
    assert (would["check"], would["revision"]) == (True, store.schema().current)
    back = restored(store, backup, check=True)
    assert (back["check"], back["rows"]["tb_deployment"], back["replaced"]["deployments"]) == (True, 2, 3)
    assert [place for place in sorted(tmp_path.rglob("*")) if not place.name.endswith(("-wal", "-shm"))] == [
        place for place in there if not place.name.endswith(("-wal", "-shm"))
    ]
    assert names(store) == ["1.2", "1.1", "1.0"]


def test_a_restore_that_fails_leaves_the_old_store_and_its_locks(store: Store, backup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(backups_of(parse_url(address(store)), LIMIT))

    def fail(*_arguments: Any) -> None:
        assert store.read_lock("shop_api", "production").held
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(kind, "swap", fail)
    with pytest.raises(DatabaseError, match="the disk is full"):
        restored(store, backup)
    assert names(store) == ["1.2", "1.1", "1.0"]
    assert Run(store, version="1.3").opened.number == 4


def test_a_lock_taken_while_the_restore_prepares_stops_it(store: Store, backup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = restoring._prepare

    def meanwhile(*arguments: Any) -> Any:
        Run(store, version="1.3")
        return prepare(*arguments)

    monkeypatch.setattr(restoring, "_prepare", meanwhile)
    with pytest.raises(DeploymentLockedError, match="the deployment shop_api:production:4 is open"):
        restored(store, backup)
    assert names(store) == ["1.3", "1.2", "1.1", "1.0"]


def spoil(path: Path) -> None:
    """One bit of a row is another."""
    data = bytearray(path.read_bytes())
    place = data.rfind(b"shop_api:production:1") if b"shop_api:production:1" in data else len(data) * 3 // 4
    data[place] ^= 1
    path.write_bytes(data)


def test_a_damaged_backup_is_refused(store: Store, backup: Path) -> None:
    whole = backup.read_bytes()
    spoil(backup)
    with pytest.raises(DatabaseError, match=r"is damaged: its SHA-256"):
        restored(store, backup)
    # Without a description, half a file is still seen.
    backup.with_name("saved.backup.json").unlink()
    backup.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatabaseError, match="is damaged"):
        restored(store, backup)
    assert names(store) == ["1.2", "1.1", "1.0"]


def test_a_backup_without_its_description_comes_back_and_that_is_told(store: Store, backup: Path) -> None:
    backup.with_name("saved.backup.json").unlink()
    answer = restored(store, backup)
    assert (answer["described"], answer["made_at"], names(store)) == (False, None, ["1.1", "1.0"])


def test_what_is_no_backup_of_this_kind_of_store_is_refused(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0" + bytes(500))
    with pytest.raises(ValidationError, match="it is no backup of a database"):
        restored(store, path)
    path.write_bytes((b"PGDMP" if store.dialect == "sqlite" else b"SQLite format 3\x00") + bytes(500))
    with pytest.raises(ValidationError, match=r"is a backup of (PostgreSQL|SQLite), the store is"):
        restored(store, path)
    with pytest.raises(NotFoundError, match="there is no backup"):
        restored(store, tmp_path / "nothing")


def test_a_backup_of_a_newer_schema_is_refused(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "newer.backup"
    head = store.schema().head
    run_sql(store, "UPDATE alembic_version SET version_num = '9999'")
    saved(store, path)
    run_sql(store, f"UPDATE alembic_version SET version_num = '{head}'")
    with pytest.raises(MigrationError, match="has schema 9999, which this version") as caught:
        restored(store, path)
    assert "Update the collection" in caught.value.hint


def test_a_backup_of_an_older_schema_is_migrated_before_it_takes_the_place(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "older.backup"
    kind = backups_of(parse_url(address(store)), LIMIT)
    url = store._url
    if store.dialect == "sqlite":
        old = url.set(database=str(tmp_path / "old.db"))
        _make_old(old)
        back_up(f"sqlite:///{tmp_path}/old.db", path, verify=True, replace=False, time_limit=LIMIT, by="on-call", check=False)
    else:
        from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.databases import scratch_database

        with scratch_database(url, []) as old:
            _make_old(old)
            text_url = old.set(drivername=old.get_backend_name()).render_as_string(hide_password=False)
            back_up(text_url, path, verify=True, replace=False, time_limit=LIMIT, by="on-call", check=False)
    assert kind.examine(path, tmp_path).revision == "0001"
    Run(store, version="5.0").done()
    answer = restored(store, path)
    assert (answer["revision"], answer["schema"], names(store)) == ("0001", store.schema().head, [])
    assert store.check()["ok"]
    Run(store, version="1.0").done()


def _make_old(url: Any) -> None:
    """An empty store of the first schema."""
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.databases import opened

    with opened(url) as engine, engine.connect() as connection, connection.begin():
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")


def test_a_store_whose_tables_were_lost_is_replaced_when_told_so(store: Store, backup: Path) -> None:
    run_sql(store, "DROP TABLE tb_approval", "DROP TABLE tb_plan", "DROP VIEW v_fraise_status", "DROP VIEW v_fleet", "DROP TABLE tb_owed_host")
    restored(store, backup)
    assert store.check()["ok"]
    assert names(store) == ["1.1", "1.0"]


def test_a_time_limit_that_makes_no_sense_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="time_limit: 0 is no number of seconds"):
        saved(store, tmp_path / "x", time_limit=0)


def test_a_place_that_cannot_hold_a_backup_is_refused_before_anything_is_done(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="there is no folder"):
        saved(store, tmp_path / "nowhere" / "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValidationError, match="is not a file"):
        saved(store, tmp_path / "folder")
