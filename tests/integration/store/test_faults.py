# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that die, freeze, refuse or are busy: a clear error in time, and the next call works by itself."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    DatabaseConnectionError,
    DatabaseError,
    DatabaseTransactionError,
    FraisierError,
)
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Event, Store, engine, tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.engine import WRITE
from tests.testbed.database_server import Server, descendants
from tests.unit.plugins.plugin_utils.store.builders import Run, request

SLACK = 1.5
"""Seconds that a loaded machine may add to a time limit."""


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that a test may stop; it runs again afterwards."""
    found: Server = request.getfixturevalue(f"{request.param}_server")
    yield found
    found.start()


@pytest.fixture
def remote(server: Server, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store on that server."""
    url = request.getfixturevalue("postgresql_url" if server.scheme == "postgresql" else "mariadb_url")
    with Store.connect(url) as connected:
        connected.migrate()
        yield connected


def _fails(kind: type[FraisierError], limit: float, act: Callable[[], Any]) -> FraisierError:
    """The error of ``act``, which must come within ``limit`` seconds and never show the password."""
    start = time.monotonic()
    with pytest.raises(kind) as caught:
        act()
    assert time.monotonic() - start < limit + SLACK
    assert "strawberry" not in f"{caught.value} {caught.value.to_dict()}"
    assert caught.value.hint
    return caught.value


