# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A local fleet behind real balancers: the hosts are folders and ports of this machine, HAProxy and nginx are real."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.fraisier.deploy.plugins.module_utils.balancers import haproxy, nginx, nginx_health, nginx_log  # noqa: F401 - as in the integration tests
from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.entry import run as look
from tests.e2e.controller import UNDO_LEAVES_NO_LOCK
from tests.e2e.local_fleet import LocalFleet
from tests.testbed.balancers import BACKEND, RunningBalancer, running_balancer


class BalancedFleet(LocalFleet):
    """A LocalFleet whose hosts stand behind ``balancers``: name of an inventory host to the running balancer."""

    balancers: dict[str, RunningBalancer]

    def set(self, **variables: Any) -> None:
        """Set group variables of the fraise."""
        path = self.folder / "inventory.yml"
        inventory = yaml.safe_load(path.read_text(encoding="utf-8"))
        inventory["all"]["children"]["shop_api"]["vars"] |= variables
        path.write_text(yaml.safe_dump(inventory, width=1000), encoding="utf-8")

    def in_service(self, names: Sequence[str] = ()) -> dict[str, list[str]]:
        """Balancer to the hosts that it sends requests to, as it says itself."""
        found = {}
        for name in names or self.balancers:
            own = entry(name, self.balancers[name], self.folder)
            own.pop("host")
            told = look({"state": "inspected", "backend": BACKEND, **own})
            found[name] = [server["name"] for server in told["servers"] if server["in_service"]]
        return found


def entry(name: str, balancer: RunningBalancer, folder: Path) -> dict[str, Any]:
    """How the inventory tells of a balancer: what it has of its own."""
    own = {key: value for key, value in balancer.options.items() if key != "tcp"}
    return {"host": name, "path": str(folder / f"notes-{name}"), **own}


@contextmanager
def balanced_fleet(folder: Path, names: list[str], kinds: list[str], **group_variables: Any) -> Iterator[BalancedFleet]:
    """``names`` behind one balancer of each of ``kinds``, called lb1, lb2 and so on; nothing is deployed yet."""
    fleet = BalancedFleet(folder, names, f"sqlite:///{folder}/store.db", **UNDO_LEAVES_NO_LOCK)
    with ExitStack() as stack:
        stack.callback(fleet.stop)
        fleet.balancers = {}
        for number, kind in enumerate(kinds, start=1):
            name = f"lb{number}"
            fleet.balancers[name] = stack.enter_context(running_balancer(kind, folder / name, fleet.ports))
        path = folder / "inventory.yml"
        inventory = yaml.safe_load(path.read_text(encoding="utf-8"))
        inventory["all"]["children"]["balancers"] = {"hosts": {name: {} for name in fleet.balancers}}
        path.write_text(yaml.safe_dump(inventory, width=1000), encoding="utf-8")
        fleet.set(
            traffic_driver=kinds[0],
            traffic_backend=BACKEND,
            traffic_balancers=[entry(name, balancer, folder) for name, balancer in fleet.balancers.items()],
            traffic_ready_timeout=20,
            **group_variables,
        )
        yield fleet
