# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of hosts on a network of its own; it ends with the session, and what killed sessions left is removed."""

from __future__ import annotations

import base64
import ipaddress
import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.testbed.engine import allow_many_hosts, docker, ensure_engine
from tests.testbed.hosts import Access, Host
from tests.testbed.images import ensure_image
from tests.testbed.owners import Owner, owner, scratch
from tests.testbed.process import TestbedError, run

LABEL = "fraisier.testbed"
RANGE = ipaddress.ip_network("172.30.0.0/16")  # each session takes a free /24 of it
STARTED_AT_ONCE = 4
# Where root lacks CAP_SYS_RESOURCE, --privileged is refused; this is privileged less that one, and more than systemd needs.
PRIVILEGES = [
    "--cap-add=ALL", "--cap-drop=SYS_RESOURCE", "--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined",
    "--security-opt=systempaths=unconfined", "--cgroupns=private", "--tmpfs=/run", "--tmpfs=/run/lock", "--tmpfs=/tmp:exec,mode=1777",
]  # fmt: skip


@dataclass
class Fleet:
    """The hosts of one session and what belongs to them. ``folder`` holds the keys; all of it is gone after :meth:`close`."""

    name: str
    owner: Owner | None
    folder: Path
    network: str
    subnet: ipaddress.IPv4Network
    image: str
    access: Access
    authorized_key: str
    host_key: str
    hosts: list[Host] = field(default_factory=list)

    def add(self, count: int) -> list[Host]:
        """Start ``count`` more hosts and return them once each lets people in by ssh."""
        first = len(self.hosts) + 1
        new = [self._host(number) for number in range(first, first + count)]
        self.hosts += new
        with self.access.known_hosts.open("a", encoding="ascii") as known:
            known.writelines(f"{host.address} {public_key(self.folder / 'host_key')}\n" for host in new)
        with ThreadPoolExecutor(STARTED_AT_ONCE) as pool:
            list(pool.map(self._start, new))
        with ThreadPoolExecutor(max(1, count)) as pool:
            list(pool.map(Host.wait, new))
        return new

    def _host(self, number: int) -> Host:
        address = str(self.subnet.network_address + 10 + number)
        return Host(f"host{number}", address, f"{self.network}-host{number}", self.network, self.access)

    def _start(self, host: Host) -> None:
        keys = [f"--env=TESTBED_AUTHORIZED_KEY={self.authorized_key}", f"--env=TESTBED_HOST_KEY={self.host_key}"]
        place = [f"--name={host.container}", f"--hostname={host.name}", f"--network={self.network}", f"--ip={host.address}"]
        # "on-failure": a rebooting host comes back (it ends with 129), and none comes back by itself when the machine reboots
        docker("run", "--detach", "--restart=on-failure", *place, *_labels(self.name, self.owner), *PRIVILEGES, *keys, self.image)

    def close(self) -> None:
        """End and remove everything of this fleet."""
        for host in self.hosts:
            host.disconnect()
        remove(self.name)
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.access.sockets, ignore_errors=True)


def public_key(private: Path) -> str:
    """The public half of a key pair made by :func:`_key_pair`, without its comment."""
    return " ".join(private.with_suffix(".pub").read_text(encoding="ascii").split()[:2])


def _key_pair(path: Path) -> Path:
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "fraisier-testbed", "-f", path])
    return path


def _labels(name: str, owned_by: Owner | None) -> list[str]:
    return [f"--label={LABEL}={name}", f"--label={LABEL}.owner={owned_by or 'nobody'}"]


