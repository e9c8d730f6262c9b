# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment costs over SSH, against a parallel-ssh script that does the same work on the same hosts."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.bench import reference
from tests.bench.conftest import Bench
from tests.e2e.real_fleet import RealFleet
from tests.testbed.application import build_release, install_service
from tests.testbed.fleet import Fleet

RUNS = 5
SIZE = 2_000_000


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("name", "batches", "bound"), [("deploy 10 hosts all at once", ["100%"], 3.3), ("deploy 10 hosts rolling by 2", [2], 3.0)])
def test_a_deployment_costs_at_most_a_few_times_the_bare_work(bench: Bench, ten_hosts: Fleet, tmp_path, name, batches, bound):
    hosts = ten_hosts.hosts[:10]
    fleet = RealFleet(tmp_path, hosts, f"sqlite:///{tmp_path}/store.db", rolling_batches=batches, fraise_min_healthy=0, fraise_interval=0.05)
    # cold connections, as in CI: nothing is kept from the run before
    sockets = Path(tempfile.mkdtemp(prefix="frz-"))  # short: the path of a Unix socket has 108 characters at the most
    fleet.controller.settings["ANSIBLE_SSH_CONTROL_PATH_DIR"] = str(sockets)
    for host in hosts:
        install_service(host, name="raw-api", root=reference.ROOT, port=reference.PORT)
    releases = [build_release(fleet.archives, f"{len(name)}.{number}.0", padding=SIZE) for number in range(RUNS + 1)]

    def ours(number: int) -> None:
        ended = fleet.controller.deploy("shop_api", releases[number].version, "--forks", "20")
        assert ended.code == 0, ended.output[-3000:]
        for leftover in sockets.glob("*"):
            _close(leftover)

    def bare(number: int) -> None:
        if batches == ["100%"]:
            reference.all_at_once(hosts, releases[number])
        else:
            reference.rolling(hosts, releases[number], 2, sockets)

    bench.ratio(name, ours, bare, runs=RUNS, bound=bound)
    shutil.rmtree(sockets)
    assert set(fleet.answers(timeout=5).values()) == {releases[RUNS].version}


def _close(control) -> None:
    subprocess.run(["ssh", "-o", f"ControlPath={control}", "-O", "exit", "any"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=10, check=False)
