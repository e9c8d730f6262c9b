# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What verifying an audit of 100,000 rows takes: beside plainly hashing and parsing the same rows, and in seconds on each database."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.chain import GENESIS, Deed, remember
from tests.bench.conftest import Bench, seconds
from tests.testbed.fixtures import mariadb_server, mariadb_url, postgresql_server, postgresql_url, sqlite_url, store_url  # noqa: F401

ROWS, AT_ONCE, RUNS = 100_000, 1_000, 5
SECONDS = 30.0
"""In seconds, not in minutes, also on a slow machine."""
DATA = {
    "step_id": "0198a9a0-0000-7000-8000-000000000000",
    "step": "activate",
    "outcome": "ok",
    "changed": True,
    "release": {"version": "1.4.2", "previous": "1.4.1", "digest": "sha256:" + "ab" * 32},
    "health": {"status": "healthy", "checks": [{"type": "http", "target": "http://localhost/health", "ok": True, "attempts": 2, "duration": 0.25}]},
    "timings": {"switch": 0.012, "restart": 0.4, "verify": 1.2},
    "error": None,
}


def fill(store: Store) -> None:
    """An audit of so many outcomes of steps."""

    def work(connection: Any, start: int) -> None:
        for number in range(start, start + AT_ONCE):
            remember(connection, Deed(uuid7(), f"run:bench:{number}", datetime.now(UTC), "step.outcome", DATA, None, f"web{number % 50}"))

    for start in range(0, ROWS, AT_ONCE):
        store._transactions.write("filling", lambda connection, start=start: work(connection, start))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:  # noqa: F811
    with Store.connect(store_url, timeout=20) as connected:
        connected.migrate()
        fill(connected)
    with Store.connect(store_url) as connected:
        yield connected


def plainly(path: str) -> None:
    """The least that any verification does: read each row, hash it with the one before, parse it."""
    before = GENESIS
    with sqlite3.connect(path) as connection:
        for body, previous, digest in connection.execute("SELECT body, previous_hash, hash FROM tb_audit ORDER BY position"):
            if previous != before or hashlib.sha256(f"{previous}\n{body}".encode()).hexdigest() != digest or not json.loads(body):
                raise RuntimeError("broken")
            before = digest
    connection.close()


@pytest.mark.timeout(900)
def test_a_hundred_thousand_rows_are_verified_in_seconds(bench: Bench, store: Store) -> None:
    def ours(_number: int) -> None:
        answer = store.audit.verify()
        assert (answer["ok"], answer["rows"]) == (True, ROWS)

    if store.dialect == "sqlite":
        path = str(Path(str(store._url.database)))
        bench.ratio(f"verifying {ROWS} rows of the audit, beside plain hashing", ours, lambda _number: plainly(path), runs=RUNS, bound=8.0)
    else:
        ours(0)
        bench.add(f"verifying {ROWS} rows of the audit on {store.dialect}", [seconds(lambda: ours(0)) for _run in range(3)], "s", SECONDS)
