# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several processes at once, on each database: one owner, one migration, every event once."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store, tables
from tests.integration.store.crew import together
from tests.unit.plugins.plugin_utils.store.builders import Run

PROCESSES = 4


def test_never_two_owners_and_never_a_stuck_lock(store: Store, store_url: str, tmp_path: Path) -> None:
    wins = 60
    found = together("race", [{"url": store_url, "inside": str(tmp_path / "inside"), "wins": wins, "lease": 30}] * PROCESSES)
    numbers_and_tokens = sorted(tuple(win) for part in found for win in part["wins"])
    assert [number for number, _ in numbers_and_tokens] == list(range(1, PROCESSES * wins + 1))
    tokens = [token for _, token in numbers_and_tokens]
    assert all(before < after for before, after in itertools.pairwise(tokens))
    assert sum(part["locked"] for part in found) > 0
    lock = store.read_lock("shop_api", "production")
    assert lock is not None
    assert (lock.held, lock.token) == (False, tokens[-1])
    rows = store.history(limit=1000)
    assert len(rows) == PROCESSES * wins
    # Those that only gave the lock back were found by the next owner, all but possibly the last.
    assert sum(row["status"] == "in_progress" for row in rows) <= 1
    assert store.check()["ok"]
    # One chain, whoever of the four wrote: every taking of the lock is in it, in the order of the tokens.
    assert store.audit.verify()["ok"]
    taken = [row["data"]["token"] for row in reversed(store.audit.latest(10_000)) if row["event"] == "lock.taken"]
    assert taken == tokens


def test_a_lease_is_inherited_only_after_its_end(store: Store, store_url: str) -> None:
    found = together("steal", [{"url": store_url, "wins": 25, "lease": 0.02}] * PROCESSES)
    leases = sorted(tuple(win) for part in found for win in part["wins"])
    assert len({token for token, _, _ in leases}) == PROCESSES * 25
    overlaps = [(before, after) for before, after in itertools.pairwise(leases) if after[1] < before[2]]
    assert overlaps == []


def test_four_migrations_at_once_run_once(store_url: str) -> None:
    found = together("migrate", [{"url": store_url}] * PROCESSES)
    assert sorted(part["ran"] for part in found) == [[], [], [], list(tables.REVISIONS)]
    with Store.connect(store_url) as store:
        assert store.check()["ok"]


def test_new_names_are_made_once_by_many(store: Store, store_url: str) -> None:
    found = together("number", [{"url": store_url, "environment": "production", "count": 10}] * PROCESSES)
    opened = sorted(identifier for part in found for identifier in part["opened"])
    assert opened == sorted(f"new{position}:production:{number}" for position in range(10) for number in range(1, PROCESSES + 1))
    audited = store.audit.latest(10_000)
    assert store.audit.verify()["rows"] == len(audited)
    assert sorted(row["deployment"] for row in audited if row["event"] == "deployment.closed") == opened


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_two_processes_that_replay_the_same_spool_store_every_event_once(store: Store, store_url: str, tmp_path: Path, batch: int) -> None:
    expected = Run(store, fraise="expected").done()
    run = Run(store)
    events = run.whole()
    spool = tmp_path / "spool"
    spool.write_text("".join(f"{event.to_json()}\n" for event in events))
    found = together("replay", [{"url": store_url, "spool": str(spool), "batch": batch, "seed": seed} for seed in range(3)])
    assert [part["stored"] for part in found] == [len(events)] * 3
    assert store.count_events(run.request.run, "callback") == len(events)
    row, model = run.row(), expected.row()
    assert (row["status"], row["hosts_active"]) == ("success", 3)
    for part in ("hosts", "steps", "checks"):
        assert len(row[part]) == len(model[part])
    assert {(step["step"], step["outcome"], step["attempt"], step["duration_seconds"] is not None) for step in row["steps"]} == {
        ("stage", "ok", 1, True),
        ("activate", "ok", 1, True),
    }
    assert store.audit.verify()["ok"]
    audited = [row["identifier"] for row in store.audit.latest(10_000) if row["event"].startswith("step.")]
    assert len(audited) == len(set(audited)) == 24
    assert store.check()["ok"]
