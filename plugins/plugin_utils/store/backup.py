# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a backup of a store: written, synced, compared with what the store held, and proved by bringing it back in a place of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.engine import URL

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DatabaseError, MigrationError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import backup_files
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.backup_files import Contents, compare, digest_of, publish, require_target
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.client_tools import private_folder
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.databases import contents_of
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.store import Store
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import format_time
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.urls import describe, parse_url

FORMAT = "fraisier.deploy store backup 1"
STATEMENT_SECONDS = 60.0


class Backups(Protocol):
    """What each kind of database can do. ``suffix`` ends the name of its backups; ``how_listed`` says how a backup is checked without restoring it."""

    suffix: str
    how_listed: str
    notes: list[str]

    def require_tools(self) -> None: ...
    def dump(self, target: Path, folder: Path) -> Contents: ...
    def examine(self, path: Path, folder: Path) -> Contents: ...
    def scratch(self, path: Path, folder: Path) -> Any: ...
    def swap(self, prepared: URL, folder: Path) -> None: ...


def backups_of(url: URL, time_limit: float) -> Backups:
    """The kind of ``url``; each of its calls of another program ends within ``time_limit`` seconds."""
    if not 1 <= time_limit <= 7 * 86400:
        raise ValidationError(f"time_limit: {time_limit:g} is no number of seconds from 1 to {7 * 86400}", hint="Write -e time_limit=3600, for example")
    kind = url.get_backend_name()
    if kind == "sqlite":
        from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.backup_sqlite import SqliteBackups

        return SqliteBackups(url, time_limit)
    if kind == "postgresql":
        from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.backup_postgresql import PostgresqlBackups

        return PostgresqlBackups(url, time_limit)
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.backup_mysql import MysqlBackups

    return MysqlBackups(url, time_limit)


def suffix_for(url_text: str) -> str:
    """How the name of a backup of this store ends."""
    return backups_of(parse_url(url_text), 1).suffix


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """What the disk refuses, as a domain error."""
    try:
        yield
    except OSError as error:
        place = error.filename or path
        hint = "Make room there, or name another folder; nothing half was left"
        raise DatabaseError(f"{place}: {error.strerror or error}", category="RESOURCE", hint=hint, cause=error) from error


@contextmanager
def connected(url: URL, *, read_only: bool = False) -> Iterator[Store]:
    """The store at ``url``, with more time for each statement than a deployment gives it."""
    text = url.set(drivername=url.get_backend_name()).render_as_string(hide_password=False)
    with Store.connect(text, timeout=STATEMENT_SECONDS, read_only=read_only) as store:
        yield store


def read_contents(store: Store) -> Contents:
    """Its revision, and the rows of each table."""
    return store._transactions.read("counting rows", contents_of)


def back_up(url_text: str, path: Path, *, verify: bool, replace: bool, time_limit: float, by: str, check: bool, make: bool = False) -> dict[str, Any]:
    """Write a backup to ``path`` (0600): {path, bytes, sha256, revision, rows, verified, how, made_at, database, store, by, notes, check}.

    ``make``: make the folder when it is missing.
    """
    url = parse_url(url_text)
    kind = backups_of(url, time_limit)
    require_target(path, replace=replace, make=make)
    not_the_store(url, path)
    kind.require_tools()
    with connected(url, read_only=True) as store:
        state, now = store.schema(), store.now()
    if state.empty:
        raise MigrationError(f"{describe(url)} has no schema yet: there is nothing to back up", hint="Name the right store in fraisier_store_url")
    told = {"path": str(path), "made_at": format_time(now), "database": url.get_backend_name(), "store": describe(url), "by": by, "check": check}
    if check:
        return {**told, "bytes": None, "sha256": None, "revision": state.current, "rows": {}, "verified": False, "how": "", "notes": []}
    with disk_errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with disk_errors(path), private_folder(path.parent) as folder:
        made = folder / "backup"
        held = kind.dump(made, folder)
        found = kind.examine(made, folder)
        difference = compare(held.rows, found.rows)
        if difference or held.revision != found.revision:
            raise backup_files.damaged(made, difference or f"revision {held.revision} became {found.revision}")
        verified, how = _prove(kind, made, folder, found) if verify else (False, f"{kind.how_listed}; not restored, for verify is false")
        told |= {"bytes": made.stat().st_size, "sha256": digest_of(made), "revision": found.revision, "rows": found.rows, "verified": verified, "how": how}
        publish(made, path, {"format": FORMAT, **{name: value for name, value in told.items() if name not in ("path", "check")}})
    return {**told, "notes": kind.notes}


def not_the_store(url: URL, path: Path) -> None:
    """Refuse the store's own file as a backup."""
    if url.get_backend_name() == "sqlite" and path.resolve() == Path(url.database or "").resolve():
        raise ValidationError(f"path: {path} is the store itself", hint="Name another file")


def _prove(kind: Backups, made: Path, folder: Path, held: Contents) -> tuple[bool, str]:
    """Bring the backup back in a place of its own and look whether all is there."""
    with kind.scratch(made, folder) as place:
        if place is None:
            return False, f"{kind.how_listed}; not restored, for this user may create no database"
        require_whole(place, made, held)
    return True, "restored into a scratch database and compared, table by table"


def require_whole(place: URL, path: Path, held: Contents) -> None:
    """Raise unless the restored store at ``place`` has the revision and the rows that the backup holds, and no orphans."""
    with connected(place) as store:
        found = read_contents(store)
        difference = compare(held.rows, found.rows)
        if difference or found.revision != held.revision:
            raise backup_files.damaged(path, f"restored, it differs: {difference or f'revision {held.revision} became {found.revision}'}")
        state = store.schema()
        answer: dict[str, Any] = store.check() if state.ready else {"missing": [], "orphans": 0}
    if answer["missing"] or answer["orphans"]:
        raise backup_files.damaged(path, f"restored, it lacks {', '.join(answer['missing']) or 'nothing'} and has {answer['orphans']} orphans")