def open_fleet(count: int, *, name: str | None = None, folder: Path | None = None, owned_by: Owner | Literal["me"] | None = "me") -> Fleet:
    """Start ``count`` hosts, owned by this process unless ``owned_by`` says otherwise (None: kept until removed by name).

    Keys lie in ``folder`` (default: a scratch folder of a short path); the fleet has a name of its own unless ``name`` gives one.
    """
    image = ensure_image()
    allow_many_hosts()
    remove_abandoned()
    keeper = owner() if owned_by == "me" else owned_by
    sockets = scratch("hosts")  # apart from the keys' folder, whose path may be too long for a socket
    place = folder or sockets
    name = name or secrets.token_hex(4)
    key, host_key = _key_pair(place / "key"), _key_pair(place / "host_key")
    network = f"fraisier-{name}"
    access = Access(key, place / "known_hosts", sockets)
    subnet = _open_network(network, name, keeper)
    encoded = base64.b64encode(host_key.read_bytes()).decode("ascii")
    fleet = Fleet(name, keeper, place, network, subnet, image, access, public_key(key), encoded)
    try:
        fleet.add(count)
    except BaseException:
        fleet.close()
        raise
    return fleet


@contextmanager
def start_hosts(count: int) -> Iterator[list[Host]]:
    """``count`` hosts for the length of a with block."""
    fleet = open_fleet(count)
    try:
        yield fleet.hosts
    finally:
        fleet.close()


def _open_network(network: str, name: str, owned_by: Owner | None) -> ipaddress.IPv4Network:
    """Make the bridge on the first free /24 and see to it that no packet for the hosts ever leaves the machine, whatever becomes of the bridge."""
    for subnet in RANGE.subnets(new_prefix=24):
        if _is_routed(subnet):
            continue
        made = run(["docker", "network", "create", f"--subnet={subnet}", *_labels(name, owned_by), network], check=False)
        if made.returncode == 0:
            run(["ip", "route", "replace", "blackhole", str(subnet), "metric", "4294967295"], check=False)  # not root: then without
            return ipaddress.IPv4Network(subnet)
        if "overlaps" not in made.stderr:
            raise TestbedError(f"no network for the hosts: {made.stderr.strip()}")
    raise TestbedError(f"no free /24 left in {RANGE}: see `docker network ls`")


def _is_routed(subnet: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    """Whether the machine already has a way to some address of ``subnet`` other than its default route."""
    for line in run(["ip", "-4", "route", "show", "table", "all"]).stdout.splitlines():
        words = [word for word in line.split() if word[0].isdigit()]
        if words and ipaddress.ip_network(words[0], strict=False).overlaps(subnet):
            return True
    return False


def _listed(*arguments: str) -> list[str]:
    return docker(*arguments).split()


def remove(name: str) -> None:
    """Remove all hosts and the network of the fleet ``name``."""
    wanted = f"label={LABEL}={name}"
    containers = _listed("ps", "--all", "--quiet", "--filter", wanted)
    if containers:
        docker("rm", "--force", "--volumes", *containers, timeout=120)
    for network in _listed("network", "ls", "--quiet", "--filter", wanted):
        subnet = docker("network", "inspect", "--format", "{{range .IPAM.Config}}{{.Subnet}}{{end}}", network)
        docker("network", "rm", network)
        run(["ip", "route", "del", "blackhole", subnet], check=False)


def fleets() -> dict[str, Owner | None]:
    """Name and owner of every fleet on this machine (None: kept until somebody removes it)."""
    form = f'{{{{.Label "{LABEL}"}}}} {{{{.Label "{LABEL}.owner"}}}}'
    lines = []
    for listing in (["ps", "--all"], ["network", "ls"]):
        lines += docker(*listing, "--filter", f"label={LABEL}", "--format", form).splitlines()
    pairs = [line.split() for line in lines if line.strip()]
    return {name: None if mark == "nobody" else Owner.parse(mark) for name, mark in pairs}


def remove_abandoned() -> list[str]:
    """Remove the fleets of sessions that were killed; return their names."""
    gone = [name for name, owned_by in fleets().items() if owned_by and owned_by.is_dead()]
    for name in gone:
        remove(name)
    return gone


def remove_all() -> list[str]:
    """Remove every fleet on this machine whose owner is not alive or unknown; return their names."""
    ensure_engine()
    gone = [name for name, owned_by in fleets().items() if owned_by is None or owned_by.is_dead()]
    for name in gone:
        remove(name)
    return gone
