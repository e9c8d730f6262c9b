# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only a SQLite store does: it is replaced under the eyes of those who have it open, and a damaged file can be replaced, too."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DatabaseError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.backup import back_up
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.restore import restore
from tests.unit.plugins.plugin_utils.store.builders import Run
from tests.unit.plugins.plugin_utils.store.test_backup import LIMIT, backup, names, restored, saved  # noqa: F401


def replace(url: str, path: Path, **changes: object) -> dict[str, object]:
    return restore(url, path, **{"replace": True, "time_limit": LIMIT, "by": "on-call", "run": "run-1", "check": False, **changes})  # type: ignore[arg-type]


def test_who_has_the_store_open_sees_the_old_state_to_the_end_of_a_look_and_then_the_new_one(store: Store, url: str, backup: Path) -> None:  # noqa: F811
    reader = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    reader.execute("BEGIN")
    count = "SELECT COUNT(*) FROM tb_deployment"
    assert reader.execute(count).fetchone() == (3,)
    restored(store, backup)
    assert reader.execute(count).fetchone() == (3,)
    reader.execute("COMMIT")
    assert reader.execute(count).fetchone() == (2,)
    # The connections that the store's user has kept in its pool go on, too.
    assert names(store) == ["1.1", "1.0"]
    assert Run(store, version="1.3").done().opened.number == 3
    assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    reader.close()


def test_a_damaged_store_is_moved_aside_and_replaced(store: Store, url: str, backup: Path) -> None:  # noqa: F811
    store.close()
    path = Path(url.removeprefix("sqlite:///"))
    path.write_bytes(b"not a database at all" * 500)
    with pytest.raises(ValidationError, match="is not empty: it cannot be read"):
        replace(url, backup, replace=False)
    answer = replace(url, backup)
    with Store.connect(url) as again:
        assert names(again) == ["1.1", "1.0"]
    (aside,) = path.parent.glob("store.db.damaged-*")
    assert aside.read_bytes().startswith(b"not a database")
    assert answer["notes"] == [f"the damaged file was kept as {aside.name}"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_store_that_is_gone_comes_back(store: Store, url: str, backup: Path) -> None:  # noqa: F811
    store.close()
    path = Path(url.removeprefix("sqlite:///"))
    for part in path.parent.iterdir():
        part.unlink()
    path.parent.rmdir()
    answer = replace(url, backup, replace=False)
    assert answer["replaced"] == {"readable": True, "empty": True, "deployments": 0, "token": 0}
    with Store.connect(url) as again:
        assert names(again) == ["1.1", "1.0"]
    assert [place.name for place in path.parent.iterdir() if not place.name.endswith(("-wal", "-shm"))] == ["store.db"]


def test_a_page_that_is_damaged_is_seen_without_a_description(store: Store, backup: Path) -> None:  # noqa: F811
    backup.with_name("saved.backup.json").unlink()
    data = bytearray(backup.read_bytes())
    data[4096 * 3 : 4096 * 3 + 200] = b"\xff" * 200
    backup.write_bytes(data)
    with pytest.raises(DatabaseError, match="is damaged"):
        restored(store, backup)
    assert names(store) == ["1.2", "1.1", "1.0"]


def test_another_sqlite_file_is_no_backup_of_a_store(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "bookmarks.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmark (url TEXT)")
    connection.commit()
    connection.close()
    with pytest.raises(ValidationError, match="is not a backup of a store: it has no schema of a store"):
        restored(store, path)


def test_the_store_itself_is_no_backup_of_it(store: Store, url: str) -> None:
    path = Path(url.removeprefix("sqlite:///"))
    Run(store, version="1.0").done()
    with pytest.raises(ValidationError, match="is the store itself"):
        saved(store, path, replace=True)
    with pytest.raises(ValidationError, match="is the store itself"):
        restored(store, path)


def test_a_damaged_store_makes_no_backup_and_the_older_one_stays(store: Store, url: str, backup: Path) -> None:  # noqa: F811
    whole = backup.read_bytes()
    store.close()
    spoil_pages(Path(url.removeprefix("sqlite:///")))
    with pytest.raises(DatabaseError, match="damaged"):
        back_up(url, backup, verify=True, replace=True, time_limit=LIMIT, by="on-call", check=False)
    assert backup.read_bytes() == whole


def spoil_pages(path: Path) -> None:
    """Every page but the first is noise."""
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(number * 7 % 256 for number in range(len(data) - 4096))
    path.write_bytes(data)
