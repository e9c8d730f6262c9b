# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What being recorded costs: a play of 20 tasks on 20 hosts with the callback and its recorder against the same play without; the recorder's memory."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import yaml

from tests.bench.conftest import Bench
from tests.e2e.controller import CHECKOUT, Controller

TASKS, HOSTS, RUNS = 20, 20, 25
MEGABYTE = 1024.0


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    inventory = {"all": {"vars": {"ansible_connection": "local"}, "hosts": {f"host{number}": {} for number in range(HOSTS)}}}
    path = tmp_path / "inventory.yml"
    path.write_text(yaml.safe_dump(inventory), encoding="utf-8")
    tasks = [{"name": f"Task {number}", "ansible.builtin.debug": {"msg": "hello"}} for number in range(TASKS)]
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"name": "Play", "hosts": "all", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    return Controller(tmp_path, path, f"sqlite:///{tmp_path}/store.db")


def run(controller: Controller, callbacks: str = "") -> None:
    """Run the play with the project's settings, with ``callbacks`` and no others."""
    lines = [
        line for line in (CHECKOUT / "ansible.cfg").read_text(encoding="utf-8").splitlines() if not line.startswith(("callbacks_enabled", "collections_path"))
    ]
    (controller.folder / "ansible.cfg").write_text("\n".join(lines), encoding="utf-8")
    controller.settings.update({"ANSIBLE_CONFIG": str(controller.folder / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "build" / "tree")})
    controller.settings.pop("ANSIBLE_CALLBACKS_ENABLED", None)
    if callbacks:
        controller.settings["ANSIBLE_CALLBACKS_ENABLED"] = callbacks
    ended = controller.run_file(controller.folder / "play.yml")
    assert ended.code == 0, ended.output


class PeakMemory(threading.Thread):
    """Watches for recorders and remembers the highest resident size (VmHWM, kB) of any."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.kilobytes, self.over = 0, threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            for process in Path("/proc").iterdir():
                try:
                    if process.name.isdigit() and b"recorder/__main__.py" in (process / "cmdline").read_bytes():
                        status = (process / "status").read_text(encoding="ascii", errors="replace")
                        self.kilobytes = max(self.kilobytes, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")))
                except (OSError, TypeError):
                    continue
            time.sleep(0.05)


@pytest.mark.timeout(900)
def test_being_recorded_costs_five_percent_at_the_most(bench: Bench, controller: Controller) -> None:
    bench.ratio(
        f"callback and recorder on {TASKS} tasks x {HOSTS} hosts",
        lambda _number: run(controller, "fraisier.deploy.recorder"),
        lambda _number: run(controller),
        runs=RUNS,
        bound=1.05,
    )


def test_the_recorder_stays_small(bench: Bench, controller: Controller) -> None:
    memory = PeakMemory()
    memory.start()
    run(controller, "fraisier.deploy.recorder")
    memory.over.set()
    memory.join()
    assert memory.kilobytes > 0
    bench.add("peak memory of the recorder", [memory.kilobytes / MEGABYTE], "MB", 80)
