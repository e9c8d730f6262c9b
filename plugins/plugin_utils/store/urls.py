# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the text a user wrote to a SQLAlchemy URL; what may be shown of it."""

from __future__ import annotations

import importlib
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError

DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mysql+pymysql": "mysql+pymysql",
    "mariadb+pymysql": "mysql+pymysql",
}
PACKAGES = {"postgresql": ("psycopg", "psycopg[binary]"), "mysql": ("pymysql", "PyMySQL")}
# In one piece the example would be taken for a password where messages are redacted.
FORMS = (
    "Write sqlite:////absolute/path/store.db (four slashes), or postgresql:// or mysql:// and right behind it user:password@host/database "
    "(fraisier_store_url, [fraisier] store_url or FRAISIER_STORE_URL)"
)


def parse_url(text: str) -> URL:
    """The URL with its driver; ConfigurationError names the forms that work and never repeats the text (it may hold a password)."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError, TypeError, AttributeError):
        raise ConfigurationError("The store's URL cannot be read", hint=FORMS) from None
    driver = DRIVERS.get(url.drivername)
    if driver is None:
        raise ConfigurationError(f"The store cannot be of the kind {url.drivername!r}", hint=FORMS)
    url = url.set(drivername=driver)
    if driver.startswith("sqlite"):
        return url.set(database=str(_sqlite_path(url)))
    if "@" in f"{url.host}{url.database}":
        raise ConfigurationError("The store's URL has an @ too many", hint="In user and password write %40 for @, %2F for / and %3A for :. " + FORMS)
    if not url.database:
        raise ConfigurationError(f"The store's URL names no database: {describe(url)}", hint=FORMS)
    return url


def _sqlite_path(url: URL) -> Path:
    name = url.database or ""
    if url.host or url.query:
        raise ConfigurationError("A SQLite store is a path and nothing else: no host, no options", hint=FORMS)
    if name in ("", ":memory:"):
        raise ConfigurationError("A store in memory would forget everything at the end of the run", hint=FORMS)
    path = Path(name)
    if name.startswith("~"):
        try:
            path = path.expanduser()
        except RuntimeError:
            raise ConfigurationError(f"The home folder in the store's path {name!r} is not known", hint=FORMS) from None
    if not path.is_absolute():
        raise ConfigurationError(f"The store's path {name!r} depends on the folder one stands in", hint=f"Write sqlite:////{name} when /{name} is meant")
    return path


def describe(url: URL) -> str:
    """The store as messages name it: no password, no options."""
    if url.drivername.startswith("sqlite"):
        return f"SQLite file {url.database}"
    kind = "PostgreSQL" if url.drivername.startswith("postgresql") else "MySQL/MariaDB"
    host = url.host or str(url.query.get("host") or url.query.get("unix_socket") or "local socket")
    return f"{kind} {url.username or ''}@{host}{f':{url.port}' if url.port else ''}/{url.database or ''}"


def require_driver(dialect: str) -> None:
    """ConfigurationError with the package to install when the driver is missing."""
    if dialect not in PACKAGES:
        return
    module, package = PACKAGES[dialect]
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise ConfigurationError(
            f"The store's driver {module} is not there: {error}", hint=f"Install it beside Ansible: pip install '{package}'", cause=error
        ) from error
