# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database servers of the testbed do what the tests of the store rely on."""

from __future__ import annotations

import pytest

from tests.testbed.databases import Server, fresh_name


@pytest.fixture(params=["postgresql_server", "mariadb_server"])
def server(request: pytest.FixtureRequest) -> Server:
    return request.getfixturevalue(request.param)


def test_what_was_committed_survives_the_death_of_the_server(server: Server) -> None:
    name = fresh_name()
    server.create_database(name)
    server.execute("CREATE TABLE kept (n INT)", database=name)
    server.execute("INSERT INTO kept VALUES (7)", database=name)
    server.kill()
    assert not server.running
    with pytest.raises(Exception, match=r"refused|connect"):
        server.connect(name)
    server.start()
    assert server.execute("SELECT n FROM kept", database=name) == [(7,)]
    server.drop_database(name)


def test_a_stopped_server_comes_back_on_the_same_port(server: Server) -> None:
    port = server.port
    server.stop()
    assert not server.running
    server.start()
    assert server.port == port
    assert server.execute("SELECT 1") == [(1,)]


def test_a_database_is_dropped_while_somebody_uses_it(server: Server) -> None:
    name = fresh_name()
    url = server.create_database(name)
    assert url.endswith(f"/{name}")
    connection = server.connect(name)
    server.drop_database(name)
    server.create_database(name)
    server.drop_database(name)
    connection.close()


def test_store_urls_name_three_kinds(store_url: str) -> None:
    assert store_url.split("://")[0] in {"sqlite", "postgresql", "mariadb"}
