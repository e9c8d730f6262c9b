# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fraise ``shop_api`` on systemd hosts over SSH, as a team would have it: a unit on each host, an inventory, a controller."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.e2e.controller import Controller
from tests.testbed.application import answered_version, build_release, install_service, remove_service
from tests.testbed.hosts import Host
from tests.testbed.inventory import write_inventory

ROOT = "/srv/shop_api"


class RealFleet:
    """``hosts`` with the service's unit, and a controller whose store is ``store_url``."""

    def __init__(self, folder: Path, hosts: Sequence[Host], store_url: str, **group_variables: Any) -> None:
        self.folder, self.hosts = folder, list(hosts)
        self.archives = folder / "archives"
        variables = {
            "fraise_source": {"archive": {"src": f"{self.archives}/shop-api-{{{{ version }}}}.tar.gz"}},
            "fraise_service": "shop-api.service",
            "fraise_health": [{"http": {"url": "http://127.0.0.1:8000/health", "json": {"version": "{{ version }}"}}}],
            "fraise_min_healthy": 0.3,
            "fraise_interval": 0.1,
            "fraise_timeout": 10,
            **group_variables,
        }
        path = write_inventory(
            folder / "inventory.yml",
            self.hosts,
            groups={"shop_api": self.hosts},
            variables={"fraise_environment": "test"},
            group_variables={"shop_api": variables},
        )
        self.controller = Controller(folder, path, store_url)
        for host in self.hosts:
            remove_service(host)
            install_service(host)

    def release(self, version: str, behaviour: str = "healthy", **options: Any) -> None:
        """Make a release archive of ``version`` that the inventory's source names."""
        build_release(self.archives, version, behaviour, **options)

    def answers(self, timeout: float = 0.0) -> dict[str, str | None]:
        """Host to the version that its service answers over HTTP."""
        return {host.name: answered_version(host, timeout=timeout) for host in self.hosts}

    def links(self) -> dict[str, str]:
        """Host to the version behind its link ``current`` (empty when there is none)."""
        return {host.name: Path(host.run(f"readlink {ROOT}/current || true").stdout.strip()).name for host in self.hosts}

    def complete_releases(self) -> bool:
        """Whether each host's live release is whole: its VERSION file is there and says what the link says."""
        for host in self.hosts:
            wanted = Path(host.run(f"readlink {ROOT}/current").stdout.strip()).name
            if host.run(f"cat {ROOT}/current/VERSION").stdout.strip() != wanted:
                return False
        return True

    def remove(self) -> None:
        """Take the service off the hosts."""
        for host in self.hosts:
            remove_service(host)
