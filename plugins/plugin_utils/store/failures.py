# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what SQLAlchemy and the drivers raise to the domain errors: what happened, without password or parameters, and the remedy."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    DatabaseConnectionError,
    DatabaseError,
    DatabaseTransactionError,
    FraisierError,
    MigrationError,
)
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.urls import describe
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import bounded

AWAY, CONFLICT, SLOW, ACCESS, DATABASE, SCHEMA, READ_ONLY, FULL, CORRUPT, OTHER = (
    "away", "conflict", "slow", "access", "database", "schema", "read_only", "full", "corrupt", "other",
)  # fmt: skip

_POSTGRESQL = {
    "40001": CONFLICT, "40P01": CONFLICT, "55P03": CONFLICT, "23505": CONFLICT, "57014": SLOW, "42P01": SCHEMA, "42703": SCHEMA, "25006": READ_ONLY,
    "53100": FULL, "53300": AWAY, "25P03": AWAY, "3D000": DATABASE, "42501": ACCESS, "XX001": CORRUPT, "XX002": CORRUPT,
}  # fmt: skip
_POSTGRESQL_CLASSES = {"08": AWAY, "57": AWAY, "28": ACCESS}
_MYSQL = {
    1205: CONFLICT, 1213: CONFLICT, 1020: CONFLICT, 1062: CONFLICT, 1614: CONFLICT, 1969: SLOW, 3024: SLOW, 1146: SCHEMA, 1054: SCHEMA,
    1290: READ_ONLY, 1792: READ_ONLY, 1836: READ_ONLY, 1021: FULL, 1114: FULL, 1040: AWAY, 1053: AWAY, 1317: AWAY, 1927: AWAY, 2002: AWAY,
    2003: AWAY, 2006: AWAY, 2013: AWAY, 2014: AWAY, 2055: AWAY, 4031: AWAY, 1049: DATABASE, 1044: ACCESS, 1045: ACCESS, 1142: ACCESS, 1698: ACCESS,
    1712: CORRUPT,
}  # fmt: skip
_SQLITE = {
    sqlite3.SQLITE_BUSY: CONFLICT, sqlite3.SQLITE_LOCKED: CONFLICT, sqlite3.SQLITE_READONLY: READ_ONLY, sqlite3.SQLITE_CANTOPEN: AWAY,
    sqlite3.SQLITE_CORRUPT: CORRUPT, sqlite3.SQLITE_NOTADB: CORRUPT, sqlite3.SQLITE_FULL: FULL, sqlite3.SQLITE_PERM: ACCESS, sqlite3.SQLITE_AUTH: ACCESS,
    sqlite3.SQLITE_INTERRUPT: SLOW,
}  # fmt: skip

_HINTS = {
    AWAY: "Check that the database runs and that this machine reaches it (fraisier_store_url)",
    CONFLICT: "Others were writing at the same time: run it again",
    SLOW: "Look for what keeps the database busy, then run it again",
    ACCESS: "Check user, password and grants in fraisier_store_url",
    DATABASE: "Create the database, or correct its name in fraisier_store_url",
    SCHEMA: "Bring the store's schema up to date: ansible-playbook fraisier.deploy.store",
    READ_ONLY: "Let this user write there, or name the primary server in fraisier_store_url",
    FULL: "Make room on the disk of the database",
    CORRUPT: "Restore a backup: ansible-playbook fraisier.deploy.store -e store=restore -e replace=true -e path=FILE "
    "(or move the damaged one away and let a new one be made)",
    OTHER: "",
}
_CONNECTION = {AWAY, SLOW, ACCESS, DATABASE}


def kind_of(error: SQLAlchemyError) -> str:
    """What kind of trouble this is, from the driver's own code (never from the words, which are translated and change)."""
    if isinstance(error, PoolTimeout):
        return SLOW
    if not isinstance(error, DBAPIError):
        return OTHER
    original: Any = error.orig
    if isinstance(original, sqlite3.Error):
        return _sqlite_kind(original)
    if type(original).__module__.startswith("pymysql"):
        code = original.args[0] if original.args else None
        if code in _MYSQL:
            return _MYSQL[code]
    else:
        state = getattr(original, "sqlstate", None)
        if state:
            return _POSTGRESQL.get(state) or _POSTGRESQL_CLASSES.get(state[:2]) or OTHER
    if error.connection_invalidated:
        return AWAY
    # libpq's failures to connect carry no code: psycopg gives a bare OperationalError.
    return _unnamed(original)


def _unnamed(original: Any) -> str:
    module, name = type(original).__module__, type(original).__name__
    if module.startswith("psycopg") and name in ("OperationalError", "ConnectionTimeout"):
        text = str(original).lower()
        if "authentication" in text or "no password supplied" in text or ("role " in text and "does not exist" in text):
            return ACCESS
        return DATABASE if "database " in text and "does not exist" in text else AWAY
    if module.startswith("pymysql") and name in ("InterfaceError", "OperationalError"):
        return AWAY
    return OTHER


def _sqlite_kind(original: sqlite3.Error) -> str:
    code = getattr(original, "sqlite_errorcode", None)
    if code is None:
        return OTHER
    if code == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
        return CONFLICT
    primary = code & 0xFF
    if primary == sqlite3.SQLITE_ERROR and str(original).startswith(("no such table", "no such column")):
        return SCHEMA
    return _SQLITE.get(primary, OTHER)


def translate(error: SQLAlchemyError, url: URL, doing: str) -> FraisierError:
    """The domain error for ``error`` that came up while ``doing`` (words that go on from "while")."""
    kind = kind_of(error)
    message = f"{describe(url)} {_said(kind)} while {doing}: {reason(error, url)}"
    context = {"store": describe(url), "kind": kind}
    if kind in _CONNECTION:
        category = "TIMEOUT" if kind == SLOW else None
        return DatabaseConnectionError(message, category=category, hint=_HINTS[kind], context=context, cause=error)
    if kind == CONFLICT:
        return DatabaseTransactionError(message, hint=_HINTS[kind], context=context, cause=error)
    if kind == SCHEMA:
        return MigrationError(message, hint=_HINTS[kind], context=context, cause=error)
    category = "RESOURCE" if kind in (READ_ONLY, FULL) else None
    return DatabaseError(message, category=category, hint=_HINTS[kind], context=context, cause=error)


def _said(kind: str) -> str:
    return {
        AWAY: "cannot be reached",
        SLOW: "did not answer in time",
        ACCESS: "refused this user",
        DATABASE: "has no such database",
        CONFLICT: "was busy with others",
        SCHEMA: "lacks a table or column",
        READ_ONLY: "is read-only",
        FULL: "is full",
        CORRUPT: "is damaged or not a database",
    }.get(kind, "refused")


def reason(error: SQLAlchemyError, url: URL) -> str:
    """The driver's first line, without the password."""
    original: Any = getattr(error, "orig", None) or error
    if isinstance(error, IntegrityError) and not isinstance(original, sqlite3.Error):
        # The rest of such a message repeats values.
        return f"constraint violated ({type(original).__name__})"
    if isinstance(original, Exception) and len(original.args) == 2 and isinstance(original.args[0], int):
        text = f"{original.args[1]} ({original.args[0]})"
    else:
        text = str(original)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = lines[0] if lines else type(original).__name__
    if url.password:
        first = first.replace(str(url.password), "***")
    return bounded(first, 500)
