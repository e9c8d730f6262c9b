# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of local hosts that many rounds share, cut off at exact boundaries, and what must hold of it afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

from tests.e2e.controller import Controller, Run
from tests.e2e.local_fleet import LocalFleet
from tests.e2e.observation import answers, children, wait_for

NAMES = ["web1", "web2", "web3"]
LEASE = 3
SHIM = Path(__file__).resolve().parent / "shim"
ANSWERS = {"http": {"url": "http://127.0.0.1:{{ service_port }}/health", "json": {"version": "{{ version }}"}}}
NEVER = {"exec": {"command": ["false"]}}

_FORWARD = [
    ("open", "open"),
    ("stage", "intent stage"),
    ("staged", "outcome stage"),
    ("gate before a batch", "gate before"),
    ("activate", "intent activate"),
    ("activated", "outcome activate"),
    ("gate after a batch", "gate after"),
    ("settle", "gate settle"),
    ("retire", "intent retire"),
    ("retired", "outcome retire"),
    ("close", "close"),
]
_UNDO = [("revert", "intent revert"), ("reverted", "outcome revert"), ("inspect", "intent inspect"), ("inspected", "outcome inspect")]
BOUNDARIES = {f"{side} {name}": f"{at} {side}" for name, at in _FORWARD for side in ("before", "after")}
"""Boundaries of a deployment that goes well, in their order: name to what the shim understands."""
UNDO_BOUNDARIES = {f"{side} {name} in an undo": f"{at} {side}" for name, at in _UNDO for side in ("before", "after")}


def of_the_controller(pid: int) -> list[int]:
    """The controller, its workers and its recorder; not the programs that it has started on hosts, which run on when a controller stops."""
    found = [pid]
    for child, words in children(pid).items():
        if "ansible-playbook" in words or "recorder" in words:
            found += of_the_controller(child)
    return found


class Shop:
    """``good`` is what all hosts serve between two rounds."""

    def __init__(self, folder: Path, url: str, lease: float = LEASE) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # no hold after an undo: a person would have to lift it in each round
        self.fleet = LocalFleet(folder, NAMES, url, rolling_batches=[1], fraise_lock_after_undo=False, fraise_undo_limit=0)
        self.controller = self.fleet.controller
        self.mark = folder / "struck"
        self.plain = {"FRAISIER_LEASE_SECONDS": str(lease), "FRAISIER_HEARTBEAT_SECONDS": str(lease / 3)}
        self.controller.settings.update(self.plain)
        self.rounds = 0
        self.good = ""
        self.renew()

    def next(self) -> str:
        """A release that no host has seen."""
        self.rounds += 1
        version = f"1.{self.rounds}"
        self.fleet.release(version)
        return version

    def renew(self) -> None:
        """One good version on all hosts, whatever was before."""
        version = self.next()
        run = self.controller.deploy("shop_api", version, wait=30)
        assert run.code == 0, run.output
        self.good = version

    @contextmanager
    def spoilt(self, spoil: bool) -> Iterator[None]:
        """While this lasts a health check of ``web2`` never holds, so that a deployment undoes itself."""
        if spoil:
            self._health_of("web2", [ANSWERS, NEVER])
        try:
            yield
        finally:
            if spoil:
                self._health_of("web2", None)

    def _health_of(self, host: str, checks: list[dict[str, object]] | None) -> None:
        inventory = yaml.safe_load(self.controller.inventory.read_text(encoding="utf-8"))
        variables = inventory["all"]["children"]["shop_api"]["hosts"][host]
        variables.pop("fraise_health", None)
        if checks:
            variables["fraise_health"] = checks
        self.controller.inventory.write_text(yaml.safe_dump(inventory, width=1000), encoding="utf-8")

    def start(self, version: str, at: str, do: str, number: int = 1) -> subprocess.Popen[str]:
        """Start a deployment that is struck at a boundary; comes back once it is, or AssertionError with what was printed."""
        for path in (self.mark, Path(f"{self.mark}.go")):
            path.unlink(missing_ok=True)
        shim = {"PYTHONPATH": str(SHIM), "FAULT_AT": at, "FAULT_DO": do, "FAULT_NUMBER": str(number), "FAULT_MARK": str(self.mark)}
        self.controller.settings = {**self.plain, **shim}
        try:
            process = self.controller.start("deploy", fraise="shop_api", version=version, wait=30)
        finally:
            self.controller.settings = dict(self.plain)
        wait_for(lambda: self.mark.exists() or process.poll() is not None, 180, f"never came to {at}")
        assert self.mark.exists(), f"never came to {at}: {self.output()}"
        return process

    def output(self) -> str:
        """What the struck deployment printed."""
        return (self.fleet.folder / "output.log").read_text(encoding="utf-8")

    def recorder_pid(self) -> int:
        """The recorder of the struck deployment."""
        return int(self.mark.read_text(encoding="ascii"))

    def cure(self, how: str, version: str) -> Run:
        """One recovery, or the same deployment once more."""
        if how == "recover":
            return self.controller.run("recover", fraise="shop_api")
        return self.controller.deploy("shop_api", version, wait=30)

    def violations(self, allowed: set[str]) -> list[str]:
        """What is not as promised: one complete release a host, one version in the fleet, the lock free, the record true."""
        served, links = answers(self.fleet), self.fleet.serving()
        found = fleet_violations(served, links, allowed)
        for name, version in links.items():
            host = self.fleet.folder / "hosts" / name
            if version and (host / "current/VERSION").read_text(encoding="utf-8").strip() != version:
                found.append(f"{name}: its release {version} is not whole")
            if (host / ".fraisier/journal.json").exists():
                found.append(f"{name}: its journal is open")
        return found + record_violations(self.controller, links)


def fleet_violations(served: Mapping[str, str | None], links: Mapping[str, str | None], allowed: set[str]) -> list[str]:
    """What hosts answer that their links do not say, and versions that differ or nobody deployed."""
    found = []
    if served != links:
        found.append(f"hosts serve {served}, their links say {links}")
    if len(set(links.values())) != 1 or not set(links.values()) <= allowed:
        found.append(f"not one version of {sorted(allowed)}: {links}")
    return found


def record_violations(controller: Controller, links: Mapping[str, str | None]) -> list[str]:
    """What the store says that is not so, is not settled, or is not in order."""
    found = []
    with controller.store() as store:
        lock = store.read_lock("shop_api", "test")
        history = store.history(limit=1000)
        recorded = {row["host"]: row["version"] for row in store.fleet("shop_api", "test")}
        unsettled = store.unsettled("shop_api", "test")
        checked = store.check()
    if not checked["ok"]:
        found.append(f"the store's own check: {checked}")
    if lock is not None and lock.held:
        found.append(f"the lock is held by {lock}")
    going = [row["identifier"] for row in history if row["status"] == "in_progress"]
    if going:
        found.append(f"said to be going on: {going}")
    if unsettled:
        found.append(f"unsettled: {unsettled}")
    if recorded != links:
        found.append(f"the record says {recorded}, the hosts have {links}")
    return found


def thaw(pids: list[int]) -> None:
    """Let stopped processes go on."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
