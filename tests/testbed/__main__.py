# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the testbed: ``python -m tests.testbed up NAME [--count N] | down NAME | release FOLDER VERSION | list | image | clean``."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path

from tests.testbed import fleet as fleets
from tests.testbed.application import BEHAVIOURS, build_release, install_service
from tests.testbed.engine import ensure_engine
from tests.testbed.images import ensure_image
from tests.testbed.inventory import write_inventory
from tests.testbed.owners import owner
from tests.testbed.process import TestbedError

CHECKOUT = Path(__file__).resolve().parents[2]


def folder_of(name: str) -> Path:
    """Where the keys and the inventory of a named fleet lie."""
    return CHECKOUT / "build" / "testbed" / name


def up(options: argparse.Namespace) -> None:
    """Start the hosts of a named fleet (removing an earlier one of that name) and write an inventory for them."""
    down(options)
    folder = folder_of(options.name)
    folder.mkdir(parents=True, mode=0o700)
    started = time.monotonic()
    opened = fleets.open_fleet(options.count, name=options.name, folder=folder, owned_by=owner(options.owner) if options.owner else None)
    for host in opened.hosts:
        install_service(host)
    variables = json.loads(options.variables)
    written = write_inventory(folder / "inventory.yml", opened.hosts, groups={options.group: opened.hosts}, variables=variables)
    print(f"{options.count} hosts in {time.monotonic() - started:.1f} s: {written}")


def down(options: argparse.Namespace) -> None:
    """Remove the hosts and the keys of a named fleet."""
    ensure_engine()
    fleets.remove(options.name)
    shutil.rmtree(folder_of(options.name), ignore_errors=True)


def main() -> int:
    """Parse the words and do it."""
    parser = argparse.ArgumentParser(prog="python -m tests.testbed", description="Real systemd hosts for trying things out.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "down"):
        command = commands.add_parser(name)
        command.add_argument("name", help="name of the fleet")
        if name == "up":
            command.add_argument("--count", type=int, default=3)
            command.add_argument("--group", default="shop_api")
            command.add_argument("--variables", default="{}", help="JSON, variables of all hosts")
            command.add_argument("--owner", type=int, default=int(os.environ.get("FRAISIER_TESTBED_OWNER", "0")), help="remove when this process is gone")
    release = commands.add_parser("release", help="make a release archive of the small service")
    release.add_argument("folder", type=Path)
    release.add_argument("version")
    release.add_argument("--behaviour", choices=BEHAVIOURS, default="healthy")
    commands.add_parser("list")
    commands.add_parser("image")
    commands.add_parser("clean")
    options = parser.parse_args()
    try:
        if options.command == "up":
            up(options)
        elif options.command == "down":
            down(options)
        elif options.command == "release":
            print(build_release(options.folder, options.version, options.behaviour).path)
        elif options.command == "list":
            for name, owned_by in fleets.fleets().items():
                print(name, owned_by or "kept")
        elif options.command == "image":
            print(ensure_image())
        else:
            print(*fleets.remove_all())
    except TestbedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
