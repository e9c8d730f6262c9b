# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role in a database with the rights of a controller, as the owner of the tables gives them."""

from __future__ import annotations

import secrets

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url


def controllers_url(owner_url: str, grants: str, role: str | None = None) -> str:
    """Make a role (a name of its own unless it is given) in the server of ``owner_url``, run ``grants`` with its name for ROLE, and return its URL."""
    url = make_url(owner_url)
    postgresql = url.get_backend_name() == "postgresql"
    role, password = role or f"controller_{secrets.token_hex(4)}", secrets.token_hex(12)
    driver = "postgresql+psycopg" if postgresql else "mariadb+pymysql"
    engine = create_engine(url.set(drivername=driver), isolation_level="AUTOCOMMIT")
    make = f"CREATE ROLE {role} LOGIN PASSWORD '{password}'" if postgresql else f"CREATE USER {role}@'%' IDENTIFIED BY '{password}'"
    with engine.connect() as connection:
        for statement in [make, *grants.replace("ROLE", role).split(";\n")]:
            words = "\n".join(line for line in statement.splitlines() if not line.startswith("--")).strip()
            if words:
                connection.execute(text(words))
    engine.dispose()
    return url.set(username=role, password=password).render_as_string(hide_password=False)
