# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host loses its power at every single call inside an activation that changes its disk or starts a program."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.real_shop import RealShop
from tests.faults.record import FULL, Table
from tests.testbed.hosts import Host

SAMPLE = (9, 17)
CURES = ("recover", "deploy")


@pytest.mark.timeout(0)
def test_a_power_cut_at_every_boundary_of_an_activation_is_cured_by_one_recovery_or_re_run(
    hosts: list[Host], tmp_path: Path, sqlite_url: str, table: Callable[[str], Table]
) -> None:
    matrix = table("power cut of a host inside activate")
    shop = RealShop(tmp_path, hosts, sqlite_url)

    def cut(_process: subprocess.Popen[str]) -> None:
        shop.armed.kill()
        shop.armed.start()

    try:
        for turn, number in enumerate(itertools.count(1) if FULL else SAMPLE):
            version = shop.next()
            process, where = shop.start(version, "journal", number, tear=True)
            if not where:
                assert process.wait(60) == 0, shop.output()
                assert FULL, f"an activation has no {number} boundaries any more: take a smaller number"
                shop.good = version
                break
            found, outcome = shop.round(version, cut, process, CURES[turn % 2])
            matrix.add(f"{number}: {where}"[:58], found, outcome)
    finally:
        shop.disarm()
        shop.fleet.remove()
    matrix.holds()
