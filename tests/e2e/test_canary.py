# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A canary on local hosts: one host first, then a person decides."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.controller import UNDO_LEAVES_NO_LOCK
from tests.e2e.local_fleet import LocalFleet
from tests.e2e.observation import wait_for

NAMES = ["web1", "web2", "web3"]
APPROVED = [{"hosts": 1}, {"pause": {"until": "approved", "expires": 120}}, {"hosts": "100%"}]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFleet]:
    folder = tmp_path_factory.mktemp("canary")
    fleet = LocalFleet(folder, NAMES, f"sqlite:///{folder}/store.db", fraise_strategy="canary", canary_steps=APPROVED, **UNDO_LEAVES_NO_LOCK)
    fleet.controller.settings.update({"FRAISIER_LEASE_SECONDS": "3", "FRAISIER_HEARTBEAT_SECONDS": "1"})
    for number in range(5):
        fleet.release(f"1.{number}")
    first = fleet.controller.deploy("shop_api", "1.0")
    assert first.code == 0, first.output
    assert fleet.controller.latest()["status"] == "success"
    yield fleet
    fleet.stop()


def output(fleet: LocalFleet) -> str:
    return (fleet.controller.folder / "output.log").read_text(encoding="utf-8")


def started(fleet: LocalFleet, version: str) -> object:
    """A deployment that waits for approval, one host on ``version``."""
    process = fleet.controller.start("deploy", fraise="shop_api", version=version)
    wait_for(lambda: "waiting for approval, at most 120 s, then: abort" in output(fleet) or process.poll() is not None, 40, "no wait for an approval")
    assert process.poll() is None, output(fleet)
    assert fleet.serving() == {"web1": version, "web2": "1.0", "web3": "1.0"}
    return process


def test_the_first_deployment_has_nothing_to_compare_with_and_waits_for_nobody(shop: LocalFleet) -> None:
    assert set(shop.serving().values()) == {"1.0"}
    assert len(shop.controller.history()) == 1


def test_an_abort_while_it_waits_takes_the_canary_back(shop: LocalFleet) -> None:
    process = started(shop, "1.1")
    told = shop.controller.run("abort", fraise="shop_api", reason="looks odd")
    assert told.code == 0, told.output
    assert process.wait(40) != 0
    assert set(shop.serving().values()) == {"1.0"}
    assert shop.controller.latest()["status"] == "aborted"


def test_nobody_approves_in_time_and_it_goes_back(shop: LocalFleet) -> None:
    steps = [{"hosts": 1}, {"pause": {"until": "approved", "expires": 1}}]
    run = shop.controller.deploy("shop_api", "1.2", canary_steps=steps)
    assert run.code != 0
    assert "nobody approved in time" in run.output
    assert set(shop.serving().values()) == {"1.0"}


def test_a_person_promotes_and_all_follow(shop: LocalFleet) -> None:
    process = started(shop, "1.3")
    told = shop.controller.run("promote", fraise="shop_api", reason="looks well")
    assert told.code == 0, told.output
    assert process.wait(60) == 0, output(shop)
    assert set(shop.serving().values()) == {"1.3"}
    assert "promoted by" in output(shop)


def test_bad_steps_are_refused_before_anything_changes(shop: LocalFleet) -> None:
    run = shop.controller.deploy("shop_api", "1.4", canary_steps=[{"hosts": 2}, {"hosts": 1}])
    assert run.code != 0
    assert "canary_steps[1]: 1 goes back: 2 of 3 hosts have the release by then" in run.output
    assert set(shop.serving().values()) == {"1.3"}


def test_going_back_is_not_tried_out_first(shop: LocalFleet) -> None:
    run = shop.controller.run("rollback", fraise="shop_api", version="1.0", rolling_adaptive=True)
    assert run.code == 0, run.output
    assert "waiting" not in run.output
    assert set(shop.serving().values()) == {"1.0"}


def test_a_run_that_was_killed_goes_on_after_the_batch_that_was_approved(shop: LocalFleet) -> None:
    approval = {"pause": {"until": "approved", "expires": 120}}
    steps = {"canary_steps": [{"hosts": 1}, approval, {"hosts": 2}, approval, {"hosts": 3}]}
    process = shop.controller.start("deploy", fraise="shop_api", version="1.4", **steps)
    wait_for(lambda: "batch 1 of 3: waiting for approval" in output(shop) or process.poll() is not None, 40, "no wait after the first batch")
    assert shop.controller.run("promote", fraise="shop_api", reason="looks well").code == 0
    wait_for(lambda: "batch 2 of 3: waiting for approval" in output(shop) or process.poll() is not None, 40, "no wait after the second batch")
    process.kill()
    process.wait(10)

    again = shop.controller.start("deploy", fraise="shop_api", version="1.4", wait=30, **steps)
    wait_for(lambda: "batch 2 of 3: waiting for approval" in output(shop) or again.poll() is not None, 60, "it did not go on")
    assert "batch 1 of 3: waiting" not in output(shop)
    assert shop.serving() == {"web1": "1.4", "web2": "1.4", "web3": "1.0"}
    assert shop.controller.run("abort", fraise="shop_api", reason="looks odd").code == 0
    assert again.wait(60) != 0
    assert set(shop.serving().values()) == {"1.0"}, "what the run before had changed goes back, too"
