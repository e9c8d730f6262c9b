# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a SQLite store: by SQLite's online backup, which gives one moment's state while others write."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import URL

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DatabaseConnectionError, DatabaseError, FraisierError
from ansible_collections.fraisier.deploy.plugins.module_utils.files import fsync_folder
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.backup_files import Contents, damaged, foreign

BUSY_SECONDS = 10.0


class SqliteBackups:
    """The store in a file."""

    suffix = "db"
    how_listed = "checked by SQLite's integrity check"

    def __init__(self, url: URL, time_limit: float) -> None:
        self.url, self.time_limit = url, time_limit
        self.notes: list[str] = []
        self.live = Path(url.database or "")

    def require_tools(self) -> None:
        """SQLite comes with Python."""

    def dump(self, target: Path, _folder: Path) -> Contents:
        """Copy the store to ``target``; what it held at that moment. Reading and copying are one transaction."""
        target.touch(0o600)
        try:
            with closing(_open(self.live, "ro")) as source, closing(_open(target, "rw")) as copy:
                source.execute("BEGIN")
                held = _contents(source)
                source.backup(copy, progress=_until(time.monotonic() + self.time_limit), pages=4096)
                copy.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            raise _refused(self.live, "while it was copied", error) from error
        return held

    def examine(self, path: Path, _folder: Path) -> Contents:
        """What the backup holds, once SQLite finds every page of it in order."""
        try:
            with closing(_open(path, "ro", immutable=True)) as connection:
                trouble = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)")]
                if trouble != ["ok"]:
                    raise damaged(path, "; ".join(trouble))
                held = _contents(connection)
                orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
        except sqlite3.Error as error:
            raise damaged(path, str(error)) from error
        if held.revision is None:
            raise foreign(path, "it has no schema of a store")
        if orphans:
            raise damaged(path, f"{len(orphans)} rows whose parent is gone")
        return held

    @contextmanager
    def scratch(self, path: Path, folder: Path) -> Iterator[URL | None]:
        """The backup as a store of its own, in ``folder``."""
        copy = folder / "scratch.db"
        shutil.copyfile(path, copy)
        copy.chmod(0o600)
        yield self.url.set(database=str(copy))

    def swap(self, prepared: URL, _folder: Path) -> None:
        """Put the prepared store in the place of the real one, in one transaction of the real one: whoever has it open sees the old or the new state."""
        place = Path(prepared.database or "")
        if self.live.exists() and self.live.stat().st_size and not self._readable():
            self._move_aside()
        if not self.live.exists():
            with closing(_open(place, "rw")) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            place.rename(self.live)
            fsync_folder(str(self.live.parent))
            return
        try:
            with closing(_open(place, "ro")) as source, closing(_open(self.live, "rw")) as target:
                source.backup(target, progress=_until(time.monotonic() + self.time_limit), pages=4096)
        except sqlite3.Error as error:
            raise _refused(self.live, "while the restored state was written into it", error) from error

    def _readable(self) -> bool:
        try:
            with closing(_open(self.live, "ro")) as connection:
                return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
        except sqlite3.DatabaseError as error:
            if (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise _refused(self.live, "while it was looked at", error) from error
            return False

    def _move_aside(self) -> None:
        """A damaged file is kept, with its log, under another name."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        for ending in ("-wal", "-shm", ""):
            part = self.live.with_name(f"{self.live.name}{ending}")
            if part.exists():
                part.rename(self.live.with_name(f"{self.live.name}.damaged-{stamp}{ending}"))
        self.notes.append(f"the damaged file was kept as {self.live.name}.damaged-{stamp}")
        fsync_folder(str(self.live.parent))


def _open(path: Path, mode: str, *, immutable: bool = False) -> sqlite3.Connection:
    address = f"file:{quote(str(path))}?mode={mode}{'&immutable=1' if immutable else ''}"
    return sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _until(deadline: float) -> Callable[[int, int, int], None]:
    """For SQLite's backup: ends it when the time is up. A writer's lock is waited for there, too."""

    def progress(_status: int, _left: int, _total: int) -> None:
        if time.monotonic() > deadline:
            hint = "Give it more time with -e time_limit=7200 (seconds), or look for who keeps it locked"
            raise DatabaseConnectionError("The SQLite file could not be copied in time", category="TIMEOUT", hint=hint)

    return progress


def _contents(connection: sqlite3.Connection) -> Contents:
    names = [str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    ours = [name for name in names if name.startswith("tb_")]
    rows = {name: int(connection.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0]) for name in ours}
    revision = connection.execute("SELECT version_num FROM alembic_version").fetchone() if "alembic_version" in names and ours else None
    return Contents(str(revision[0]) if revision else None, rows)


def _refused(path: Path, when: str, error: sqlite3.Error) -> FraisierError:
    code = (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseConnectionError(f"SQLite file {path} was locked by others {when}", category="TIMEOUT", hint="Run it again", cause=error)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        hint = "Restore a backup: ansible-playbook fraisier.deploy.store -e store=restore -e replace=true -e path=FILE"
        return DatabaseError(f"SQLite file {path} is damaged: {error}", hint=hint, cause=error)
    return DatabaseError(f"SQLite file {path} refused {when}: {error}", category="RESOURCE", hint="Nothing was changed", cause=error)
