# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process of its own that works on a store: ``worker.py WHAT JSON``. It says ready, waits for a line on stdin, works, and prints its findings as JSON."""

from __future__ import annotations

import json
import os
import random
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DatabaseTransactionError, DeploymentLockedError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Event, Store
from tests.unit.plugins.plugin_utils.store.builders import Run, request


def race(store: Store, options: dict[str, Any]) -> dict[str, Any]:
    """Open and close deployments of one pair until there are ``wins`` of them; a file made exclusively proves that nobody else is inside."""
    inside, wins, locked, busy = Path(options["inside"]), [], 0, 0
    while len(wins) < options["wins"]:
        try:
            run = Run(store, request(owner_name=f"worker {os.getpid()}", hosts=["web1"], lease_seconds=options["lease"]))
        except DeploymentLockedError:
            locked += 1
            time.sleep(random.uniform(0, 0.004))
            continue
        except DatabaseTransactionError:
            busy += 1
            continue
        os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
        # Long enough that others come while it is held, on a machine too busy to run two of us at once.
        time.sleep(0.002)
        inside.unlink()
        if len(wins) % 2:
            store.apply([run.closing()])
        else:
            store.release_lease(run.opened.lease)
        wins.append([run.opened.number, run.opened.lease.token])
    return {"wins": wins, "locked": locked, "busy": busy}


def steal(store: Store, options: dict[str, Any]) -> dict[str, Any]:
    """Take leases that nobody gives back: the next owner may only come after the end of the last."""
    wins: list[Any] = []
    while len(wins) < options["wins"]:
        try:
            lease = store.open_deployment(request(lease_seconds=options["lease"])).lease
        except (DeploymentLockedError, DatabaseTransactionError):
            time.sleep(random.uniform(0, 0.002))
            continue
        wins.append([lease.token, lease.acquired_at.timestamp(), lease.expires_at.timestamp()])
    return {"wins": wins}


def migrate(store: Store, _options: dict[str, Any]) -> dict[str, Any]:
    """Bring the schema up to date."""
    return {"ran": store.migrate()}


def replay(store: Store, options: dict[str, Any]) -> dict[str, Any]:
    """Store the events of a file in batches, starting anywhere."""
    events = [Event.from_json(line) for line in Path(options["spool"]).read_text().splitlines()]
    batches = [events[start : start + options["batch"]] for start in range(0, len(events), options["batch"])]
    random.Random(options["seed"]).shuffle(batches)
    repeated = 0
    stored = 0
    for batch in batches:
        while True:
            try:
                stored += store.apply(batch)
                break
            except DatabaseTransactionError:
                repeated += 1
    return {"stored": stored, "repeated": repeated}


def number(store: Store, options: dict[str, Any]) -> dict[str, Any]:
    """Open deployments of pairs that nobody has heard of before."""
    opened = []
    while len(opened) < options["count"]:
        try:
            run = Run(store, request(fraise=f"new{len(opened)}", environment=options["environment"], hosts=["h"], owner=str(uuid.uuid4())))
        except DeploymentLockedError:
            time.sleep(0.001)
            continue
        store.apply([run.closing()])
        opened.append(run.opened.identifier)
    return {"opened": opened}


def main() -> None:
    """Connect, wait for the start, work."""
    options = json.loads(sys.argv[2])
    work = {"race": race, "steal": steal, "migrate": migrate, "replay": replay, "number": number}[sys.argv[1]]
    with Store.connect(options["url"], timeout=10) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        print(json.dumps(work(store, options)), flush=True)


if __name__ == "__main__":
    main()
