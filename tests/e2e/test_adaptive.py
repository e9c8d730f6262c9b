# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches that grow while all is well, halve when hosts are slow, and never leave their bounds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.behind_balancers import balanced_fleet
from tests.e2e.controller import UNDO_LEAVES_NO_LOCK
from tests.e2e.local_fleet import LocalFleet
from tests.e2e.observation import rows
from tests.e2e.steady_load import steady_load

NAMES = [f"web{number}" for number in range(1, 10)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFleet]:
    folder = tmp_path_factory.mktemp("adaptive")
    fleet = LocalFleet(folder, NAMES, f"sqlite:///{folder}/store.db", rolling_adaptive=True, rolling_batches=[1, 4], **UNDO_LEAVES_NO_LOCK)
    fleet.release("1.0.0")
    fleet.release("2.0.0", "slow_start", seconds=0)
    fleet.release("3.0.0", "unhealthy")
    yield fleet
    fleet.stop()


def batches(fleet: LocalFleet) -> list[list[str]]:
    """The hosts of each batch of the newest deployment, from the record."""
    found = rows(
        fleet.controller,
        "SELECT data FROM tb_event WHERE type = 'batch.sized' AND fk_deployment = (SELECT MAX(pk_deployment) FROM tb_deployment) ORDER BY pk_event",
    )
    return [json.loads(row["data"])["hosts"] for row in found]


def test_batches_grow_by_the_first_up_to_the_widest(shop: LocalFleet) -> None:
    run = shop.controller.deploy("shop_api", "1.0.0")
    assert run.code == 0, run.output
    assert [len(batch) for batch in batches(shop)] == [1, 2, 3, 3]
    assert [host for batch in batches(shop) for host in batch] == NAMES
    assert set(shop.serving().values()) == {"1.0.0"}
    again = shop.controller.deploy("shop_api", "1.0.0")
    assert again.code == 0, again.output
    assert [len(batch) for batch in batches(shop)] == [1, 2, 3, 3]


def test_a_bad_release_ends_with_the_first_host(shop: LocalFleet) -> None:
    run = shop.controller.deploy("shop_api", "3.0.0", fraise_timeout=2)
    assert run.code != 0
    assert shop.controller.latest()["status"] == "rolled_back"
    assert batches(shop) == [["web1"]]
    assert set(shop.serving().values()) == {"1.0.0"}


def test_a_plan_names_the_bounds_and_a_deployment_without_them_is_not_it(shop: LocalFleet) -> None:
    made = shop.controller.run("plan", fraise="shop_api", version="2.0.0", fraise_watch=1)
    assert made.code == 0, made.output
    assert "Batches adapt: 1 first, 1 more after a healthy one, at most 4, half after a bad one" in made.output
    assert "After the last batch: watched for 1 s, a look every 1 s" in made.output
    name = made.output.rpartition("Hash: ")[2].split()[0]
    other = shop.controller.run("deploy", fraise="shop_api", plan=name, rolling_adaptive=False, fraise_watch=1)
    assert other.code != 0
    assert "rolling_adaptive: planned first 1, least 1, most 4, batches 9, found nothing" in other.output
    run = shop.controller.run("deploy", fraise="shop_api", plan=name, fraise_watch=1)
    assert run.code == 0, run.output
    assert set(shop.serving().values()) == {"2.0.0"}


def test_behind_a_balancer_no_more_are_out_at_once_than_the_batch_and_no_request_is_lost(tmp_path: Path) -> None:
    with balanced_fleet(tmp_path, NAMES[:4], ["haproxy"], rolling_adaptive=True, rolling_batches=[1, 2]) as fleet:
        for version in ("1.0.0", "2.0.0"):
            fleet.release(version)
        first = fleet.controller.deploy("shop_api", "1.0.0")
        assert first.code == 0, first.output
        with steady_load(fleet.balancers["lb1"].port) as load:
            run = fleet.controller.deploy("shop_api", "2.0.0")
        assert run.code == 0, run.output
        assert [len(batch) for batch in batches(fleet)] == [1, 2, 1]
        assert set(fleet.serving().values()) == {"2.0.0"}
        assert load.failed == []
        assert set(load.versions) == {"1.0.0", "2.0.0"}
