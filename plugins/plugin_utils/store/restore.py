# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing a backup back: all of it is proved and prepared in a scratch place first, then it takes the store's place at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    DatabaseError,
    FraisierError,
    MigrationError,
    ValidationError,
)
from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import backup_files, replaced
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.backup import (
    Backups,
    backups_of,
    connected,
    disk_errors,
    not_the_store,
    require_whole,
)
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.backup_files import Contents, compare
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.client_tools import private_folder
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.replaced import Old
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.store import Store
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.tables import HEAD_REVISION, REVISIONS
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import Event
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.urls import describe, parse_url

LONGEST_CLAIM_SECONDS = 900.0
TOKEN_GAP = 86400
"""Tokens are seconds of the database's clock, or more. So much above all that is known covers a clock that was up to a day ahead when tokens were given
that nobody can read any more. More would harm: a store made anew after that begins at the clock again."""


def restore(url_text: str, path: Path, *, replace: bool, time_limit: float, by: str, run: str, check: bool) -> dict[str, Any]:
    """Put the backup ``path`` in the place of the store: {path, sha256, revision, schema, rows, verified, how, replaced, token, open, lost, notes, check}."""
    url = parse_url(url_text)
    kind = backups_of(url, time_limit)
    backup_files.require_source(path)
    not_the_store(url, path)
    backup_files.require_kind(path, url.get_backend_name())
    with disk_errors(path):
        description = backup_files.described(path)
    kind.require_tools()
    with disk_errors(path), private_folder(_beside(url)) as folder:
        held = kind.examine(path, folder)
        _require_known(path, held, description)
        old = replaced.look(url, run)
        _require_room(url, old, path, replace)
        told = {
            "path": str(path),
            "sha256": description.get("sha256") or backup_files.digest_of(path),
            "described": bool(description),
            "made_at": description.get("made_at"),
            "revision": held.revision,
            "rows": held.rows,
            "replaced": old.summary(),
            "check": check,
        }
        if check:
            return {**told, "schema": HEAD_REVISION, "verified": False, "how": "", "token": None, "open": [], "lost": [], "notes": []}
        done = _bring_back(kind, url, path, folder, held, old, {**told, "by": by, "run": run})
    return {**told, **done, "notes": kind.notes}


def _beside(url: URL) -> Path | None:
    """Where the scratch place must be: on the disk of a SQLite file, so that it can be renamed."""
    if url.get_backend_name() != "sqlite":
        return None
    folder = Path(url.database or "").parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _require_known(path: Path, held: Contents, description: dict[str, Any]) -> None:
    if held.revision not in REVISIONS:
        raise MigrationError(
            f"The backup {path} has schema {held.revision}, which this version of fraisier.deploy does not know (it knows up to {HEAD_REVISION})",
            hint="Update the collection fraisier.deploy on this controller, then restore",
        )
    difference = compare(description.get("rows") or held.rows, held.rows)
    if difference:
        raise backup_files.damaged(path, difference)


def _require_room(url: URL, old: Old, path: Path, replace: bool) -> None:
    replaced.require_idle(describe(url), old.busy)
    if not replace and not old.empty:
        what = f"holds {old.deployments} deployments" if old.readable else "cannot be read, so nobody knows what it holds"
        again = f"ansible-playbook fraisier.deploy.store -e store=restore -e path={path} -e replace=true"
        raise ValidationError(f"{describe(url)} is not empty: it {what}", hint=f"If all of that may go: {again}", context={"option": "replace"})


def _bring_back(kind: Backups, url: URL, path: Path, folder: Path, held: Contents, old: Old, told: dict[str, Any]) -> dict[str, Any]:
    with kind.scratch(path, folder) as place:
        if place is None:
            return _without_scratch(kind, url, path, folder, held, old, told)
        require_whole(place, path, held)
        with connected(place) as store:
            done = _prepare(store, old, told)
        with _claimed(url, old, told["by"]):
            kind.swap(place, folder)
    return {**done, "verified": True, "how": "restored into a scratch database, compared, migrated, then put in place"}


def _without_scratch(kind: Backups, url: URL, path: Path, folder: Path, held: Contents, old: Old, told: dict[str, Any]) -> dict[str, Any]:
    """Where this user may create no database: PostgreSQL does all in one transaction, MySQL and MariaDB cannot, so the store must be empty there."""
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.backup_mysql import MysqlBackups
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.backup_postgresql import PostgresqlBackups

    if isinstance(kind, PostgresqlBackups):
        with _claimed(url, old, told["by"]):
            kind.replace(path, folder, kind.raising_tokens(old.token_floor(0) + TOKEN_GAP))
    elif isinstance(kind, MysqlBackups):
        if not old.empty:
            hint = "Let it create one (GRANT ALL ON `%`.* for the time of the restore), or restore into an empty database and point fraisier_store_url there"
            raise DatabaseError("Without a scratch database MySQL and MariaDB cannot replace a store in one step, and this user may create none", hint=hint)
        kind.clear()
        try:
            kind.load(url, path, folder)
            require_whole(url, path, held)
        except BaseException:
            kind.clear()
            raise
    with connected(url) as store:
        done = _prepare(store, old, told)
    return {**done, "verified": False, "how": f"{kind.how_listed}; put in place directly, for this user may create no database"}


def _prepare(store: Store, old: Old, told: dict[str, Any]) -> dict[str, Any]:
    """Make a restored store fit to go on with: today's schema, tokens above all that were ever given, and the word about the restore."""
    store.migrate()
    highest = store._transactions.read("reading tokens", replaced.highest_token)
    floor = old.token_floor(max(highest, int(store.now().timestamp()), int(time.time()))) + TOKEN_GAP
    open_ones = store._transactions.write("raising tokens", lambda connection: replaced.raise_tokens(connection, old.pairs, floor))
    lost = sorted(set(old.standing) - set(store._transactions.read("reading what is in force", replaced.standing)))
    names = ("by", "sha256", "made_at", "revision", "replaced")
    data = {"backup": Path(told["path"]).name, "token": floor, "rows": sum(told["rows"].values()), "lost": lost, **{name: told[name] for name in names}}
    word = Event(told["run"], f"restore-{uuid7()}", 1, store.now(), "store.restored", None, None, data)
    # What this very run has told so far lies in the store that goes.
    store.apply([*old.events, word])
    return {"token": floor, "open": open_ones, "lost": lost, "schema": store.schema().current}


@contextmanager
def _claimed(url: URL, old: Old, by: str) -> Iterator[None]:
    """Hold every lock of the store that goes, so that no deployment opens in it; given back when the restore fails."""
    if not old.readable or not old.has_locks:
        yield
        return
    owner = str(uuid7())
    with connected(url) as store:
        store._transactions.write("taking its locks", lambda connection: replaced.claim(connection, owner, f"store restore by {by}", LONGEST_CLAIM_SECONDS))
    try:
        yield
    except BaseException as error:
        _give_back(url, owner, error)
        raise


def _give_back(url: URL, owner: str, error: BaseException) -> None:
    try:
        with connected(url) as store:
            store._transactions.write("giving its locks back", lambda connection: replaced.give_back(connection, owner))
    except FraisierError as second:
        error.add_note(f"its locks free themselves within {LONGEST_CLAIM_SECONDS:g} s: {second}")
