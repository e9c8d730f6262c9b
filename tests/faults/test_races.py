# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two races: a controller that was frozen past its lease against the next one, and sixteen processes for one lock."""

from __future__ import annotations

import itertools
import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
from tests.e2e.observation import tree_of
from tests.faults.record import FULL, Table
from tests.faults.shop import BOUNDARIES, Shop, of_the_controller, thaw
from tests.integration.store.crew import together

FENCING_ROUNDS = 200 if FULL else 3
LOCK_PROCESSES = 16
LOCK_ROUNDS = 1000 if FULL else 64
MOMENTS = [name for name in BOUNDARIES if name.split(" ", 1)[1] not in ("open", "close", "retire", "retired")]
SHORT_LEASE = 1.5


HOLDS_THE_FILE = "B refused: the frozen A holds the SQLite file, and ends well"


def one_fencing_round(shop: Shop, moment: str, often: int) -> tuple[list[str], str]:
    """A is frozen at a moment, B deploys, A is thawed: nothing on any host may differ from what B left.

    When A was frozen in the middle of writing, SQLite lets nobody else write: B refuses to start, so A is still the owner once it is thawed.
    """
    older, newer = shop.next(), shop.next()
    process = shop.start(older, BOUNDARIES[moment], "both SIGSTOP", often)
    frozen = {process.pid, shop.recorder_pid()}
    try:
        for pid in of_the_controller(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                frozen.add(pid)
        run = shop.controller.deploy("shop_api", newer, wait=30)
        before = tree_of(shop.fleet.folder / "hosts")
    finally:
        thaw(sorted(frozen))
        code = process.wait(90)
    if run.code != 0 and "[DATABASE_TRANSACTION_ERROR]" in run.output:
        found = [f"A ended with {code}: {shop.output()[-2000:]}"] if code != 0 else []
        found += shop.violations({older})
        shop.good = older
        return found, HOLDS_THE_FILE
    after = tree_of(shop.fleet.folder / "hosts")
    found = [f"A changed {name}" for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    if run.code != 0:
        found.append(f"B ended with {run.code}: {run.output[-2000:]}")
    if code == 0:
        found.append(f"A says that it ended well: {shop.output()[-2000:]}")
    found += shop.violations({newer})
    shop.good = newer
    return found, "B deployed, A changed nothing"


@pytest.mark.timeout(0)
def test_a_controller_frozen_past_its_lease_changes_nothing(sqlite_url: str, tmp_path: Path, table: Callable[[str], Table]) -> None:
    race = table("fencing race, sqlite")
    shop = Shop(tmp_path / "shop", sqlite_url, SHORT_LEASE)
    choice = random.Random(3)
    try:
        fenced = 0
        for number in itertools.count():
            moment = MOMENTS[(number * 5 + 7) % len(MOMENTS)]
            often = choice.randint(1, 3) if moment != "before settle" and "settle" not in moment else 1
            found, outcome = one_fencing_round(shop, moment, often)
            race.add(f"{number + 1}: A frozen {moment} ({often})", found, outcome)
            fenced += outcome != HOLDS_THE_FILE
            if fenced == FENCING_ROUNDS or number == 2 * FENCING_ROUNDS:
                break
        assert fenced == FENCING_ROUNDS, f"B deployed in {fenced} rounds only"
    finally:
        shop.fleet.stop()
    race.holds()


@pytest.mark.timeout(0)
def test_sixteen_processes_never_own_one_lock_twice_and_never_leave_it_stuck(store_url: str, tmp_path: Path, table: Callable[[str], Table]) -> None:
    race = table(f"lock race, {store_url.split(':', 1)[0].split('+')[0]}")
    wins = -(-LOCK_ROUNDS // LOCK_PROCESSES)
    with Store.connect(store_url) as store:
        store.migrate()
        options = {"url": store_url, "inside": str(tmp_path / "inside"), "wins": wins, "lease": 60}
        # a second owner would fail to make the file that the first one has, and its process with it
        parts = together("race", [options] * LOCK_PROCESSES, timeout=3000)
        found = []
        order = sorted(tuple(win) for part in parts for win in part["wins"])
        if [number for number, _token in order] != list(range(1, LOCK_PROCESSES * wins + 1)):
            found.append("numbers of deployments have gaps or are twice there")
        if not all(before < after for (_one, before), (_two, after) in itertools.pairwise(order)):
            found.append("a later owner has no higher token")
        lock = store.read_lock("shop_api", "production")
        if lock is None or lock.held:
            found.append(f"the lock is stuck: {lock}")
        refused = sum(part["locked"] for part in parts)
        race.add(f"{LOCK_PROCESSES} processes", found, f"{len(order)} owners, {refused} refusals", rounds=len(order))
        stolen = together("steal", [{"url": store_url, "wins": max(2, wins // 4), "lease": 0.02}] * LOCK_PROCESSES, timeout=3000)
        leases = sorted(tuple(win) for part in stolen for win in part["wins"])
        overlaps = [f"two owners at {after}" for before, after in itertools.pairwise(leases) if after[1] < before[2]]
        race.add("dead owners, leases that run out", overlaps, f"{len(leases)} owners", rounds=len(leases))
    race.holds()
