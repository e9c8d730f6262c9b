# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a store in PostgreSQL: pg_dump on a snapshot whose rows are counted, pg_restore to read it, one transaction of psql to bring it back."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import SQLAlchemyError

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DatabaseError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.backup_files import Contents, damaged, foreign
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.client_tools import postgresql_access, private_folder, run_tool, tool
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.databases import contents_of, opened, scratch_database
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.failures import translate

LOCK_SECONDS = 10
_COPY = re.compile(rb'COPY (?:"?[^".]+"?\.)?"?(\w+)"? \(')
# Everything of a store in the schema that new tables go to: its views, its tables, and the functions that their triggers call.
_CLEAR = """
SET LOCAL lock_timeout = '{seconds}s';
DO $clear$
DECLARE
    entry record;
    functions text[];
    name text;
BEGIN
    SELECT array_agg(DISTINCT t.tgfoid::regprocedure::text) INTO functions
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace AND c.relname LIKE 'tb\\_%' AND p.pronamespace = c.relnamespace;
    FOR entry IN SELECT c.oid::regclass::text AS name, c.relkind FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace
          AND ((c.relkind = 'v' AND c.relname LIKE 'v\\_%') OR (c.relkind = 'r' AND (c.relname LIKE 'tb\\_%' OR c.relname = 'alembic_version')))
        ORDER BY c.relkind DESC, c.oid
    LOOP
        EXECUTE format('DROP %s IF EXISTS %s CASCADE', CASE entry.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, entry.name);
    END LOOP;
    FOREACH name IN ARRAY COALESCE(functions, ARRAY[]::text[]) LOOP
        EXECUTE format('DROP FUNCTION IF EXISTS %s', name);
    END LOOP;
END $clear$;
"""


class PostgresqlBackups:
    """The store in a PostgreSQL database of its own."""

    suffix = "dump"
    how_listed = "read to its end by pg_restore, each row counted"

    def __init__(self, url: URL, time_limit: float) -> None:
        self.url, self.time_limit = url, time_limit
        self.notes: list[str] = []

    def require_tools(self) -> None:
        """Refuse at once when a program is missing."""
        for name in ("pg_dump", "pg_restore", "psql"):
            tool(name)

    def dump(self, target: Path, folder: Path) -> Contents:
        """Write the store to ``target``; what it held in the very snapshot that was written."""
        try:
            with opened(self.url) as engine, engine.connect() as connection:
                connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
                # This transaction only waits while pg_dump works on its snapshot.
                connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
                snapshot = str(connection.execute(text("SELECT pg_export_snapshot()")).scalar_one())
                held = contents_of(connection)
                self._dump(self.url, target, folder, f"--snapshot={snapshot}")
        except SQLAlchemyError as error:
            raise translate(error, self.url, "making a backup") from None
        return held

    def _dump(self, url: URL, target: Path, folder: Path, *more: str) -> None:
        with private_folder() as secret:
            conninfo, environment = postgresql_access(url, secret)
            waiting = f"--lock-wait-timeout={LOCK_SECONDS * 1000}"
            argv = [tool("pg_dump"), "--format=custom", "--no-password", waiting, f"--file={target}", *more, f"--dbname={conninfo}"]
            run_tool(argv, url, self.time_limit, environment, folder)

    def examine(self, path: Path, folder: Path) -> Contents:
        """What the backup holds: pg_restore turns all of it to SQL without a server, and each row of each table is counted."""
        script = folder / "examined.sql"
        try:
            run_tool([tool("pg_restore"), "--data-only", f"--file={script}", str(path)], self.url, self.time_limit, {}, folder)
        except DatabaseError as error:
            raise damaged(path, error.message) from None
        revision, rows = _read_script(script)
        script.unlink()
        if revision is None or "tb_lock" not in rows:
            raise foreign(path, "it has no schema of a store")
        return Contents(revision, rows)

    def scratch(self, path: Path, folder: Path) -> AbstractContextManager[URL | None]:
        """The backup in a database of its own; nothing when this role may not create one."""
        return scratch_database(self.url, self.notes, lambda place: self._load(place, path, folder))

    def _load(self, url: URL, path: Path, folder: Path) -> None:
        with private_folder() as secret:
            conninfo, environment = postgresql_access(url, secret)
            argv = [tool("pg_restore"), "--no-password", "--no-owner", "--exit-on-error", "--single-transaction", f"--dbname={conninfo}", str(path)]
            run_tool(argv, url, self.time_limit, environment, folder)

    def swap(self, prepared: URL, folder: Path) -> None:
        """Put the prepared store in the place of the real one, in one transaction."""
        made = folder / "prepared.dump"
        self._dump(prepared, made, folder)
        self.replace(made, folder)

    def replace(self, path: Path, folder: Path, after: str = "") -> None:
        """Put what the dump ``path`` holds, followed by the statements ``after``, in the place of the real store, in one transaction."""
        script, before, end = folder / "restored.sql", folder / "before.sql", folder / "after.sql"
        run_tool([tool("pg_restore"), "--no-owner", f"--file={script}", str(path)], self.url, self.time_limit, {}, folder)
        before.write_text(_CLEAR.format(seconds=LOCK_SECONDS), encoding="utf-8")
        end.write_text(after, encoding="utf-8")
        with private_folder() as secret:
            conninfo, environment = postgresql_access(self.url, secret)
            files = [f"--file={part}" for part in (before, script, end)]
            options = ["--no-psqlrc", "--quiet", "--no-password", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
            run_tool([tool("psql"), *options, *files, f"--dbname={conninfo}"], self.url, self.time_limit, environment, folder)
        script.unlink()

    def raising_tokens(self, floor: int) -> str:
        """The statement that raises every token of a restored store to ``floor`` and frees its locks, for :meth:`replace`."""
        with opened(self.url) as engine, engine.connect() as connection:
            schema = _schema(connection)
        freed = "released_at = CASE WHEN owner IS NULL THEN released_at ELSE COALESCE(released_at, clock_timestamp()) END"
        return f"UPDATE {schema}.tb_lock SET token = GREATEST(token, {int(floor)}), {freed};\n"


def _schema(connection: Connection) -> str:
    return str(connection.execute(text("SELECT quote_ident(current_schema())")).scalar_one())


def _read_script(script: Path) -> tuple[str | None, dict[str, int]]:
    """(revision, rows of each table) from SQL as pg_restore writes it: COPY, a line for each row, a line with \\. alone."""
    rows: dict[str, int] = {}
    revision, table = None, ""
    with script.open("rb") as stream:
        for line in stream:
            if table:
                if line == b"\\.\n":
                    table = ""
                elif table == "alembic_version":
                    revision = line.decode("utf-8", "replace").strip()
                elif table.startswith("tb_"):
                    rows[table] += 1
                continue
            start = _COPY.match(line)
            if start:
                table = start.group(1).decode("ascii")
                if table.startswith("tb_"):
                    rows[table] = 0
    return revision, rows
