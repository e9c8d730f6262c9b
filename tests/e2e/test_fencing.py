# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller that was frozen past its lease changes nothing when it wakes, and a host refuses an older deployment by itself."""

from __future__ import annotations

import getpass
import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.e2e.local_fleet import LocalFleet
from tests.e2e.observation import answers, children, tree_of, wait_for

NAMES = ["web1", "web2", "web3"]
LEASE = 3


@pytest.fixture
def shop(tmp_path: Path, sqlite_url: str) -> Iterator[LocalFleet]:
    fleet = LocalFleet(tmp_path, NAMES, sqlite_url, rolling_batches=[1])
    fleet.controller.settings.update({"FRAISIER_LEASE_SECONDS": str(LEASE), "FRAISIER_HEARTBEAT_SECONDS": "1"})
    for version in ("1.0", "1.1", "1.2"):
        fleet.release(version)
    assert fleet.controller.deploy("shop_api", "1.0").code == 0
    yield fleet
    fleet.stop()


def of_the_controller(pid: int) -> list[int]:
    """The controller, its workers and its recorder; not the programs that it has started on hosts, which run on when a controller stops."""
    found = [pid]
    for child, words in children(pid).items():
        if "ansible-playbook" in words or "recorder" in words:
            found += of_the_controller(child)
    return found


def freeze(shop: LocalFleet, pids: list[int], stopped: list[int]) -> None:
    """Stop the processes at a moment at which none holds SQLite's lock: a process frozen within a write keeps it until it wakes (docs/faults.md)."""
    for _ in range(20):
        for pid in pids:
            # a worker may have ended since it was seen
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
        if takes_a_writer(shop):
            return
        for pid in pids[1:]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        time.sleep(0.05)
    raise AssertionError("SQLite was locked whenever the controller was frozen")


def takes_a_writer(shop: LocalFleet) -> bool:
    """Whether the store's file can be locked for a write now."""
    with closing(sqlite3.connect(str(make_url(shop.controller.store_url).database), timeout=0.2, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
        return True


def is_settled(shop: LocalFleet, host: str, version: str) -> bool:
    """Whether the host serves the version and no activation is under way."""
    return shop.serving()[host] == version and not (shop.folder / "hosts" / host / ".fraisier" / "journal.json").exists()


@pytest.mark.parametrize("whole", [True, False], ids=["all of its processes frozen", "only the playbook stopped, as by Ctrl-Z"])
def test_a_controller_that_was_frozen_past_its_lease_changes_nothing_when_it_wakes(shop: LocalFleet, whole: bool) -> None:
    frozen = shop.controller.start("deploy", fraise="shop_api", version="1.1")
    stopped: list[int] = []
    try:
        wait_for(lambda: is_settled(shop, "web1", "1.1"), 30, "the first batch never shifted")
        freeze(shop, of_the_controller(frozen.pid) if whole else [frozen.pid], stopped)
        newer = shop.controller.deploy("shop_api", "1.2", wait=30)
        assert newer.code == 0, newer.output
        before = tree_of(shop.folder / "hosts")
    finally:
        for pid in stopped:
            # a worker that had ended before is gone once its parent goes on
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    code = frozen.wait(60)
    output = (shop.folder / "output.log").read_text(encoding="utf-8")
    assert tree_of(shop.folder / "hosts") == before, output
    assert answers(shop) == dict.fromkeys(NAMES, "1.2"), output
    assert code != 0, output
    assert "LEASE_LOST" in output
    latest, older = shop.controller.history()[:2]
    assert (latest["version"], latest["status"]) == ("1.2", "success")
    assert (older["version"], older["status"], older["error_code"]) == ("1.1", "failed", "LEASE_LOST"), older
    assert "went to" in older["status_reason"]
    with shop.controller.store() as store:
        row = store.read_lock("shop_api", "test")
    assert row is not None
    assert not row.held


@pytest.mark.parametrize("way", ["short", "ordinary"])
def test_a_host_that_obeys_a_newer_deployment_refuses_in_both_ways_of_calling_it_and_the_older_one_ends(shop: LocalFleet, way: str) -> None:
    fence = shop.folder / "hosts/web2/.fraisier/fence.json"
    seen = json.loads(fence.read_text())
    assert seen["owner_name"].startswith(f"{getpass.getuser()}@")
    newer = {"token": seen["token"] + 1_000_000, "owner": "another", "owner_name": "grace@elsewhere (pid 9)", "at": "now"}
    fence.write_text(json.dumps(newer))
    before = tree_of(shop.folder / "hosts" / "web2")
    shop.controller.settings["ANSIBLE_KEEP_REMOTE_FILES"] = str(way == "ordinary")
    run = shop.controller.deploy("shop_api", "1.1")
    assert run.code != 0
    said = " ".join(run.output.split())
    assert f"fencing token {newer['token']} of grace@elsewhere (pid 9)" in said
    assert "[FENCED]" in said
    assert "LEASE_LOST" in said
    after = tree_of(shop.folder / "hosts" / "web2")
    assert {name: after.get(name) for name in before} == before
    assert answers(shop) == dict.fromkeys(NAMES, "1.0")
    latest = shop.controller.latest()
    assert (latest["status"], latest["error_code"]) == ("failed", "LEASE_LOST")
