# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The crash matrix: controller and recorder killed, ended and frozen at every boundary of a deployment and of an undo; one recovery or re-run cures it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.observation import wait_for
from tests.faults.record import FULL, Table
from tests.faults.shop import BOUNDARIES, LEASE, UNDO_BOUNDARIES, Shop, thaw

SIGNALS = ("SIGKILL", "SIGTERM", "SIGSTOP")
TARGETS = ("controller", "recorder")
EVERYWHERE = {**BOUNDARIES, **UNDO_BOUNDARIES}
CURES = ("deploy", "recover")
SAMPLE = {
    "sqlite": [
        ("SIGKILL", "controller", "after activate"),
        ("SIGKILL", "recorder", "before activated"),
        ("SIGTERM", "controller", "after revert in an undo"),
        ("SIGSTOP", "controller", "after gate before a batch"),
    ],
    "postgresql": [("SIGKILL", "controller", "after gate after a batch"), ("SIGSTOP", "recorder", "after activated")],
}


def one_round(shop: Shop, number: int, name: str, target: str, boundary: str) -> tuple[list[str], str]:
    """Strike, cure once, look; returns what was violated, and how it was cured to which version."""
    undo, how = boundary in UNDO_BOUNDARIES, CURES[number % len(CURES)]
    version, good = shop.next(), shop.good
    # in the middle of the fleet where a boundary comes for each host or batch: one host has it already, one does not yet
    often = 2 if not undo and any(word in boundary for word in ("activate", "gate")) else 1
    with shop.spoilt(undo):
        process = shop.start(version, EVERYWHERE[boundary], f"{target} {name}", often)
        recorder = shop.recorder_pid()
        if name != "SIGSTOP":
            process.wait(90)
            # the recorder outlives its controller for as long as that one's workers may still act
            wait_for(lambda: not alive(recorder), LEASE + 40, "the recorder never ended")
    try:
        run = shop.cure(how, version)
    finally:
        thaw([process.pid, recorder])
        code = process.wait(90)
    found = shop.violations({version, good})
    if name == "SIGSTOP" and how == "deploy" and run.code != 0 and code != 0:
        found.append(f"neither ended well: {run.output[-2000:]}")
    # A recorder does not heed SIGTERM: its undo goes to the end, which speaks against the release, so deploying that once more is refused.
    refused = undo and (name, target) == ("SIGTERM", "recorder") and "[RELEASE_QUARANTINED]" in run.output
    if name != "SIGSTOP" and run.code != 0 and not refused:
        found.append(f"the {how} ended with {run.code}: {run.output[-2000:]}")
    versions = set(shop.fleet.serving().values())
    if found:
        shop.renew()
    else:
        shop.good = str(versions.pop())
    return found, f"{'refused' if refused else how}: {'new' if shop.good == version else 'old'} version"


def alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    return False


def everything() -> list[tuple[str, str, str]]:
    """All rounds, or with FRAISIER_FAULTS_ONLY those whose name holds it."""
    only = os.environ.get("FRAISIER_FAULTS_ONLY", "")
    return [names for names in itertools.product(SIGNALS, TARGETS, EVERYWHERE) if only in " ".join(names)]


@pytest.mark.timeout(0)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_crash_at_every_boundary_is_cured_by_one_recovery_or_re_run(
    database: str, request: pytest.FixtureRequest, tmp_path: Path, table: Callable[[str], Table]
) -> None:
    matrix = table(f"crash matrix, rolling, {database}")
    shop = Shop(tmp_path / "shop", request.getfixturevalue(f"{database}_url"))
    try:
        for number, (name, target, boundary) in enumerate(everything() if FULL else SAMPLE[database]):
            try:
                found, outcome = one_round(shop, number, name, target, boundary)
            except AssertionError as error:
                found, outcome = [f"{error}"[:3000]], "cut short"
                shop.renew()
            matrix.add(f"{name} {target} {boundary}", found, outcome)
    finally:
        shop.fleet.stop()
    matrix.holds()