@contextmanager
def _frozen(server: Server) -> Iterator[None]:
    """The server takes connections and data and answers nothing, like a machine that swaps or a disk that hangs."""
    assert server._process is not None
    pids = [server._process.pid, *descendants(server._process.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)


def test_a_server_that_was_restarted_is_used_again_without_a_word(server: Server, remote: Store) -> None:
    run = Run(remote)
    for end in (server.stop, server.kill):
        end()
        server.start()
        assert remote.apply([run.event("task.ok")]) == 1
    server.kill()
    server.start()
    assert remote.renew_lease(run.opened.lease, 30).token == run.opened.lease.token


def test_a_server_that_is_gone_is_named_at_once_and_the_store_works_when_it_is_back(server: Server, remote: Store) -> None:
    run = Run(remote)
    events = run.whole()
    assert remote.apply(events[:5]) == 5
    server.kill()
    for act in (remote.now, lambda: remote.apply(events), lambda: remote.open_deployment(request()), lambda: remote.renew_lease(run.opened.lease, 30)):
        assert "cannot be reached" in str(_fails(DatabaseConnectionError, 1, act))
    server.start()
    assert remote.apply(events) == len(events)
    assert remote.count_events(run.request.run, "callback") == len(events)
    assert run.row()["status"] == "success"


def test_a_frozen_server_blocks_nobody_longer_than_the_timeout(server: Server, remote: Store) -> None:
    run = Run(remote)
    url = remote._url.render_as_string(hide_password=False)
    with _frozen(server):
        _fails(DatabaseConnectionError, 2, remote.now)
        _fails(DatabaseConnectionError, 2, lambda: remote.apply([run.event("task.ok")]))
        _fails(DatabaseConnectionError, 2, lambda: Store.connect(url))
        start = time.monotonic()
        remote.close()
        assert time.monotonic() - start < SLACK
    assert remote.apply([run.event("task.ok")]) == 1


def test_events_stored_while_the_server_dies_again_and_again_are_there_exactly_once(server: Server, remote: Store) -> None:
    run = Run(remote, lease_seconds=3600)
    events = [run.event("playbook.start")]
    for number in range(30):
        events += run.step(f"web{number}", "activate")
    events.append(run.closing())
    batches = [events[start : start + 4] for start in range(0, len(events), 4)]
    failures = 0
    for position, batch in enumerate(batches):
        killer = threading.Timer(0.001 * position, server.kill) if position % 4 == 1 else None
        if position % 8 == 3:
            server.kill()
        if killer:
            killer.start()
        while True:
            try:
                assert remote.apply(batch) == len(batch)
                break
            except DatabaseConnectionError:
                failures += 1
                if killer:
                    killer.join()
                server.start()
        if killer:
            killer.join()
            server.start()
    assert failures > 0
    assert remote.count_events(run.request.run, "callback") == len(events)
    row = run.row()
    assert (row["status"], row["hosts_active"], len(row["steps"])) == ("success", 30, 30)
    assert {(step["outcome"], step["attempt"]) for step in row["steps"]} == {("ok", 1)}


def test_a_row_that_others_hold_is_given_up_in_time(store: Store) -> None:
    run = Run(store)
    lock = tables.lock
    writing = store._engine.execution_options(**{WRITE: True})
    with writing.connect() as other:
        other.execute(select(lock).with_for_update())
        error = _fails(DatabaseTransactionError, 2.5, lambda: store.renew_lease(run.opened.lease, 30))
        other.rollback()
    assert error.recoverable
    assert store.renew_lease(run.opened.lease, 30).token == run.opened.lease.token


def test_a_controller_that_was_stopped_in_a_transaction_does_not_block_the_others_for_ever(
    server: Server, remote: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(remote)
    monkeypatch.setattr(engine, "IDLE_SECONDS", 0)
    stopped = engine.make_engine(remote._url, timeout=2)
    with stopped.connect() as other:
        other.execute(select(tables.lock).with_for_update())
        deadline = time.monotonic() + 10
        while True:
            try:
                assert remote.renew_lease(run.opened.lease, 30).token == run.opened.lease.token
                break
            except DatabaseTransactionError:
                assert time.monotonic() < deadline
        with pytest.raises(DBAPIError):
            other.execute(select(tables.lock))
    stopped.dispose()


def test_a_conflict_that_passes_is_overcome_without_a_word(store: Store) -> None:
    run = Run(store)
    writing = store._engine.execution_options(**{WRITE: True})
    with writing.connect() as other:
        other.execute(select(tables.lock).with_for_update())
        threading.Timer(0.5, other.rollback).start()
        assert store.renew_lease(run.opened.lease, 30).token == run.opened.lease.token


def test_two_transactions_in_each_others_way_both_end_well(remote: Store) -> None:
    first, second = Run(remote, fraise="a"), Run(remote, fraise="b")
    events = [[one.event("tick", number=number) for number in range(40) for one in pair] for pair in ((first, second), (second, first))]
    stored: list[int] = []
    threads = [threading.Thread(target=lambda part=part: stored.extend(remote.apply(part[start : start + 2]) for start in range(0, 80, 2))) for part in events]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(stored) == 160


@pytest.mark.parametrize("scheme", ["postgresql", "mariadb"])
def test_a_port_where_nobody_listens_is_named(scheme: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        error = _fails(DatabaseConnectionError, 1, lambda: Store.connect(f"{scheme}://ada:strawberry@127.0.0.1:{port}/fraisier"))
    assert f"ada@127.0.0.1:{port}/fraisier cannot be reached" in str(error)
    assert error.recoverable


@pytest.mark.parametrize("scheme", ["postgresql", "mariadb"])
def test_a_port_that_takes_connections_and_says_nothing_is_given_up(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        _fails(DatabaseConnectionError, 2, lambda: Store.connect(f"{scheme}://ada:strawberry@127.0.0.1:{port}/fraisier"))


def test_a_wrong_password_a_missing_database_and_missing_rights_are_told_apart(server: Server) -> None:
    where = f"127.0.0.1:{server.port}"
    error = _fails(DatabaseConnectionError, 1, lambda: Store.connect(f"{server.scheme}://{server.user}:strawberry-x@{where}/mysql"))
    assert "refused this user" in str(error)
    assert "password" in error.hint
    error = _fails(DatabaseConnectionError, 1, lambda: Store.connect(server.url("no_such_database")))
    assert "has no such database" in str(error)
    assert "Create the database" in error.hint


def test_reading_only_never_writes(store: Store, store_url: str) -> None:
    run = Run(store)
    with Store.connect(store_url, read_only=True) as reader:
        assert reader.history()[0]["identifier"] == run.opened.identifier
        assert reader.metrics_rows()["active_deployments"] == [{"provider": "bare_metal", "value": 1}]
        with pytest.raises(DatabaseError, match="read-only"):
            reader.renew_lease(run.opened.lease, 30)
        with pytest.raises(DatabaseError, match="read-only"):
            reader.apply([Event(run.request.run, "x", 1, store.now(), "t")])


def test_a_slow_statement_is_stopped_by_the_server(remote: Store) -> None:
    sleep = "SELECT pg_sleep(10)" if remote.dialect == "postgresql" else "SELECT SLEEP(10)"
    error = _fails(DatabaseConnectionError, 2, lambda: remote._transactions.read("sleeping", lambda connection: connection.exec_driver_sql(sleep).all()))
    assert "did not answer in time" in str(error) or "cannot be reached" in str(error)
    assert remote.now()
