# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that are lost behind a balancer while deployments, undos and rollbacks follow each other: none of a hundred thousand."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.bench.conftest import Bench
from tests.e2e.behind_balancers import BalancedFleet, balanced_fleet
from tests.e2e.steady_load import Load, steady_load
from tests.testbed.balancers import KINDS

HOSTS = ["web1", "web2", "web3"]
REQUESTS = int(os.environ.get("FRAISIER_BENCH_REQUESTS", "100000"))
CLIENTS = 16
GOOD_ON_WEB3 = "{{ 'another' if version == '3.0.0' and inventory_hostname == 'web3' else version }}"


def one_round(fleet: BalancedFleet, took: dict[str, list[float]]) -> None:
    """To 2.0.0, to 3.0.0 which web3 finds fault with so that all go back, and back to 1.0.0."""
    for name, wanted, words in (
        ("deploy", 0, {"playbook": "deploy", "version": "2.0.0"}),
        ("deploy and undo", 2, {"playbook": "deploy", "version": "3.0.0", "rolling_batches": [2, 1], "override": "the bench brings it again and again"}),
        ("rollback", 0, {"playbook": "rollback", "version": "1.0.0"}),
    ):
        began = time.monotonic()
        ended = fleet.controller.run(fraise="shop_api", **words)  # type: ignore[arg-type]
        took.setdefault(name, []).append(time.monotonic() - began)
        assert (ended.code, fleet.controller.latest()["status"]) == (wanted, "rolled_back" if wanted else "success"), ended.output


def until_enough(fleet: BalancedFleet, load: Load) -> dict[str, list[float]]:
    """Rounds for as long as it takes."""
    took: dict[str, list[float]] = {}
    while not took or load.done < REQUESTS:
        one_round(fleet, took)
    return took


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("kind", KINDS)
def test_no_request_is_lost(bench: Bench, tmp_path: Path, kind: str) -> None:
    with balanced_fleet(tmp_path, HOSTS, [kind]) as fleet:
        for version in ("1.0.0", "2.0.0", "3.0.0"):
            fleet.release(version)
        fleet.set(fraise_health=[{"http": {"url": "http://127.0.0.1:{{ service_port }}/health", "json": {"version": GOOD_ON_WEB3}}}], fraise_timeout=3)
        first = fleet.controller.deploy("shop_api", "1.0.0")
        assert first.code == 0, first.output
        began = time.monotonic()
        with steady_load(fleet.balancers["lb1"].port, CLIENTS, 0.005) as load:
            took = until_enough(fleet, load)
        lasted = time.monotonic() - began
    for problem in load.failed[:5]:
        print(f"{kind}: {problem}")
    bench.add(f"traffic through {kind}: requests", [float(load.done)], "", None)
    bench.add(f"traffic through {kind}: requests a second", [load.done / lasted], "1/s", None)
    bench.add(f"traffic through {kind}: lost requests in deploy, undo and rollback", [float(len(load.failed))], "", 0.0)
    bench.add(f"traffic through {kind}: longest answer", [load.longest], "s", None)
    for name, seconds in took.items():
        bench.add(f"traffic through {kind}: {name} of {len(HOSTS)} hosts", seconds, "s", None)
    assert load.done >= REQUESTS
