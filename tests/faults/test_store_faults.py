# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store fails before a deployment opens or in its middle: it ends well or refuses to start, and every event is stored exactly once."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.urls import parse_url
from tests.faults.record import FULL, Table
from tests.faults.shop import BOUNDARIES, Shop
from tests.testbed.databases import Server

MOMENTS = {"before it opens": ("before open", 1), "while the second host is activated": ("before activated", 2), "before it closes": ("before close", 1)}
AWAY_SECONDS = 4.0
"""Longer than one call to the store may last (2 s)."""


@contextmanager
def restarted(server: Server, _url: str) -> Iterator[None]:
    server.kill()
    yield
    server.start()


@contextmanager
def connections_cut(server: Server, url: str) -> Iterator[None]:
    database = str(parse_url(url).database)
    if server.scheme == "postgresql":
        server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
    else:
        for (number,) in server.execute(f"SELECT id FROM information_schema.processlist WHERE db = '{database}'"):
            server.execute(f"KILL CONNECTION {int(number)}")
    yield


@contextmanager
def table_locked(server: Server, url: str) -> Iterator[None]:
    engine = create_engine(parse_url(url))
    try:
        with engine.connect() as connection:
            connection.execute(text("LOCK TABLE tb_event IN ACCESS EXCLUSIVE MODE" if server.scheme == "postgresql" else "LOCK TABLES tb_event WRITE"))
            yield
    finally:
        engine.dispose()


@contextmanager
def file_locked(_server: None, url: str) -> Iterator[None]:
    connection = sqlite3.connect(str(parse_url(url).database), isolation_level=None, timeout=30)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@contextmanager
def mounted(*arguments: str) -> Iterator[None]:
    subprocess.run(["mount", *arguments], check=True, timeout=10)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", arguments[-1]], check=True, timeout=10)


SERVER_FAULTS = {"restarted": restarted, "connections cut": connections_cut, "table locked": table_locked}


class Rounds:
    """Strikes one store again and again and judges each time."""

    def __init__(self, shop: Shop, matrix: Table) -> None:
        self.shop, self.matrix = shop, matrix

    def strike(self, name: str, moment: str, fault: Callable[[], object]) -> None:
        """One deployment during which ``fault`` lasts for some seconds from ``moment`` on."""
        shop, version = self.shop, self.shop.next()
        at, often = MOMENTS[moment]
        process = shop.start(version, BOUNDARIES[at], "wait", often)
        with fault():  # type: ignore[attr-defined]
            Path(f"{shop.mark}.go").touch()
            time.sleep(AWAY_SECONDS)
        code = process.wait(120)
        self.judge(f"{name}, {moment}", code, version)

    def judge(self, what: str, code: int, version: str) -> None:
        """Ended well, or refused with nothing changed; once the spool is brought in, every event is there exactly once."""
        shop = self.shop
        links = set(shop.fleet.serving().values())
        found = []
        if code == 0 and links != {version}:
            found.append(f"ended with 0 and the hosts have {links}")
        if code != 0 and links != {shop.good}:
            found.append(f"ended with {code} and the hosts have {links}, not {shop.good} as before: {shop.output()[-2000:]}")
        brought = shop.controller.run("history", fraise="shop_api")
        if brought.code != 0:
            found.append(f"the history ended with {brought.code}: {brought.output[-1000:]}")
        found += self.events()
        if not found:
            shop.good = str(links.pop())
        found += shop.violations({shop.good})
        self.matrix.add(what, found, "done" if code == 0 else "refused")
        if found:
            shop.renew()

    def events(self) -> list[str]:
        """Events that are missing or twice there, and spools that nobody brought in."""
        engine = create_engine(parse_url(self.shop.controller.store_url))
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT run, source, count(*), count(DISTINCT seq), max(seq) FROM tb_event GROUP BY run, source")).all()
            ended = {row[0] for row in connection.execute(text("SELECT run FROM tb_event WHERE type = 'playbook.ended'"))}
        engine.dispose()
        found = [f"{source} of run {run}: {total} events, numbers up to {last}" for run, source, total, distinct, last in rows if not total == distinct == last]
        found += [f"run {row[0]} has no last event" for row in rows if row[0] not in ended]
        return found + [f"left in the spool: {path.name}" for path in (self.shop.fleet.folder / "spool").glob("*.jsonl")]


@pytest.fixture
def rounds(tmp_path: Path, table: Callable[[str], Table]) -> Iterator[Callable[[str, str], Rounds]]:
    made: list[Rounds] = []

    def make(name: str, url: str) -> Rounds:
        made.append(Rounds(Shop(tmp_path / "shop", url, 30), table(name)))
        return made[-1]

    yield make
    for each in made:
        each.shop.fleet.stop()


@pytest.mark.timeout(0)
@pytest.mark.parametrize("database", ["postgresql", "mariadb"] if FULL else ["postgresql"])
def test_a_database_server_that_fails(database: str, request: pytest.FixtureRequest, rounds: Callable[[str, str], Rounds]) -> None:
    server, url = request.getfixturevalue(f"{database}_server"), request.getfixturevalue(f"{database}_url")
    tried = rounds(f"store faults, {database}", url)
    every = [(name, moment) for name in SERVER_FAULTS for moment in MOMENTS]
    for name, moment in every if FULL else [("restarted", "before it closes"), ("table locked", "while the second host is activated")]:
        tried.strike(name, moment, lambda name=name: SERVER_FAULTS[name](server, url))  # type: ignore[misc]
    tried.matrix.holds()


@pytest.mark.timeout(0)
def test_a_sqlite_file_that_fails(rounds: Callable[[str, str], Rounds], sqlite_url: str) -> None:
    tried = rounds("store faults, sqlite", sqlite_url)
    for moment in MOMENTS if FULL else ["before it closes"]:
        tried.strike("file locked by another program", moment, lambda: file_locked(None, sqlite_url))
    folder = str(Path(str(parse_url(sqlite_url).database)).parent)
    with mounted("--bind", "-o", "ro", folder, folder):
        version = tried.shop.next()
        run = tried.shop.controller.deploy("shop_api", version)
    assert "read" in run.output.lower(), run.output
    tried.judge("file read-only from the start", run.code, version)
    tried.matrix.holds()


@pytest.mark.timeout(0)
def test_a_spool_whose_disk_is_full_while_the_store_is_away(rounds: Callable[[str, str], Rounds], postgresql_server: Server, postgresql_url: str) -> None:
    tried = rounds("store faults, the spool's disk full", postgresql_url)
    spool = tried.shop.fleet.folder / "spool"
    spool.mkdir(exist_ok=True)
    with mounted("-t", "tmpfs", "-o", "size=4k", "testbed", str(spool)):
        (spool / "filler").write_bytes(b"\0" * 4096)
        for moment in MOMENTS if FULL else ["while the second host is activated"]:
            tried.strike("store restarted", moment, lambda: restarted(postgresql_server, postgresql_url))
    tried.matrix.holds()
