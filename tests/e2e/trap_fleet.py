# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Six local hosts in batches of two on which single hosts can be made to fail: by a broken release, by variables, by being away."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.controller import UNDO_LEAVES_NO_LOCK, Controller, Run
from tests.e2e.local_fleet import LocalFleet, free_ports
from tests.e2e.observation import answers, steps
from tests.testbed.application import build_release

NAMES = [f"web{number}" for number in range(1, 7)]
BROKEN = "broken-"
CONNECTION = """{{ 'ssh' if inventory_hostname in away_always | default([])
                   or (inventory_hostname in away_from_shift | default([]) and fraise_staged is defined) else 'local' }}"""


@dataclass(frozen=True)
class Deployed:
    """One run of the playbook: how it ended, what the store says of it, and what the hosts answered before and after."""

    run: Run
    record: dict[str, Any]
    before: dict[str, str | None]
    after: dict[str, str | None]

    @property
    def states(self) -> list[str]:
        """The states of the hosts, in their order."""
        return [row["state"] for row in self.record["hosts"]]

    @property
    def steps(self) -> dict[str, list[str]]:
        """Host to its steps with their outcomes."""
        return steps(self.record)

    def error_of(self, host: str) -> tuple[str, str]:
        """(code, message) that the record has of a host."""
        row = next(row for row in self.record["hosts"] if row["host"] == host)
        return row["error_code"], row["error_message"]


class TrapFleet:
    """The hosts, their controller, and fresh versions to deploy."""

    def __init__(self, folder: Path) -> None:
        self._numbers = itertools.count(1)
        self.fleet = LocalFleet(
            folder,
            NAMES,
            f"sqlite:///{folder}/store/store.db",
            fraise_source={
                "archive": {"src": f"{folder}/archives/{{{{ '{BROKEN}' if inventory_hostname in broken | default([]) }}}}shop-api-{{{{ version }}}}.tar.gz"}
            },
            rolling_batches=[2],
            fraise_min_healthy=0.1,
            fraise_reconnect=1,
            ansible_connection=CONNECTION,
            ansible_host="127.0.0.1",
            ansible_port=free_ports(1)[0],
            ansible_ssh_common_args="-o ConnectTimeout=2 -o BatchMode=yes",
            **UNDO_LEAVES_NO_LOCK,
        )

    @property
    def controller(self) -> Controller:
        """The controller of these hosts."""
        return self.fleet.controller

    def new_version(self) -> str:
        """A version that no host has seen, as an archive that works and one that ends at its start."""
        version = f"1.{next(self._numbers)}.0"
        build_release(self.fleet.archives, version)
        build_release(self.fleet.archives, version, "crash", name=f"{BROKEN}shop-api")
        return version

    def deploy(self, *arguments: str, broken: Sequence[str] = (), controller: Controller | None = None, **variables: Any) -> Deployed:
        """Deploy a new version, broken on the hosts ``broken``."""
        controller = controller or self.controller
        before = answers(self.fleet)
        run = controller.deploy("shop_api", self.new_version(), *arguments, broken=list(broken), **variables)
        record, after = controller.latest(), answers(self.fleet)
        assert after == self.fleet.serving(), "what answers is what the link names"
        assert (run.code == 0) == (record["status"] == "success"), f"exit code {run.code}, recorded {record['status']}:\n{run.output[-3000:]}"
        return Deployed(run, record, before, after)
