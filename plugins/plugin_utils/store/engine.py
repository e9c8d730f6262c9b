# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One SQLAlchemy engine for each kind of database: time limits on everything, the same transactions and moments on all three."""

from __future__ import annotations

import math
import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection, Engine, ExceptionContext
from sqlalchemy.pool import QueuePool

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DatabaseConnectionError, DatabaseError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.failures import AWAY, kind_of
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.urls import require_driver
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import dumps

WRITE = "fraisier_write"
"""Execution option of a connection that is going to write."""
ELSEWHERE = "name another place in fraisier_store_url"
IDLE_SECONDS = 10
"""How long a controller that was stopped in the middle of a transaction may hold its rows before the server ends its session."""
SQL_MODE = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ENGINE_SUBSTITUTION"
"""Text that does not fit is refused, not cut."""


def make_engine(url: URL, *, timeout: float, read_only: bool = False) -> Engine:
    """An engine whose connecting, statements and waits for locks each end within ``timeout`` seconds. Opens nothing yet, but makes a missing SQLite file."""
    dialect = url.get_backend_name()
    require_driver(dialect)
    options: dict[str, Any] = {
        "poolclass": QueuePool,
        "pool_size": 2,
        "max_overflow": 2,
        "pool_timeout": timeout,
        "hide_parameters": True,
        "json_serializer": dumps,
    }
    if dialect == "sqlite":
        path = Path(url.database or "")
        prepare_file(path, read_only)
        engine = create_engine(url, creator=lambda: _open_file(path, timeout, read_only), **options)
        _tune_sqlite(engine, read_only)
    elif dialect == "postgresql":
        engine = create_engine(url, connect_args=_unless_given(url, postgresql_arguments(timeout)), **options)
        _tune_postgresql(engine, timeout, read_only)
    else:
        engine = create_engine(url, connect_args=mysql_arguments(timeout), isolation_level="READ COMMITTED", **options)
        _tune_mysql(engine, timeout, read_only)
    _discard_dead_connections(engine)
    return engine


def _discard_dead_connections(engine: Engine) -> None:
    """What means "away" for us must not go back to the pool, also where SQLAlchemy does not know the driver's code for it."""

    @event.listens_for(engine, "handle_error")
    def _on_error(context: ExceptionContext) -> None:
        if context.sqlalchemy_exception is not None and kind_of(context.sqlalchemy_exception) == AWAY:
            context.is_disconnect = True


def prepare_file(path: Path, read_only: bool) -> None:
    """Make the folder (0700) and the file (0600) of a SQLite store, or say what stands in the way."""
    try:
        if read_only:
            if not path.is_file():
                raise DatabaseConnectionError(f"There is no store at {path}", category="RESOURCE", hint=f"The first deployment makes it; or {ELSEWHERE}")
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        writable = os.access(path.parent, os.W_OK)
    except OSError as error:
        hint = f"Let this user write there, or {ELSEWHERE}"
        if path.is_file() and not os.access(path, os.W_OK):
            raise DatabaseError(f"The store {path} is read-only: {error.strerror}", category="RESOURCE", hint=hint, cause=error) from error
        message = f"The store {path} cannot be made: {error.strerror}: {error.filename}"
        raise DatabaseConnectionError(message, category="RESOURCE", hint=hint, cause=error) from error
    if not writable:
        hint = "SQLite writes its log beside the file: let this user write in that folder"
        raise DatabaseError(f"The folder of the store {path} is read-only", category="RESOURCE", hint=hint)


def _open_file(path: Path, timeout: float, read_only: bool) -> sqlite3.Connection:
    mode = "ro" if read_only else "rw"
    return sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, timeout=timeout, isolation_level=None, check_same_thread=False)


def _tune_sqlite(engine: Engine, read_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: Any) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA recursive_triggers = ON")
        if not read_only and connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode = WAL")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # Taking the write lock at the start is what makes a reading-then-writing transaction safe (and DDL undoable).
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITE) else "BEGIN")


def postgresql_arguments(timeout: float) -> dict[str, Any]:
    """libpq's own limits: connecting, dead peers; no prepared statements, so that a pooler in between does no harm."""
    return {
        "connect_timeout": max(2, math.ceil(timeout)),
        "tcp_user_timeout": int(timeout * 1000),
        "keepalives": 1,
        "keepalives_idle": 10,
        "keepalives_interval": 3,
        "keepalives_count": 3,
        "application_name": "fraisier",
        "prepare_threshold": None,
    }


def _unless_given(url: URL, arguments: dict[str, Any]) -> dict[str, Any]:
    """What the user wrote in the URL wins."""
    return {name: value for name, value in arguments.items() if name not in url.query}


def _tune_postgresql(engine: Engine, timeout: float, read_only: bool) -> None:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.postgresql import connection_class

    bounded = connection_class(timeout)
    limit = int(server_limit(timeout) * 1000)
    # Less than the statement's, or that one would come first and a busy row look like a slow server.
    waiting = int(timeout * 500)
    idle = limit + IDLE_SECONDS * 1000
    settings = f"SET statement_timeout = {limit}; SET lock_timeout = {waiting}; SET idle_in_transaction_session_timeout = {idle}; SET timezone = 'UTC'"
    if read_only:
        settings += "; SET default_transaction_read_only = on"

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, arguments: Any, keywords: Any) -> Any:
        return bounded.connect(*arguments, **keywords)

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(settings)
        connection.commit()


def mysql_arguments(timeout: float) -> dict[str, Any]:
    """PyMySQL's limits in seconds: connecting, and each read or write on the socket."""
    return {"connect_timeout": timeout, "read_timeout": timeout, "write_timeout": timeout, "charset": "utf8mb4"}


def _tune_mysql(engine: Engine, timeout: float, read_only: bool) -> None:
    limit = server_limit(timeout)
    waiting = max(1, int(limit))
    common = f"time_zone = '+00:00', sql_mode = '{SQL_MODE}', innodb_lock_wait_timeout = {waiting}, lock_wait_timeout = {waiting}"

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        mariadb = "mariadb" in str(connection.get_server_info()).lower()
        idle = math.ceil(limit) + IDLE_SECONDS
        ending = f"max_statement_time = {limit:g}, idle_transaction_timeout = {idle}" if mariadb else f"max_execution_time = {int(limit * 1000)}"
        with connection.cursor() as cursor:
            cursor.execute(f"SET {common}, {ending}")
            if read_only:
                cursor.execute("SET SESSION TRANSACTION READ ONLY")


def server_limit(timeout: float) -> float:
    """The server gives up a little before the client does, so that a slow statement is told from a dead server."""
    return timeout * 0.75
