# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that a controller's role in the database needs, and no more: what was recorded it can add to, not change."""

from __future__ import annotations

import re

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables, views

ADDED_TO = ("tb_audit", "tb_event")
"""What a controller adds to and never changes."""
LOOKED_AT = ("alembic_version", "tb_audit_checkpoint")
"""What the owner of the tables writes."""
_ROLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.$-]{0,62}")
_HOST = re.compile(r"[A-Za-z0-9_.:%/-]{1,255}")


def grants_sql(dialect: str, role: str) -> str:
    """Statements for the owner of the tables to run in the store's database; ``role`` is a role or user that is there already, on MariaDB and MySQL
    ``name@host``, too.
    """
    if dialect == "sqlite":
        raise ConfigurationError(
            "SQLite knows no roles: whoever can write the file can change all of it",
            hint="Keep exported heads of the audit elsewhere (fraisier.deploy.audit -e audit=export), or use PostgreSQL or MariaDB",
        )
    postgresql = dialect == "postgresql"
    name = _quoted_postgresql(role) if postgresql else _quoted_mysql(role)
    written = [table for table in sorted(tables.metadata.tables) if table not in (*ADDED_TO, *LOOKED_AT)]
    rights = dict.fromkeys(written, "SELECT, INSERT, UPDATE") | dict.fromkeys(ADDED_TO, "SELECT, INSERT")
    rights |= dict.fromkeys((*LOOKED_AT, *sorted(views.metadata.tables)), "SELECT")
    lines = [f"-- The rights of a controller of fraisier.deploy, schema {tables.HEAD_REVISION}. Run as the owner of the tables, again after each migration."]
    if postgresql:
        lines += ["GRANT USAGE ON SCHEMA public TO " + f"{name};", f"REVOKE ALL ON {', '.join(rights)} FROM {name};"]
    lines += [f"GRANT {right} ON {table} TO {name};" for table, right in rights.items()]
    return "\n".join(lines) + "\n"


def _quoted_postgresql(role: str) -> str:
    _require(role, bool(_ROLE.fullmatch(role)))
    return f'"{role}"'


def _quoted_mysql(role: str) -> str:
    user, at, host = role.partition("@")
    _require(role, bool(_ROLE.fullmatch(user)) and (not at or bool(_HOST.fullmatch(host))))
    return f"'{user}'@'{host}'" if at else f"'{user}'"


def _require(role: str, good: bool) -> None:
    if not good:
        raise ValidationError(
            f"role: {role[:80]!r} is not the name of a role",
            hint="Name the role of the controllers with -e role=fraisier_controller; on MariaDB and MySQL also -e role=name@host",
            context={"option": "role", "value": role[:80]},
        )
