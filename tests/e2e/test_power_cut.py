# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host and controller lose power in the middle of an activation: what boots is one whole release, and ``recover`` settles the fleet either way."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator

import pytest

from tests.e2e.real_fleet import ROOT, RealFleet
from tests.testbed.application import answered_version
from tests.testbed.hosts import Host

LEASE = 4


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, hosts: list[Host]) -> Iterator[RealFleet]:
    folder = tmp_path_factory.mktemp("power")
    fleet = RealFleet(folder, hosts, f"sqlite:///{folder}/store.db", rolling_batches=[1])
    fleet.controller.settings.update({"FRAISIER_LEASE_SECONDS": str(LEASE), "FRAISIER_HEARTBEAT_SECONDS": "1"})
    fleet.release("1.0.0")
    run = fleet.controller.deploy("shop_api", "1.0.0")
    assert run.code == 0, run.output
    yield fleet
    fleet.remove()


def cut_power_while_verifying(shop: RealFleet, version: str) -> Host:
    """Deploy ``version``; when the first host has switched and verifies, kill it and the controller. Comes back once it has booted again."""
    host = shop.hosts[0]
    process = shop.controller.start("deploy", fraise="shop_api", version=version, fraise_min_healthy=20, fraise_timeout=60)
    try:
        deadline = time.monotonic() + 60
        while host.run(f"readlink {ROOT}/current").stdout.strip() != f"releases/{version}":
            assert time.monotonic() < deadline, (shop.folder / "output.log").read_text()
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    host.kill()
    host.start()
    return host


@pytest.mark.parametrize("wish", [None, "finish"], ids=["the safer way", "finish"])
def test_a_power_cut_in_the_middle_of_an_activation(shop: RealFleet, wish: str | None) -> None:
    (good,) = set(shop.answers(timeout=10).values())
    assert good is not None
    version = "2.0.0" if wish is None else "2.1.0"
    shop.release(version)
    host = cut_power_while_verifying(shop, version)
    # the boot starts what the link says: one whole release, whichever
    booted = answered_version(host, timeout=20)
    assert booted in (good, version)
    assert shop.links()[host.name] == booted
    assert shop.complete_releases()
    journal = json.loads(host.read(f"{ROOT}/.fraisier/journal.json"))
    assert (journal["from"], journal["to"]) == (good, version)

    run = shop.controller.run("recover", fraise="shop_api", **({"recover": wish} if wish else {}))
    assert run.code == 0, run.output
    if wish is None:
        assert f"the activation on {host.name} was cut off; going back: {host.name} to {good}" in run.output
    wanted = good if wish is None else version
    assert set(shop.answers(timeout=10).values()) == {wanted}, run.output
    assert set(shop.links().values()) == {wanted}
    assert host.run(f"test -e {ROOT}/.fraisier/journal.json", check=False).returncode == 1
    recovery, interrupted = shop.controller.history()[:2]
    assert (recovery["kind"], recovery["status"]) == ("recover", "rolled_back" if wish is None else "success")
    assert f"recovered by {recovery['identifier']}" in interrupted["status_reason"]
