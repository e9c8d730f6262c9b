# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures of the testbed. A conftest takes them by ``from tests.testbed.fixtures import *``; a server starts when a test first asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed.databases import MariadbServer, PostgresqlServer, Server, fresh_name
from tests.testbed.fleet import Fleet, open_fleet
from tests.testbed.hosts import Host

__all__ = ["fleet", "hosts", "mariadb_server", "mariadb_url", "postgresql_server", "postgresql_url", "sqlite_url", "store_url"]


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    """Three hosts with their network; ``fleet.add(n)`` starts more."""
    opened = open_fleet(3)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def hosts(fleet: Fleet) -> list[Host]:
    """Three systemd hosts, the same for the whole session: a test uses its own folder, unit and port on them, or cleans up."""
    return fleet.hosts[:3]


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A PostgreSQL server of this session; a test that stops it starts it again."""
    server = PostgresqlServer().begin()
    yield server
    server.end()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    """A MariaDB server of this session; a test that stops it starts it again."""
    server = MariadbServer().begin()
    yield server
    server.end()


def _database(server: Server) -> Iterator[str]:
    name = fresh_name()
    server.start()
    yield server.create_database(name)
    server.start()
    server.drop_database(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Url of a SQLite store whose file is not there yet."""
    return f"sqlite:///{tmp_path}/store/store.db"


@pytest.fixture
def postgresql_url(postgresql_server: Server) -> Iterator[str]:
    """Url of an empty PostgreSQL database."""
    yield from _database(postgresql_server)


@pytest.fixture
def mariadb_url(mariadb_server: Server) -> Iterator[str]:
    """Url of an empty MariaDB database."""
    yield from _database(mariadb_server)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def store_url(request: pytest.FixtureRequest) -> str:
    """Url of an empty database, once for each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))
