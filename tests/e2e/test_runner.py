# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment through ansible-runner's Python API, as a CI job or AWX would: its own stdout callback, its own artifacts, the outcome from the store."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import ansible_runner
import pytest

from tests.e2e.local_fleet import LocalFleet
from tests.e2e.observation import answers, events, steps

NAMES = ["web1", "web2", "web3"]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFleet]:
    folder = tmp_path_factory.mktemp("runner")
    fleet = LocalFleet(folder, NAMES, f"sqlite:///{folder}/store.db", fraise_min_healthy=0.1, rolling_batches=[1, 2])
    yield fleet
    fleet.stop()


def job(fleet: LocalFleet, version: str) -> ansible_runner.Runner:
    """Run the deployment as a job of its own."""
    private = fleet.folder / f"job-{version}"
    (private / "project").mkdir(parents=True)
    search_path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    kept = {name: value for name, value in fleet.controller.environment().items() if name.startswith(("ANSIBLE_", "FRAISIER_"))}
    return ansible_runner.run(
        private_data_dir=str(private),
        inventory=str(fleet.controller.inventory),
        playbook="fraisier.deploy.deploy",
        extravars={"fraise": "shop_api", "version": version, "reason": "build 42"},
        envvars={**kept, "PATH": search_path},
        quiet=True,
    )


def test_a_job_deploys_in_batches_and_its_outcome_is_in_the_store(fleet: LocalFleet) -> None:
    fleet.release("1.0.0")
    ended = job(fleet, "1.0.0")
    assert (ended.status, ended.rc) == ("successful", 0), ended.stdout.read()
    record = fleet.controller.latest()
    assert (record["version"], record["status"], record["reason"]) == ("1.0.0", "success", "build 42")
    assert answers(fleet) == dict.fromkeys(NAMES, "1.0.0")
    told = events(fleet.controller, record["run"])
    assert [event["seq"] for event in told] == list(range(1, len(told) + 1))
    assert [event["data"]["batch"] for event in told if event["type"] == "play.started" and event["data"]["name"] == "Shift batch by batch"] == [1, 2]
    shown = ended.stdout.read()
    assert "shop_api:test:1: deploy 1.0.0 on 3 hosts in batches of 1+2" in shown
    assert "web3  serves 1.0.0, was nothing, healthy" in shown


def test_a_job_that_fails_is_undone_and_both_the_job_and_the_store_say_so(fleet: LocalFleet) -> None:
    before = answers(fleet)
    fleet.release("1.1.0", "crash")
    ended = job(fleet, "1.1.0")
    assert (ended.status, ended.rc) == ("failed", 2)
    record = fleet.controller.latest()
    assert (record["status"], record["error_code"]) == ("rolled_back", "HEALTH_CHECK_FAILED")
    assert steps(record)["web1"] == ["stage ok", "activate reverted", "inspect unchanged"]
    assert steps(record)["web2"] == ["stage ok", "inspect unchanged"]
    assert answers(fleet) == before
    assert "shop_api:test:2 ended rolled_back: 1 of 3 hosts failed (web1), allowed: 0" in ended.stdout.read()
