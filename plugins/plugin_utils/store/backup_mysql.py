# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a store in MySQL or MariaDB: mysqldump in one snapshot, a scratch database to bring it back, and one RENAME TABLE to let them change places."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DatabaseError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.backup_files import Contents, damaged, foreign
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.client_tools import mysql_access, private_folder, run_tool, tool
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.databases import contents_of, opened, run_alone, scratch_database
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.failures import translate

DUMP = (
    "--single-transaction", "--quick", "--routines", "--triggers", "--hex-blob", "--no-tablespaces",
    "--complete-insert", "--skip-extended-insert", "--no-autocommit",
)  # fmt: skip
"""One INSERT a line: so rows can be counted, and a row is never too long for the server."""
_INSERT = re.compile(rb"INSERT INTO `(\w+)` \(")
_REVISION = re.compile(rb"INSERT INTO `alembic_version` \(`version_num`\) VALUES \('([^']+)'\)")
# Whoever restores it owns it: naming the owner of then asks for rights that few have.
_DEFINER = re.compile(rb"DEFINER=`[^`]*`@`[^`]*`")
_DEFINER_TEXT = re.compile(r"DEFINER=`[^`]*`@`[^`]*`\s*")
_SANDBOX = b"/*M!999999"
OURS = ("tb_", "v_", "alembic_version")


class MysqlBackups:
    """The store in a MySQL or MariaDB database of its own."""

    suffix = "sql"
    how_listed = "read to its line of completion, each row counted"

    def __init__(self, url: URL, time_limit: float) -> None:
        self.url, self.time_limit = url, time_limit
        self.notes: list[str] = []
        self._mariadb: bool | None = None

    def _tools(self) -> tuple[str, str]:
        """The dumping and the running program: the server's own kind first."""
        if self._mariadb is None:
            try:
                with opened(self.url) as engine, engine.connect() as connection:
                    self._mariadb = bool(connection.dialect.is_mariadb)  # type: ignore[attr-defined]
            except SQLAlchemyError as error:
                raise translate(error, self.url, "asking for its kind") from None
        if self._mariadb:
            return tool("mariadb-dump", "mysqldump"), tool("mariadb", "mysql")
        return tool("mysqldump", "mariadb-dump"), tool("mysql", "mariadb")

    def require_tools(self) -> None:
        """Refuse at once when a program is missing."""
        self._tools()

    def dump(self, target: Path, folder: Path) -> Contents:
        """Write the store to ``target``; what it held shortly before. No other session can count in the dump's snapshot."""
        program, _client = self._tools()
        held = self._held()
        with private_folder() as secret:
            argv = [program, *mysql_access(self.url, secret), *DUMP, f"--result-file={target}", str(self.url.database)]
            run_tool(argv, self.url, self.time_limit, {}, folder)
        found, after = self.examine(target, folder), self._held()
        wrong = [name for name, rows in found.rows.items() if not _between(rows, held.rows.get(name, 0), after.rows.get(name, 0))]
        if wrong or found.revision not in (held.revision, after.revision):
            hint = "Run it again, and not beside a prune or a migration"
            raise DatabaseError(f"The dump does not hold what the store holds: {', '.join(wrong) or 'another revision'}", hint=hint, recoverable=True)
        return found

    def _held(self) -> Contents:
        try:
            with opened(self.url) as engine, engine.connect() as connection:
                return contents_of(connection)
        except SQLAlchemyError as error:
            raise translate(error, self.url, "counting rows") from None

    def examine(self, path: Path, _folder: Path) -> Contents:
        """What the backup holds: each row is a line. Its last line says that it is complete."""
        rows: dict[str, int] = {}
        revision, last = None, b""
        with path.open("rb") as stream:
            for line in stream:
                last = line if line.strip() else last
                if line.startswith(b"CREATE TABLE `tb_"):
                    rows[line.split(b"`")[1].decode("ascii", "replace")] = 0
                found = _INSERT.match(line)
                if found and found.group(1).startswith(b"tb_"):
                    name = found.group(1).decode("ascii")
                    rows[name] = rows.get(name, 0) + 1
                told = _REVISION.match(line)
                revision = told.group(1).decode("utf-8", "replace") if told else revision
        if not last.startswith(b"-- Dump completed"):
            raise damaged(path, "it has no line of completion, so its end is missing")
        if revision is None or "tb_lock" not in rows:
            raise foreign(path, "it has no schema of a store")
        return Contents(revision, rows)

    def scratch(self, path: Path, folder: Path) -> AbstractContextManager[URL | None]:
        """The backup in a database of its own; nothing when this user may not create one."""
        return scratch_database(self.url, self.notes, lambda place: self.load(place, path, folder))

    def load(self, url: URL, path: Path, folder: Path) -> None:
        """Run what the backup holds in an empty database."""
        script = folder / "restored.sql"
        with path.open("rb") as source, script.open("wb") as target:
            for line in source:
                if line.startswith(b"/*!"):
                    line = _DEFINER.sub(b"", line)
                if not line.startswith(_SANDBOX):
                    target.write(line)
        _program, client = self._tools()
        with private_folder() as secret:
            # The shell only opens the file: sourcing it in the client would go on after an error.
            argv = ["/bin/sh", "-c", 'exec "$@" < restored.sql', "sh", client, *mysql_access(url, secret), "--batch", str(url.database)]
            run_tool(argv, url, self.time_limit, {}, folder, name=Path(client).name)
        script.unlink()

    def clear(self) -> None:
        """Remove every table and view of a store from the real database."""
        try:
            with opened(self.url) as engine, engine.connect() as connection:
                tables, views = _tables(connection, "BASE TABLE"), _tables(connection, "VIEW")
                for kind, names in (("VIEW", views), ("TABLE", tables)):
                    connection.exec_driver_sql("SET foreign_key_checks = 0")
                    for name in names:
                        connection.exec_driver_sql(f"DROP {kind} IF EXISTS `{name}`")
        except SQLAlchemyError as error:
            raise translate(error, self.url, "emptying the store") from None

    def swap(self, prepared: URL, _folder: Path) -> None:
        """Let the tables of the prepared store and of the real one change places, by one statement; the old ones go with the database they are in then.

        A table with triggers cannot move, so both sides' triggers are taken off before and put on after; views stay and are made anew.
        """
        try:
            with (
                scratch_database(self.url, self.notes) as attic,
                opened(self.url) as live,
                opened(prepared) as new,
            ):
                if attic is None:
                    raise DatabaseError("This user may create no database", hint="Grant it the right to create databases for the restore")
                _exchange(live, new, str(attic.database))
        except SQLAlchemyError as error:
            raise translate(error, self.url, "putting the restored tables in place") from None


