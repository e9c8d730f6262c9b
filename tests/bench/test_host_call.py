# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one call of ours to a host costs, against Ansible's smallest module through the same connection."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.bench.conftest import Bench
from tests.e2e.controller import Controller
from tests.testbed.fleet import Fleet
from tests.testbed.inventory import write_inventory

CALLS, RUNS = 10, 5
INSPECT = {"fraisier.deploy.release": {"step": "inspect", "provider": "bare_metal", "options": {"path": "/srv/nothing_here"}}}


@pytest.mark.timeout(600)
def test_a_call_of_ours_costs_no_more_than_an_ordinary_module(bench: Bench, ten_hosts: Fleet, tmp_path: Path) -> None:
    hosts = ten_hosts.hosts[:10]
    controller = Controller(tmp_path, write_inventory(tmp_path / "inventory.yml", hosts), f"sqlite:///{tmp_path}/store.db")
    for name, task in (("ours", INSPECT), ("ping", {"ansible.builtin.ping": {}})):
        tasks = [{"name": f"Call {number}", **task} for number in range(CALLS)]
        play = [{"name": "Calls", "hosts": "all", "gather_facts": False, "tasks": tasks}]
        (tmp_path / f"{name}.yml").write_text(yaml.safe_dump(play), encoding="utf-8")

    def play(name: str) -> None:
        ended = controller.run_file(tmp_path / f"{name}.yml")
        assert ended.code == 0, ended.output

    bench.ratio(f"{CALLS} calls of release to 10 hosts against ping", lambda _number: play("ours"), lambda _number: play("ping"), runs=RUNS, bound=1.0)
    (ours,) = (figure for figure in bench.figures if str(figure["name"]).endswith("against ping: ours"))
    bench.add("one host-task of ours", [float(value) / (CALLS * len(hosts)) for value in ours["runs"]], "s", None)  # type: ignore[attr-defined]
