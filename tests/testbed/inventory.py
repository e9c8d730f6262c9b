# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes an inventory for testbed hosts, as a person would have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.testbed.hosts import Host


def connection_variables(host: Host, user: str = "root") -> dict[str, Any]:
    """What Ansible must know to reach ``host``."""
    return {
        "ansible_host": host.address,
        "ansible_user": user,
        "ansible_ssh_private_key_file": str(host.access.key),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={host.access.known_hosts} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes",
        "ansible_python_interpreter": "/usr/bin/python3",
    }


def write_inventory(
    path: Path,
    hosts: Iterable[Host],
    *,
    groups: Mapping[str, Sequence[Host | str]] | None = None,
    variables: Mapping[str, Any] | None = None,
    group_variables: Mapping[str, Mapping[str, Any]] | None = None,
    host_variables: Mapping[str, Mapping[str, Any]] | None = None,
    user: str = "root",
) -> Path:
    """Write a YAML inventory to ``path`` and return it.

    ``groups``: group name -> its hosts (default: none but ``all``); ``variables`` are of all hosts; ``group_variables`` and ``host_variables`` by name.
    """
    special = host_variables or {}
    listed = {host.name: {**connection_variables(host, user), **special.get(host.name, {})} for host in hosts}
    children: dict[str, dict[str, Any]] = {}
    for group, members in (groups or {}).items():
        children[group] = {"hosts": {member if isinstance(member, str) else member.name: {} for member in members}}
    for group, values in (group_variables or {}).items():
        children.setdefault(group, {})["vars"] = dict(values)
    tree = {"all": {"hosts": listed, "vars": dict(variables or {}), "children": children}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(tree, sort_keys=False, width=1000), encoding="utf-8")
    return path