def _exchange(live: Engine, new: Engine, attic: str) -> None:
    """The tables of ``live`` go to the database ``attic``, those of ``new`` to ``live``."""
    here, there = live.url.database, new.url.database
    with live.connect() as connection:
        old_tables, old_views, old_triggers = _tables(connection, "BASE TABLE"), _tables(connection, "VIEW"), _triggers(connection)
    with new.connect() as connection:
        new_tables, new_views, new_triggers = _tables(connection, "BASE TABLE"), _views(connection), _triggers(connection)
    moves = [f"`{here}`.`{name}` TO `{attic}`.`{name}`" for name in old_tables]
    moves += [f"`{there}`.`{name}` TO `{here}`.`{name}`" for name in new_tables]
    run_alone(new, *(f"DROP TRIGGER `{name}`" for name in new_triggers))
    try:
        run_alone(live, *(f"DROP TRIGGER `{name}`" for name in old_triggers))
        run_alone(live, f"RENAME TABLE {', '.join(moves)}")
    except SQLAlchemyError:
        _put_on(live, old_triggers)
        raise
    _put_on(live, new_triggers)
    run_alone(live, *(f"DROP VIEW IF EXISTS `{name}`" for name in old_views), *new_views)


def _between(value: int, one: int, other: int) -> bool:
    return min(one, other) <= value <= max(one, other)


def _tables(connection: Connection, kind: str) -> list[str]:
    rows = connection.exec_driver_sql(f"SHOW FULL TABLES WHERE Table_type = '{kind}'").all()
    return [str(row[0]) for row in rows if str(row[0]).startswith(OURS)]


def _triggers(connection: Connection) -> dict[str, str]:
    """Trigger to the statement that makes it."""
    names = [str(row[0]) for row in connection.exec_driver_sql("SHOW TRIGGERS").all() if str(row[2]).startswith("tb_")]
    found = {name: str(connection.exec_driver_sql(f"SHOW CREATE TRIGGER `{name}`").one()[2]) for name in names}
    return {name: _DEFINER_TEXT.sub("", statement, count=1) for name, statement in found.items()}


def _views(connection: Connection) -> list[str]:
    """The statements that make the views, those that others need first."""
    found = {name: str(connection.exec_driver_sql(f"SHOW CREATE VIEW `{name}`").one()[1]) for name in _tables(connection, "VIEW")}
    here = str(connection.exec_driver_sql("SELECT DATABASE()").scalar_one())
    found = {name: _DEFINER_TEXT.sub("", statement, count=1).replace(f"`{here}`.", "") for name, statement in found.items()}
    needs = {name: {other for other in found if other != name and f"`{other}`" in found[name]} for name in found}
    ordered: list[str] = []
    while needs:
        ready = sorted(name for name, others in needs.items() if not others & needs.keys()) or sorted(needs)
        ordered += ready
        needs = {name: others for name, others in needs.items() if name not in ready}
    return [found[name] for name in ordered]


def _put_on(engine: Engine, triggers: dict[str, str]) -> None:
    """Make triggers that are not there."""
    with engine.connect() as connection:
        there = {str(row[0]) for row in connection.exec_driver_sql("SHOW TRIGGERS").all()}
    run_alone(engine, *(statement for name, statement in triggers.items() if name not in there))
