# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The triggers that keep the audit append-only: are they all there and switched on? Read only."""

from __future__ import annotations

from sqlalchemy import bindparam, text
from sqlalchemy.engine import Connection

GUARDED = ("tb_audit", "tb_audit_checkpoint")
DEEDS = {"sqlite": ("update", "delete"), "postgresql": ("update", "delete", "truncate"), "mysql": ("update", "delete"), "mariadb": ("update", "delete")}
"""No trigger fires for TRUNCATE on MySQL and MariaDB, and SQLite has none."""

_THERE = {
    "sqlite": "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN :tables",
    "postgresql": """SELECT t.tgname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND pg_table_is_visible(c.oid) AND c.relname IN :tables""",
    "mysql": "SELECT trigger_name, event_object_table FROM information_schema.triggers WHERE trigger_schema = DATABASE() AND event_object_table IN :tables",
}
_MAY_SEE = """SELECT EXISTS (SELECT 1 FROM information_schema.user_privileges WHERE privilege_type = 'TRIGGER')
    OR EXISTS (SELECT 1 FROM information_schema.schema_privileges WHERE privilege_type = 'TRIGGER' AND DATABASE() LIKE table_schema)
    OR EXISTS (SELECT 1 FROM information_schema.table_privileges WHERE privilege_type = 'TRIGGER' AND table_schema = DATABASE() AND table_name = 'tb_audit')"""


def guards(dialect: str) -> dict[str, str]:
    """Each trigger that ought to be there, with its table."""
    return {f"{table.replace('tb_', 'tr_')}_{deed}": table for table in GUARDED for deed in DEEDS[dialect]}


def missing_guards(connection: Connection) -> list[str] | None:
    """The triggers that are gone or switched off; None when this user of MySQL or MariaDB has no right to see triggers (a controller's role needs none)."""
    dialect = connection.dialect.name
    reads = text(_THERE["mysql" if dialect == "mariadb" else dialect]).bindparams(bindparam("tables", expanding=True))
    there = {str(row[0]): str(row[1]) for row in connection.execute(reads, {"tables": list(GUARDED)})}
    gone = sorted(name for name, table in guards(dialect).items() if there.get(name) != table)
    if gone and dialect in ("mysql", "mariadb") and not connection.execute(text(_MAY_SEE)).scalar():
        return None
    return gone
