# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller killed at any moment: every host serves one whole release, the record says interrupted, the next run ends well once the lease has run out."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.e2e.controller import UNDO_LEAVES_NO_LOCK
from tests.e2e.real_fleet import RealFleet
from tests.testbed.hosts import Host

pytestmark = pytest.mark.alone
LEASE = 4
SLOWEST_DEPLOYMENT = 8.0
ROUNDS = int(os.environ.get("FRAISIER_KILL_ROUNDS", "3"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, hosts: list[Host]) -> Iterator[RealFleet]:
    folder = tmp_path_factory.mktemp("killed")
    fleet = RealFleet(folder, hosts, f"sqlite:///{folder}/store.db", rolling_batches=[1, 2], **UNDO_LEAVES_NO_LOCK)
    fleet.controller.settings.update({"FRAISIER_LEASE_SECONDS": str(LEASE), "FRAISIER_HEARTBEAT_SECONDS": "1"})
    fleet.release("1.0.0")
    run = fleet.controller.deploy("shop_api", "1.0.0")
    assert run.code == 0, run.output
    yield fleet
    fleet.remove()


def status(shop: RealFleet) -> str:
    return str(shop.controller.history()[0]["status"])


def lock_is_held(shop: RealFleet) -> bool:
    with shop.controller.store() as store:
        row = store.read_lock("shop_api", "test")
    return row is not None and row.held


def wait_for(condition, seconds: float, what: str) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, what
        time.sleep(0.05)
    return time.monotonic() - began


def start_and_wait_for_opening(shop: RealFleet, version: str) -> subprocess.Popen[str]:
    number = len(shop.controller.history())
    process = shop.controller.start("deploy", fraise="shop_api", version=version)
    wait_for(lambda: len(shop.controller.history()) > number, 20, "the deployment was never opened")
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=["SIGTERM", "SIGINT", "SIGKILL"])
def test_a_controller_that_dies_leaves_an_interrupted_deployment_within_two_seconds_and_the_lock_until_the_lease_ends(
    shop: RealFleet, number: signal.Signals
) -> None:
    version = f"2.0.{int(number)}"
    shop.release(version)
    process = start_and_wait_for_opening(shop, version)
    process.send_signal(number)
    wait_for(lambda: status(shop) == "interrupted", 2.0, "not marked interrupted within 2 s")
    assert lock_is_held(shop), "the lock was let go although workers may still be acting"
    process.wait(20)
    wait_for(lambda: not lock_is_held(shop), LEASE + 2, "the lock outlived its lease")
    run = shop.controller.deploy("shop_api", version, wait=30)
    assert run.code == 0, run.output
    assert set(shop.answers().values()) == {version}


@pytest.mark.timeout(900)
def test_killed_at_random_moments_every_host_serves_one_whole_release_and_the_next_run_ends_well(shop: RealFleet, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("FRAISIER_KILL_SEED", str(random.randrange(10_000))))
    moments = random.Random(seed)
    lines = []
    for number in range(ROUNDS):
        version = f"3.{seed}.{number}"
        shop.release(version)
        good = set(shop.answers(timeout=5).values())
        moment = moments.uniform(0.3, SLOWEST_DEPLOYMENT)
        process = shop.controller.start("deploy", fraise="shop_api", version=version)
        time.sleep(moment)
        process.kill()
        process.wait(10)
        # what a worker had begun on a host ends by itself within the host's own deadline
        time.sleep(1.5)
        links = shop.links()
        assert shop.complete_releases(), links
        served = shop.answers(timeout=10)
        assert all(answer is not None for answer in served.values()), f"after {moment:.2f} s (seed {seed}): {served}"
        assert set(served.values()) <= good | {version}
        assert served == links, f"a host serves something other than its link says: {served} {links}"
        run = shop.controller.deploy("shop_api", version, wait=60)
        assert run.code == 0, run.output
        assert set(shop.answers(timeout=5).values()) == {version}
        assert status(shop) == "success"
        assert not [row for row in shop.controller.history() if row["status"] == "in_progress"]
        lines.append(f"killed after {moment:.2f} s: hosts on {', '.join(str(answer) for answer in served.values())}; next run success")
    with capsys.disabled():
        print(f"\nseed {seed}\n" + "\n".join(lines))
