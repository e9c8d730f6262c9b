# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store's URL: what is taken, what is refused, what is shown."""

from __future__ import annotations

import builtins
import importlib
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError, DatabaseConnectionError, DatabaseError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability.redaction import Redactor
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.urls import describe, parse_url
from tests.unit.plugins.plugin_utils.store.builders import Run


def test_the_examples_in_the_remedy_of_a_bad_url_survive_redaction() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_url("bogus")
    assert "postgresql://" in caught.value.hint
    assert "user:password@host/database" in caught.value.hint
    assert Redactor().text(str(caught.value)) == str(caught.value)


@pytest.mark.parametrize(
    ("text", "driver", "shown"),
    [
        ("sqlite:////var/lib/store.db", "sqlite+pysqlite", "SQLite file /var/lib/store.db"),
        ("postgresql://u:secret@db:5433/f", "postgresql+psycopg", "PostgreSQL u@db:5433/f"),
        ("postgres://u@db/f?sslmode=verify-full", "postgresql+psycopg", "PostgreSQL u@db/f"),
        ("postgresql://u:secret@/f?host=/run/postgresql", "postgresql+psycopg", "PostgreSQL u@/run/postgresql/f"),
        ("mysql://u:secret@db/f", "mysql+pymysql", "MySQL/MariaDB u@db/f"),
        ("mariadb://u:se%40cret@db/f", "mysql+pymysql", "MySQL/MariaDB u@db/f"),
    ],
)
def test_a_url_gets_its_driver_and_is_shown_without_password(text: str, driver: str, shown: str) -> None:
    url = parse_url(text)
    assert (url.drivername, describe(url)) == (driver, shown)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "oracle://u:secret@db/f",
        "postgresql://u:secret@db:port/f",
        "postgresql://u:pass@secret@db/f",
        "postgresql://u:pass@word/secret@db/f",
        "postgresql://u/secret:pass@db/f",
        "postgresql://u:secret@db",
        "mysql://u:secret@db/",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///relative.db",
        "sqlite://host/x.db",
        "sqlite:////x.db?mode=ro",
        "mysql+mysqldb://u:secret@db/f",
    ],
)
def test_a_url_that_cannot_work_is_refused_with_the_forms_that_do(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_url(text)
    assert "sqlite:////" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_path_may_begin_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert parse_url("sqlite:///~/store.db").database == "/home/ada/store.db"


def test_a_missing_driver_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **options: Any) -> Any:
        if name == "pymysql":
            raise ImportError("No module named 'pymysql'")
        return real(name, *rest, **options)

    monkeypatch.delitem(sys.modules, "pymysql", raising=False)
    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(ConfigurationError, match="pip install 'PyMySQL'"):
        Store.connect("mysql://u:secret@127.0.0.1:1/f")


def test_folder_and_file_are_made_for_their_owner_only(store: Store) -> None:
    Run(store)
    path = Path(str(store._url.database))
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in [path.parent, *path.parent.iterdir()]}
    assert modes == {"state": 0o700, "store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}


def test_a_path_with_odd_characters_works(tmp_path: Path) -> None:
    path = tmp_path / "a b#c%41" / "ü.db"
    with Store.connect(f"sqlite:///{tmp_path}/a b#c%41/ü.db") as store:
        store.migrate()
        assert store.schema().ready
    assert path.is_file()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatabaseConnectionError, match="cannot be made") as caught:
        Store.connect(f"sqlite:///{tmp_path}/file/store.db")
    assert "fraisier_store_url" in caught.value.hint


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_text("these are not the pages you are looking for" * 100)
    with pytest.raises(DatabaseError, match="damaged or not a database") as caught:
        Store.connect(f"sqlite:///{tmp_path}/store.db")
    assert caught.value.recoverable is False


def _as_nobody(work: Any) -> str:
    """What ``work`` raises in a child that is no root (nothing is read-only for root)."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = "nothing"
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            work()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writer, said.encode()[:4000])
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as pipe:
        return pipe.read()


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that any user may walk into."""
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.owner() == Path(tmp_path).owner() and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o055)
        else:
            break
    return tmp_path


def test_a_read_only_file_is_named_before_anything_starts(open_folder: Path) -> None:
    url = f"sqlite:///{open_folder}/store.db"
    with Store.connect(url) as store:
        store.migrate()
    (open_folder / "store.db").chmod(0o444)
    assert _as_nobody(lambda: Store.connect(url)).startswith(f"DatabaseError: The store {open_folder}/store.db is read-only")


def test_a_read_only_folder_is_named_before_anything_starts(open_folder: Path) -> None:
    (open_folder / "store.db").touch(0o666)
    (open_folder / "store.db").chmod(0o666)
    open_folder.chmod(0o555)
    assert "is read-only" in _as_nobody(lambda: Store.connect(f"sqlite:///{open_folder}/store.db"))


def test_reading_only_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(DatabaseConnectionError, match="There is no store"):
        Store.connect(f"sqlite:///{tmp_path}/none/store.db", read_only=True)
    assert not (tmp_path / "none").exists()


def test_reading_only_reads_and_never_writes(store: Store, url: str) -> None:
    run = Run(store).done()
    with Store.connect(url, read_only=True) as reader:
        assert [row["identifier"] for row in reader.history()] == [run.opened.identifier]
        with pytest.raises(DatabaseError, match="read-only"):
            reader.release_lease(run.opened.lease)
        with pytest.raises(DatabaseError, match="read-only"):
            Run(reader)


def test_a_full_disk_is_told_from_a_refusal_and_loses_nothing_that_was_stored(store: Store) -> None:
    run = Run(store)
    with store._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(DatabaseError, match="is full") as caught:
        store.apply([run.event("task.ok", text="x" * 100_000)])
    assert (caught.value.category, caught.value.hint) == ("RESOURCE", "Make room on the disk of the database")
    assert store.count_events(run.request.run, "callback") == 0
    with store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert store.apply([run.event("task.ok", text="x" * 100_000)]) == 1
