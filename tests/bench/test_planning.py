# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of 10,000 hosts: what planning it takes, and the recorder's own part of opening, each gate and the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.feeder import Feeder
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import SOCKET_VARIABLE, call
from tests.bench.conftest import Bench, seconds

HOSTS = [f"web{number:05}" for number in range(10_000)]
RUNS = 5
OPEN: dict[str, Any] = {
    "fraise": "shop_api",
    "environment": "test",
    "fraise_type": "api",
    "kind": "deploy",
    "version": "1.0",
    "provider": "bare_metal",
    "strategy": "rolling",
    "batches": [1, "1%", "10%", "25%"],
    "max_failed": "5%",
    "hosts": HOSTS,
    "user": "bench",
    "owner_name": "bench",
}


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[None]:
    settings = {"store_url": f"sqlite:///{tmp_path}/store.db", "spool": str(tmp_path / "spool"), "timeout": 10.0, "required": False}
    feeder = Feeder("bench", {**settings, "auto_migrate": True, "lease": 30.0, "heartbeat": 10.0})
    feeder.start()
    call("query", query="fleet")
    yield
    feeder.close()
    os.environ.pop(SOCKET_VARIABLE, None)


@pytest.mark.usefixtures("recorder")
def test_ten_thousand_hosts_are_planned_in_a_second(bench: Bench) -> None:
    plan = call("open", **OPEN, check=True)["deployment"]["plan"]
    assert [len(group) for group in plan["groups"]][:3] == [1, 100, 1000]
    assert sum(map(len, plan["groups"])) == len(HOSTS)
    taken = []
    for _run in range(RUNS):
        call("close")  # in check mode, which has written nothing
        taken.append(seconds(lambda: call("open", **OPEN, check=True)))
    bench.add("planning 10,000 hosts", taken, "s", 1.0)


@pytest.mark.usefixtures("recorder")
def test_what_the_recorder_does_for_ten_thousand_hosts_besides(bench: Bench) -> None:
    figures: dict[str, list[float]] = {}
    for _run in range(RUNS):
        figures.setdefault("opening", []).append(seconds(lambda: call("open", **OPEN)))
        figures.setdefault("a gate", []).append(seconds(lambda: call("gate", at="before", hosts=HOSTS[:1000])))
        figures.setdefault("closing", []).append(seconds(lambda: call("close")))
    for name, values in figures.items():
        bench.add(f"{name} of a deployment of 10,000 hosts", values, "s", None)
