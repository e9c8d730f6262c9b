# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator at another terminal: a running deployment is paused, goes on, skips its wait, or is aborted, and the record says who, when and why."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.local_fleet import LocalFleet

pytestmark = pytest.mark.alone
HOSTS = ["web1", "web2", "web3"]
OBEYS = timedelta(seconds=2)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalFleet]:
    fleet = LocalFleet(tmp_path, HOSTS, f"sqlite:///{tmp_path}/store.db", rolling_batches=[1])
    fleet.controller.settings |= {"FRAISIER_LEASE_SECONDS": "4", "FRAISIER_HEARTBEAT_SECONDS": "1"}
    for version in ("1.0.0", "2.0.0"):
        fleet.release(version)
    run = fleet.controller.deploy("shop_api", "1.0.0")
    assert run.code == 0, run.output
    yield fleet
    fleet.stop()


def output(shop: LocalFleet) -> str:
    return (shop.folder / "output.log").read_text(encoding="utf-8")


def until(shop: LocalFleet, holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, output(shop)
        time.sleep(0.05)


def begun(shop: LocalFleet, **variables: Any) -> subprocess.Popen[str]:
    """A deployment of 2.0.0 whose first batch has been shifted. Batches take seconds: an operator's playbook needs two to start."""
    process = shop.controller.start("deploy", fraise="shop_api", version="2.0.0", **{"fraise_min_healthy": 4, "fraise_timeout": 20, **variables})
    until(shop, lambda: "serves 2.0.0, was" in output(shop))
    return process


def baking(shop: LocalFleet, **variables: Any) -> subprocess.Popen[str]:
    """A deployment of 2.0.0 that waits a minute before its second batch."""
    process = begun(shop, rolling_pause=60, fraise_min_healthy=0.2, **variables)
    until(shop, lambda: "waiting 60 s before batch 2 of 3" in output(shop))
    return process


def paused(shop: LocalFleet, **variables: Any) -> None:
    run = shop.controller.run("pause", fraise="shop_api", operator="ada", **variables)
    assert run.code == 0, run.output
    until(shop, lambda: shop.controller.latest()["status"] == "paused")


def told(shop: LocalFleet, verb: str, **variables: Any) -> dict[str, Any]:
    """Run a verb's playbook; the command's row once the deployment has spoken of it."""
    run = shop.controller.run(verb, fraise="shop_api", operator="ada", **variables)
    assert run.code == 0, run.output
    until(shop, lambda: bool(shop.controller.latest()["commands"][-1]["obeyed_at"]), 10)
    found: dict[str, Any] = shop.controller.latest()["commands"][-1]
    assert found["verb"] == verb
    return found


def next_step(shop: LocalFleet, command: dict[str, Any]) -> dict[str, Any]:
    """The first step of a host that began after a command, once it is recorded."""
    until(shop, lambda: any(step["started_at"] > command["issued_at"] for step in shop.controller.latest()["steps"]), 20)
    return min((step for step in shop.controller.latest()["steps"] if step["started_at"] > command["issued_at"]), key=lambda step: step["started_at"])


def test_a_paused_deployment_waits_for_its_operator_and_then_goes_on(shop: LocalFleet) -> None:
    process = begun(shop)
    paused(shop, reason="errors on web1")
    status = shop.controller.run("status", fraise="shop_api", live=False).output
    assert "2.0.0 paused" in status
    again = shop.controller.run("pause", fraise="shop_api", operator="bob")
    assert again.code == 0, again.output
    assert "is paused already, by ada (" in again.output
    foreseen = shop.controller.run("resume", "--check", fraise="shop_api")
    assert foreseen.code == 0, foreseen.output
    assert "would be told: resume" in foreseen.output
    time.sleep(5)  # longer than the lease: it is kept all the while
    with shop.controller.store() as store:
        lock = store.read_lock("shop_api", "test")
    assert lock is not None and lock.held
    assert process.poll() is None
    assert sorted(filter(None, shop.serving().values())) != ["2.0.0"] * 3
    command = told(shop, "resume", reason="it was the old load balancer")
    assert process.wait(60) == 0, output(shop)
    assert set(shop.serving().values()) == {"2.0.0"}
    row = shop.controller.latest()
    assert (row["status"], row["status_reason"]) == ("success", None)
    assert [entry["verb"] for entry in row["commands"]] == ["pause", "resume"]
    assert command["obeyed_at"] - command["issued_at"] < OBEYS
    assert next_step(shop, command)["started_at"] - command["issued_at"] < OBEYS
    assert output(shop).count("paused by ada") == 1, "what it waits for is said once"
    assert output(shop).count(": it was the old load balancer") == 1, "and who ended that"
    shown = shop.controller.run("history", fraise="shop_api", deployment=row["identifier"]).output
    for word in ("errors on web1", "it was the old load balancer", "ada (", "paused before batch", "goes on, after"):
        assert word in shown, shown


def test_a_pause_that_expires_lets_the_deployment_go_on_by_itself(shop: LocalFleet) -> None:
    process = begun(shop)
    paused(shop, expires=4)
    assert process.wait(60) == 0, output(shop)
    row = shop.controller.latest()
    assert row["status"] == "success"
    (pause,) = row["commands"]
    assert next_step(shop, pause)["started_at"] >= pause["expires_at"] - timedelta(seconds=0.1)
    assert next_step(shop, pause)["started_at"] - pause["expires_at"] < OBEYS


def test_a_pause_can_end_in_an_abort(shop: LocalFleet) -> None:
    process = begun(shop)
    paused(shop, expires=4, then="abort")
    assert process.wait(60) != 0, output(shop)
    row = shop.controller.latest()
    assert row["status"] == "aborted"
    assert "a pause ended without a word (paused by ada" in row["status_reason"]
    assert set(shop.serving().values()) == {"1.0.0"}


def test_promote_skips_the_wait_between_two_batches(shop: LocalFleet) -> None:
    process = baking(shop)
    first = told(shop, "promote")
    assert next_step(shop, first)["started_at"] - first["issued_at"] < OBEYS
    assert "goes on, " in first["outcome"] and "before the end of the wait between batches" in first["outcome"]
    until(shop, lambda: "waiting 60 s before batch 3 of 3" in output(shop))
    told(shop, "promote")
    assert process.wait(60) == 0, output(shop)
    assert shop.controller.latest()["duration_seconds"] < 50


def test_an_abort_in_a_wait_brings_every_host_back(shop: LocalFleet) -> None:
    process = baking(shop)
    refused = shop.controller.run("abort", fraise="shop_api")
    assert refused.code != 0
    assert "an abort needs one" in refused.output
    command = told(shop, "abort", reason="wrong release")
    assert process.wait(60) != 0, output(shop)
    assert command["obeyed_at"] - command["issued_at"] < OBEYS
    assert next_step(shop, command)["started_at"] - command["issued_at"] < OBEYS
    assert next_step(shop, command)["step"] == "revert"
    row = shop.controller.latest()
    assert row["status"] == "aborted"
    assert row["status_reason"].startswith("aborted by ada (")
    assert row["status_reason"].endswith("): wrong release; undone")
    assert set(shop.serving().values()) == {"1.0.0"}
    with shop.controller.store() as store:
        lock = store.read_lock("shop_api", "test")
    assert lock is not None and not lock.held


def test_an_abort_may_leave_the_hosts_as_they_are(shop: LocalFleet) -> None:
    process = baking(shop)
    told(shop, "abort", reason="look at web1 first", abort="leave")
    assert process.wait(60) != 0, output(shop)
    row = shop.controller.latest()
    assert row["status"] == "aborted"
    assert row["status_reason"].endswith("look at web1 first; the hosts stay as they are, 1 of 3 on 2.0.0")
    assert sorted(map(str, shop.serving().values())) == ["1.0.0", "1.0.0", "2.0.0"]
    assert "revert" not in {step["step"] for step in row["steps"]}


def test_verbs_say_that_nothing_runs(shop: LocalFleet) -> None:
    for verb in ("pause", "resume", "promote", "abort"):
        run = shop.controller.run(verb, fraise="shop_api", reason="a test")
        assert run.code != 0
        assert "[NO_OPEN_DEPLOYMENT]" in run.output
        assert "shop_api:test:1 ended success" in run.output
    assert shop.controller.latest()["commands"] == []


def test_a_controller_killed_in_a_pause_leaves_an_interrupted_deployment(shop: LocalFleet) -> None:
    process = begun(shop)
    paused(shop, reason="looking")
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    until(shop, lambda: shop.controller.latest()["status"] == "interrupted", 10)
    run = shop.controller.run("resume", fraise="shop_api")
    assert run.code != 0
    assert "[NO_OPEN_DEPLOYMENT]" in run.output
    run = shop.controller.deploy("shop_api", "2.0.0", wait=30)
    assert run.code == 0, run.output
    assert set(shop.serving().values()) == {"2.0.0"}
