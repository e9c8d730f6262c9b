# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A canary that gets a share of the traffic, behind real balancers: the share is what was asked for, and it is gone at the end, however it ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.behind_balancers import BACKEND, BalancedFleet, balanced_fleet, entry, look
from tests.e2e.observation import wait_for
from tests.e2e.steady_load import steady_load

HOSTS = ["web1", "web2", "web3"]
STEPS = [{"hosts": 1}, {"weight": "5%"}, {"pause": {"until": "approved", "expires": 120}}, {"hosts": 2}, {"hosts": 3}]


def weights(fleet: BalancedFleet) -> dict[str, dict[str, int]]:
    """Balancer to server to its percent of the full weight, as it says itself."""
    found = {}
    for name, balancer in fleet.balancers.items():
        own = entry(name, balancer, fleet.folder)
        own.pop("host")
        told = look({"state": "inspected", "backend": BACKEND, **own})
        found[name] = {server["name"]: server["weight"] for server in told["servers"]}
    return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BalancedFleet]:
    """Three hosts that serve 1.0.0 behind HAProxy and nginx."""
    folder = tmp_path_factory.mktemp("weights")
    with balanced_fleet(folder, HOSTS, ["haproxy", "nginx"], fraise_strategy="canary", canary_steps=STEPS) as fleet:
        for version in ("1.0.0", "2.0.0", "3.0.0"):
            fleet.release(version)
        first = fleet.controller.deploy("shop_api", "1.0.0")
        assert first.code == 0, first.output
        yield fleet


@pytest.mark.timeout(240)
def test_the_canary_gets_its_share_until_more_hosts_follow_or_it_goes_back(shop: BalancedFleet) -> None:
    full = {name: dict.fromkeys(HOSTS, 100) for name in shop.balancers}
    # 5 % of all with two others at their full weight: each of them has 47.5, so the canary has about 11 % of its own.
    canary = {name: {"web1": 11, "web2": 100, "web3": 100} for name in shop.balancers}

    aborted = shop.controller.start("deploy", fraise="shop_api", version="2.0.0")
    wait_for(lambda: weights(shop) == canary or aborted.poll() is not None, 60, "the canary did not get its share")
    with steady_load(shop.balancers["lb1"].port) as load:
        wait_for(lambda: load.done > 600, 30, "too few requests")
    share = load.versions.get("2.0.0", 0) / load.done
    assert 0.02 < share < 0.09, (share, load.versions)
    assert load.failed == []
    assert shop.controller.run("abort", fraise="shop_api", reason="enough").code == 0
    assert aborted.wait(60) != 0
    assert set(shop.serving().values()) == {"1.0.0"}
    assert weights(shop) == full

    promoted = shop.controller.start("deploy", fraise="shop_api", version="3.0.0")
    wait_for(lambda: weights(shop) == canary or promoted.poll() is not None, 60, "the canary did not get its share")
    assert shop.controller.run("promote", fraise="shop_api", reason="well").code == 0
    assert promoted.wait(90) == 0, (shop.controller.folder / "output.log").read_text(encoding="utf-8")
    assert set(shop.serving().values()) == {"3.0.0"}
    assert weights(shop) == full


def test_a_share_without_a_balancer_is_refused_before_anything_changes(shop: BalancedFleet) -> None:
    run = shop.controller.deploy("shop_api", "2.0.0", traffic_driver="none")
    assert run.code != 0
    assert "canary_steps[1]: '5%' cannot be: the driver of the traffic has no weights" in run.output
    assert set(shop.serving().values()) == {"3.0.0"}


def test_a_share_that_a_killed_run_left_is_gone_after_a_recovery(shop: BalancedFleet) -> None:
    shop.controller.settings.update({"FRAISIER_LEASE_SECONDS": "3", "FRAISIER_HEARTBEAT_SECONDS": "1"})
    process = shop.controller.start("deploy", fraise="shop_api", version="2.0.0")
    log = shop.controller.folder / "output.log"
    wait_for(lambda: "waiting for approval" in log.read_text(encoding="utf-8") or process.poll() is not None, 60, "it never waited")
    process.kill()
    process.wait(10)
    assert {servers["web1"] for servers in weights(shop).values()} == {11}
    run = shop.controller.run("recover", fraise="shop_api", recover="undo", wait=30)
    assert run.code == 0, run.output
    assert weights(shop) == {name: dict.fromkeys(HOSTS, 100) for name in shop.balancers}
    assert set(shop.serving().values()) == {"3.0.0"}


def test_a_balancer_that_is_away_takes_the_canary_back(shop: BalancedFleet) -> None:
    shop.set(canary_steps=[{"hosts": 1}, {"pause": {"until": "approved", "expires": 60}}, {"weight": "5%"}, {"hosts": 3}])
    process = shop.controller.start("deploy", fraise="shop_api", version="2.0.0")
    log = shop.controller.folder / "output.log"
    wait_for(lambda: "waiting for approval" in log.read_text(encoding="utf-8") or process.poll() is not None, 60, "it never waited")
    shop.balancers["lb2"].stop()
    told = shop.controller.run("promote", fraise="shop_api", reason="go on")
    assert told.code == 0, told.output
    assert process.wait(90) != 0
    assert "the canary's share of the traffic could not be set" in log.read_text(encoding="utf-8")
    assert set(shop.serving().values()) == {"3.0.0"}
    assert "is still in force, for it could not be set back" in str(shop.controller.latest()["status_reason"])
