# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real hosts, one of which stops at an exact call of its provider, and what must hold of the fleet afterwards."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.controller import Run
from tests.e2e.observation import wait_for
from tests.e2e.real_fleet import ROOT, RealFleet
from tests.faults.shop import fleet_violations, record_violations
from tests.testbed.hosts import Host

SHIM = Path(__file__).resolve().parent / "shim" / "armed_python.py"
FOLDER = "/srv/faults"
SSH = "-o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=1 -o ServerAliveCountMax=3 -o ConnectTimeout=3"


class RealShop:
    """Three hosts, one after the other; the second is armed, so that one host has moved before it and one has not."""

    def __init__(self, folder: Path, hosts: list[Host], url: str) -> None:
        self.fleet = RealFleet(folder, hosts, url, rolling_batches=[1], fraise_lock_after_undo=False, fraise_undo_limit=0)
        self.controller = self.fleet.controller
        self.controller.settings.update({"FRAISIER_LEASE_SECONDS": "4", "FRAISIER_HEARTBEAT_SECONDS": "1", "ANSIBLE_SSH_ARGS": SSH})
        self.armed = hosts[1]
        self.armed.run(["mkdir", "-p", FOLDER])
        self.armed.write(f"{FOLDER}/python3", "#!/usr/bin/python3 -IS\n" + SHIM.read_text(encoding="utf-8"))
        self.armed.run(["chmod", "755", f"{FOLDER}/python3"])
        self.variables(ansible_python_interpreter=f"{FOLDER}/python3")
        self.rounds = 0
        self.good = ""
        self.renew()

    def variables(self, **changes: Any) -> None:
        """Change what the inventory says of the armed host."""
        path = self.controller.inventory
        inventory = yaml.safe_load(path.read_text(encoding="utf-8"))
        inventory["all"]["hosts"][self.armed.name].update(changes)
        path.write_text(yaml.safe_dump(inventory, sort_keys=False, width=1000), encoding="utf-8")

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

    def start(self, version: str, begin: str, number: int, tear: bool = False) -> tuple[subprocess.Popen[str], str]:
        """Start a deployment; comes back with the call at which the armed host stands still, or with nothing once the deployment has ended."""
        self.disarm()
        self.armed.write(f"{FOLDER}/at.json", json.dumps({"from": begin, "number": number, "tear": tear}))
        process = self.controller.start("deploy", fraise="shop_api", version=version, wait=30)
        deadline = time.monotonic() + 90
        while not (mark := self.armed.run(f"cat {FOLDER}/mark 2>/dev/null || true").stdout) and process.poll() is None:
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.1)
        return process, mark

    def disarm(self) -> None:
        """Let the armed host run as any other."""
        self.armed.run(f"rm -f {FOLDER}/at.json {FOLDER}/mark {FOLDER}/go")

    def go(self) -> None:
        """Let the armed host go on from where it stands."""
        self.armed.run(f"rm -f {FOLDER}/at.json; touch {FOLDER}/go")

    def output(self) -> str:
        """What the deployment of :meth:`start` printed."""
        return (self.fleet.folder / "output.log").read_text(encoding="utf-8")

    def quiet(self) -> None:
        """Wait until no provider runs on the armed host."""
        wait_for(lambda: not self.armed.run("pgrep -f [F]RAISIER-PYTHON || true").stdout.strip(), 60, "a provider still runs on the host")

    def cured(self, how: str, version: str) -> tuple[list[str], str]:
        """Cure once, then say what is not as promised, and how it ended."""
        run: Run = self.controller.run("recover", fraise="shop_api") if how == "recover" else self.controller.deploy("shop_api", version, wait=30)
        found = self.violations({version, self.good})
        if run.code != 0:
            found.append(f"the {how} ended with {run.code}: {run.output[-2000:]}")
        versions = set(self.fleet.links().values())
        if found:
            self.renew()
        else:
            self.good = versions.pop()
        return found, f"{how}: {'new' if self.good == version else 'old'} version"

    def violations(self, allowed: set[str]) -> list[str]:
        """What is not as promised: one complete release a host, one version in the fleet, the lock free, the record true."""
        links = self.fleet.links()
        found = fleet_violations(self.fleet.answers(timeout=10), links, allowed)
        if not self.fleet.complete_releases():
            found.append("a live release is not whole")
        for host in self.fleet.hosts:
            if host.run(f"test -e {ROOT}/.fraisier/journal.json", check=False).returncode == 0:
                found.append(f"{host.name}: its journal is open")
        return found + record_violations(self.controller, links)

    def round(self, version: str, act: Callable[[subprocess.Popen[str]], None], process: subprocess.Popen[str], how: str) -> tuple[list[str], str]:
        """Do ``act`` to the standing host, let the deployment end by itself, cure once, look."""
        act(process)
        process.wait(180)
        self.quiet()
        self.disarm()
        return self.cured(how, version)
