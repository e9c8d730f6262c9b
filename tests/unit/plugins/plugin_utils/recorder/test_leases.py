# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lease is renewed while its controller runs, and nothing goes on a lease that may be another's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DatabaseConnectionError, FraisierError, LeaseLostError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import Progress
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.admission import Admission
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.leases import NEVER, LeaseKeeper, is_stopped
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.opening import OpenDeployment
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.sink import Job
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Lease

LOST = LeaseLostError("The lock of shop_api in test went to grace@there (pid 9)")


class Desk:
    """A deployment with its keeper, two clocks that the test moves, and a store that answers when the test says so."""

    def __init__(self, controller: int = 0) -> None:
        self.monotonic, self.wall = 100.0, 5000.0
        self.jobs: list[Job] = []
        self.events: list[str] = []
        now = datetime.now(UTC)
        self.lease = Lease("shop_api", "test", "owner", 7, now, now)
        progress = Progress.start("1.1", "1.0", ["web1"], 0)
        self.deployment = OpenDeployment("1.1", {}, progress, None, self.lease, Admission({"kind": "deploy", "fraise": "shop_api", "environment": "test"}))
        settings = {"lease": 30.0, "heartbeat": 10.0, "controller": controller}
        self.keeper = LeaseKeeper(
            self.deployment, settings, self.jobs.append, lambda kind, _data: self.events.append(kind), lambda: self.monotonic, lambda: self.wall
        )

    def pass_time(self, seconds: float, by_wall: float | None = None) -> None:
        self.monotonic += seconds
        self.wall += seconds if by_wall is None else by_wall

    def answer(self, failure: FraisierError | None = None) -> None:
        answer: Any = None if failure else self.lease
        self.jobs.pop(0).done(answer, failure)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_lease_is_renewed_once_a_heartbeat(desk: Desk) -> None:
    assert desk.keeper.keep() == 10.0
    assert not desk.jobs
    desk.pass_time(10)
    assert desk.keeper.keep() == 10.0
    assert len(desk.jobs) == 1
    assert desk.keeper.keep() == 10.0
    assert len(desk.jobs) == 1


def test_after_a_pause_nothing_goes_before_the_store_has_said_that_the_lease_is_still_ours(desk: Desk) -> None:
    went: list[bool] = []
    desk.pass_time(14)
    desk.keeper.make_sure(lambda: went.append(True))
    assert went == [True], "within one and a half heartbeats nobody can have it"
    desk.pass_time(2)
    desk.keeper.make_sure(lambda: went.append(desk.deployment.progress.lease_lost))
    assert went == [True]
    desk.answer()
    assert went == [True, False]
    assert desk.keeper.sure()


@pytest.mark.parametrize(("seconds", "by_wall"), [(60.0, 60.0), (0.1, 60.0), (0.1, -60.0)])
def test_a_machine_that_slept_is_noticed_by_either_clock(desk: Desk, seconds: float, by_wall: float) -> None:
    desk.pass_time(seconds, by_wall)
    assert not desk.keeper.sure()


def test_a_lease_that_went_to_another_halts_for_good_and_is_told_once(desk: Desk) -> None:
    went: list[bool] = []
    desk.pass_time(40)
    desk.keeper.make_sure(lambda: went.append(desk.deployment.progress.lease_lost))
    desk.keeper.make_sure(lambda: went.append(desk.deployment.progress.lease_lost))
    desk.answer(LOST)
    desk.answer(LOST)
    assert went == [True, True]
    assert desk.events == ["lease.lost"]
    assert desk.deployment.progress.outcome() == ("failed", f"LEASE_LOST: {LOST.message}")
    assert desk.deployment.progress.begin_undo() == {}
    assert desk.keeper.keep() == NEVER


def test_a_store_that_is_away_stops_nothing_and_is_not_asked_before_each_step(desk: Desk) -> None:
    went: list[str] = []
    desk.pass_time(40)
    desk.keeper.make_sure(lambda: went.append("first"))
    desk.answer(DatabaseConnectionError("away"))
    desk.keeper.make_sure(lambda: went.append("second"))
    assert (went, desk.jobs) == (["first", "second"], [])
    desk.pass_time(2)
    desk.keeper.make_sure(lambda: went.append("third"))
    assert len(desk.jobs) == 1, "but it is asked again soon"
    desk.answer(LOST)
    assert desk.deployment.progress.lease_lost


def test_a_closed_deployment_keeps_nothing(desk: Desk) -> None:
    desk.deployment.closed = True
    desk.pass_time(100)
    assert desk.keeper.keep() == NEVER
    assert desk.keeper.sure()


def test_for_a_controller_that_was_stopped_nothing_is_renewed_until_it_goes_on() -> None:
    controller = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        desk = Desk(controller.pid)
        controller.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + 10
        while not is_stopped(controller.pid):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        desk.pass_time(10)
        assert desk.keeper.keep() < 1
        assert not desk.jobs
        controller.send_signal(signal.SIGCONT)
        while is_stopped(controller.pid):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        desk.pass_time(1)
        desk.keeper.keep()
        assert len(desk.jobs) == 1
    finally:
        controller.kill()
        controller.wait()


def test_a_process_that_is_gone_or_runs_is_not_called_stopped() -> None:
    assert not is_stopped(os.getpid())
    assert not is_stopped(2**22 + 1)
