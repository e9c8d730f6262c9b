# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network between controller and host drops, resets or crawls at each boundary: no host is left half switched."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.real_shop import RealShop
from tests.faults.record import FULL, Table
from tests.faults.wire import Wire
from tests.testbed.hosts import Host

BOUNDARIES = {
    "while the release is staged": ("incoming", 3),
    "before the activation's journal": ("journal", 1),
    "before the switch": ("current", 1),
    "after the switch": ("current", 3),
    "before the restart": ("restart", 1),
    "before the answer": ("journal.json", 12),
}
"""Where the host stands when the network fails: a word in the path of the call where counting begins, and the number from there."""
CURES = ("recover", "deploy")
SAMPLE = [("drop", "after the switch"), ("reset", "before the answer")]


@pytest.mark.timeout(0)
def test_no_host_is_half_switched_whatever_the_network_does(hosts: list[Host], tmp_path: Path, sqlite_url: str, table: Callable[[str], Table]) -> None:
    matrix = table("network between controller and host")
    shop = RealShop(tmp_path, hosts, sqlite_url)
    wire = Wire(shop.armed.address)
    common = f"-o UserKnownHostsFile={shop.armed.access.known_hosts} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes -o HostKeyAlias={shop.armed.address}"
    shop.variables(ansible_host="127.0.0.1", ansible_port=wire.port, ansible_ssh_common_args=common)
    every = [(mode, boundary) for mode in ("drop", "reset", "slow") for boundary in BOUNDARIES]
    try:
        for number, (mode, boundary) in enumerate(every if FULL else SAMPLE):
            version = shop.next()
            process, where = shop.start(version, *BOUNDARIES[boundary])
            assert where, f"the host never came to {boundary}: {shop.output()}"

            def fail(process: subprocess.Popen[str], mode: str = mode) -> None:
                wire.mode = mode
                shop.go()
                if mode == "slow":
                    process.wait(180)
                else:
                    # the host goes on alone; the network is back while the deployment may still ask
                    time.sleep(5)
                wire.mode = "pass"

            found, outcome = shop.round(version, fail, process, CURES[number % 2])
            matrix.add(f"{mode} {boundary} ({where})"[:58], found, outcome)
    finally:
        wire.close()
        shop.disarm()
        shop.fleet.remove()
    matrix.holds()
