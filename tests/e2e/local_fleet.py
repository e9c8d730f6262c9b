# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are folders and ports of this machine, run by the service manager ``process``: for what needs many small runs and no real init system."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.controller import Controller
from tests.testbed.application import build_release


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody uses now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _number in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]


class LocalFleet:
    """``names`` hosts of the fraise ``shop_api`` below ``folder``, and a controller for them."""

    def __init__(self, folder: Path, names: list[str], store_url: str, **group_variables: Any) -> None:
        self.folder, self.names = folder, names
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.archives = folder / "archives"
        variables = {
            "fraise_path": f"{folder}/hosts/{{{{ inventory_hostname }}}}",
            "fraise_source": {"archive": {"src": f"{self.archives}/shop-api-{{{{ version }}}}.tar.gz"}},
            "fraise_service": {
                "name": "shop-api",
                "manager": "process",
                "command": [sys.executable, "server.py", "--port", "{{ service_port }}"],
            },
            "fraise_health": [{"http": {"url": "http://127.0.0.1:{{ service_port }}/health", "json": {"version": "{{ version }}"}}}],
            "fraise_min_healthy": 0.2,
            "fraise_interval": 0.1,
            "fraise_timeout": 5,
            **group_variables,
        }
        inventory = {
            "all": {
                "vars": {
                    "fraise_environment": "test",
                    "ansible_connection": "local",
                    "ansible_python_interpreter": sys.executable,
                },
                "children": {"shop_api": {"hosts": {name: {"service_port": port} for name, port in self.ports.items()}, "vars": variables}},
            }
        }
        path = folder / "inventory.yml"
        path.write_text(yaml.safe_dump(inventory, width=1000), encoding="utf-8")
        self.controller = Controller(folder, path, store_url)

    def release(self, version: str, behaviour: str = "healthy", **options: Any) -> None:
        """Make a release archive of ``version`` that the inventory's source names."""
        build_release(self.archives, version, behaviour, **options)

    def serving(self) -> dict[str, str | None]:
        """Host to the version behind its link ``current``."""
        found: dict[str, str | None] = {}
        for name in self.names:
            link = self.folder / "hosts" / name / "current"
            found[name] = link.resolve().name if link.is_symlink() else None
        return found

    def stop(self) -> None:
        """End every service of these hosts."""
        for process in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                if process.name.isdigit() and str((process / "cwd").readlink()).startswith(f"{self.folder}/hosts/"):
                    os.kill(int(process.name), signal.SIGKILL)
