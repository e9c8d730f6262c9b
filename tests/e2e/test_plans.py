# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan, approve, apply: what was approved is what runs, and what is not as planned is named before anything live changes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.controller import Run
from tests.e2e.local_fleet import LocalFleet
from tests.e2e.observation import rows, tree_of, wait_for

HOSTS = ["web1", "web2", "web3"]
OLD, NEW = "1.0.0", "2.0.0"


@pytest.fixture
def shop(tmp_path: Path, sqlite_url: str) -> Iterator[LocalFleet]:
    """Three hosts that serve 1.0.0, where a deployment needs the approval of one other person; 2.0.0 waits to be deployed."""
    fleet = LocalFleet(tmp_path, HOSTS, sqlite_url, rolling_batches=[1, 2], fraise_approvals=1, fraise_min_healthy=0.1)
    try:
        for version in (OLD, NEW):
            fleet.release(version)
        first = fleet.controller.deploy("shop_api", OLD, fraise_approvals=0)
        assert first.code == 0, first.output
        yield fleet
    finally:
        fleet.stop()


def said(run: Run) -> str:
    return " ".join(run.output.replace('\\"', '"').split())


def planned(shop: LocalFleet, version: str | None = NEW, **variables: Any) -> str:
    """Make a plan as ann and return its hash."""
    wanted = {"fraise": "shop_api", "operator": "ann", **({"version": version} if version else {}), **variables}
    run = shop.controller.run("plan", **wanted)
    assert run.code == 0, run.output
    found = re.search(r"^Hash: ([0-9a-f]{64})$", run.output, re.MULTILINE)
    assert found, run.output
    return found.group(1)


def approved(shop: LocalFleet, plan: str, name: str = "bob", **variables: Any) -> Run:
    run = shop.controller.run("approve", plan=plan, operator=name, **variables)
    assert run.code == 0, run.output
    return run


def apply(shop: LocalFleet, plan: str, *arguments: str, **variables: Any) -> Run:
    return shop.controller.run("deploy", *arguments, fraise="shop_api", plan=plan, operator="cy", **variables)


def refusals(shop: LocalFleet) -> list[str]:
    """The codes of the refusals on record."""
    found = rows(shop.controller, "SELECT data FROM tb_event WHERE type = 'deployment.refused' ORDER BY pk_event")
    return [json.loads(row["data"])["error"]["code"] for row in found]


def assert_untouched(shop: LocalFleet, run: Run) -> None:
    assert run.code != 0, run.output
    assert shop.serving() == dict.fromkeys(HOSTS, OLD), run.output
    with shop.controller.store() as store:
        lock = store.read_lock("shop_api", "test")
    assert lock is not None
    assert not lock.held


def test_a_plan_is_refused_without_the_approval_of_another_and_applied_as_it_was_approved(shop: LocalFleet) -> None:
    before = {name: tree_of(shop.folder / "hosts" / name) for name in HOSTS}
    plan = planned(shop)
    assert {name: tree_of(shop.folder / "hosts" / name) for name in HOSTS} == before, "planning changes nothing"
    assert len(shop.controller.history()) == 1
    assert planned(shop) == plan, "the same plan twice is the same"

    bare = shop.controller.deploy("shop_api", NEW)
    assert_untouched(shop, bare)
    assert "fraise_approvals is 1, and this deployment names no plan" in said(bare)
    early = apply(shop, plan)
    assert_untouched(shop, early)
    assert f"Plan {plan[:12]} has 0 of the 1 approvals" in said(early)
    approved(shop, plan, "ann")
    own = apply(shop, plan)
    assert_untouched(shop, own)
    assert "made the plan" in said(own)
    assert refusals(shop) == ["NOT_APPROVED"] * 3
    assert len(shop.controller.history()) == 1

    approved(shop, plan[:12], "bob", reason="tested in staging")
    run = apply(shop, plan[:12])
    assert run.code == 0, run.output
    assert shop.serving() == dict.fromkeys(HOSTS, NEW)
    latest = shop.controller.latest()
    assert (latest["version"], latest["status"], latest["plan"]["applies"]) == (NEW, "success", plan)
    assert latest["user_name"].startswith("cy (")
    shown = shop.controller.run("plans", plan=plan)
    assert f"deploy {NEW} on 3 hosts of shop_api in test" in shown.output
    assert "tested in staging" in shown.output
    line = next(line for line in shop.controller.run("plans", fraise="shop_api").output.splitlines() if line.startswith(plan[:12]))
    assert line.endswith(f"{latest['identifier']} success")

    again = apply(shop, plan)
    assert again.code != 0
    assert f"was applied with success by {latest['identifier']}" in said(again)


def test_an_approval_expires_and_can_be_revoked(shop: LocalFleet) -> None:
    plan = planned(shop)
    approved(shop, plan, expires=0.01)
    late = apply(shop, plan)
    assert_untouched(shop, late)
    assert re.search(r"bob \([^)]*\): expired at ", said(late))
    approved(shop, plan)
    assert "1 approvals revoked by dan" in said(approved(shop, plan, "dan", revoke=True, reason="a bug was found"))
    revoked = apply(shop, plan)
    assert_untouched(shop, revoked)
    assert re.search(r"bob \([^)]*\): revoked at ", said(revoked))


def test_other_batches_or_hosts_than_planned_are_refused_before_anything_is_locked(shop: LocalFleet) -> None:
    plan = planned(shop)
    approved(shop, plan)
    wider = apply(shop, plan, rolling_batches=[3])
    assert_untouched(shop, wider)
    assert "batches: planned web1 | web2, web3, found web1, web2, web3" in said(wider)
    fewer = apply(shop, plan, "--limit", "web1,web2")
    assert_untouched(shop, fewer)
    assert "hosts of web3: planned in the plan, found not in this run" in said(fewer)
    other = apply(shop, plan, version=OLD)
    assert_untouched(shop, other)
    assert f"version: planned {NEW}, found {OLD}" in said(other)
    assert refusals(shop) == ["PLAN_DRIFTED"] * 3
    assert len(shop.controller.history()) == 1


def test_another_archive_or_another_option_than_planned_is_refused_before_any_host_is_touched(shop: LocalFleet) -> None:
    # A budget that would bear every host: drift is no failure of a host, so none is spent on it.
    plan = planned(shop, rolling_max_failed=3)
    approved(shop, plan)
    before = {name: tree_of(shop.folder / "hosts" / name / "releases") for name in HOSTS}
    shop.release(NEW, padding=100)
    swapped = apply(shop, plan, rolling_max_failed=3)
    assert_untouched(shop, swapped)
    assert re.search(r"content of the release of web1, web2, web3: planned sha256:[0-9a-f]{12}, found sha256:[0-9a-f]{12}", said(swapped))
    latest = shop.controller.latest()
    assert (latest["status"], latest["error_code"]) == ("failed", "PLAN_DRIFTED")
    assert latest["status_reason"].startswith("PLAN_DRIFTED: ")

    shop.release(NEW)
    sooner = apply(shop, plan, rolling_max_failed=3, fraise_timeout=7)
    assert_untouched(shop, sooner)
    assert re.search(r"option timeout of web1, web2, web3: planned digest [0-9a-f]{12}, found digest [0-9a-f]{12}", said(sooner))
    assert {name: tree_of(shop.folder / "hosts" / name / "releases") for name in HOSTS} == before
    right = apply(shop, plan, rolling_max_failed=3)
    assert right.code == 0, right.output


def test_a_host_that_moved_meanwhile_is_named_and_no_other_is_changed(shop: LocalFleet) -> None:
    plan = planned(shop)
    approved(shop, plan)
    shop.release("1.5.0")
    moved = shop.controller.deploy("shop_api", "1.5.0", "--limit", "web2", fraise_approvals=0)
    assert moved.code == 0, moved.output
    run = apply(shop, plan)
    assert run.code != 0
    assert f"version in place of web2: planned {OLD}, found 1.5.0" in said(run)
    assert shop.serving() == {"web1": OLD, "web2": "1.5.0", "web3": OLD}
    states = shop.controller.states()
    assert set(states.values()) == {"staged"}


def test_check_mode_says_what_a_plan_would_meet_and_writes_nothing(shop: LocalFleet) -> None:
    shown = shop.controller.run("plan", "--check", fraise="shop_api", version=NEW)
    assert shown.code == 0, shown.output
    assert "Check mode: the plan was not written down" in shown.output
    assert "No plans in the store" in shop.controller.run("plans").output
    plan = planned(shop)
    assert_untouched(shop, apply(shop, plan, "--check"))
    approved(shop, plan)
    good = apply(shop, plan, "--check")
    assert good.code == 0, good.output
    shop.release(NEW, padding=100)
    drifted = apply(shop, plan, "--check")
    assert_untouched(shop, drifted)
    assert "PLAN_DRIFTED" in drifted.output
    assert (len(shop.controller.history()), refusals(shop)) == (1, [])


def test_going_back_can_be_planned_and_needs_no_approval(shop: LocalFleet) -> None:
    plan = planned(shop)
    approved(shop, plan)
    assert apply(shop, plan).code == 0
    back = planned(shop, None, rollback=True)
    wrong = apply(shop, back)
    assert wrong.code != 0
    assert "fraisier.deploy.rollback" in said(wrong)
    run = shop.controller.run("rollback", fraise="shop_api", plan=back)
    assert run.code == 0, run.output
    assert shop.serving() == dict.fromkeys(HOSTS, OLD)
    # The same move again is a plan of its own: the first one has been carried out.
    assert planned(shop) != plan


def test_a_plan_that_was_only_staged_is_carried_on_by_applying_it_again(shop: LocalFleet) -> None:
    plan = planned(shop)
    approved(shop, plan)
    cut = apply(shop, plan, "--tags", "prepare")
    assert cut.code == 0, cut.output
    assert shop.controller.latest()["status"] == "aborted"
    run = apply(shop, plan)
    assert run.code == 0, run.output
    assert shop.serving() == dict.fromkeys(HOSTS, NEW)


def test_a_plan_whose_controller_was_killed_half_way_is_carried_on_by_applying_it_again(shop: LocalFleet) -> None:
    shop.controller.settings.update({"FRAISIER_LEASE_SECONDS": "4", "FRAISIER_HEARTBEAT_SECONDS": "1"})
    slow = {"fraise_min_healthy": 2}
    plan = planned(shop, **slow)
    approved(shop, plan)
    process = shop.controller.start("deploy", fraise="shop_api", plan=plan, operator="cy", **slow)
    wait_for(lambda: shop.serving()["web1"] == NEW, 60, "the first host has not changed")
    process.kill()
    process.wait()
    assert shop.serving()["web3"] == OLD
    wait_for(lambda: shop.controller.latest()["status"] == "interrupted", 20, "the deployment was not marked as interrupted")
    run = apply(shop, plan, wait=30, **slow)
    assert run.code == 0, run.output
    assert shop.serving() == dict.fromkeys(HOSTS, NEW)
    assert shop.controller.latest()["plan"]["applies"] == plan


def test_no_plan_is_made_where_a_host_cannot_be_asked(shop: LocalFleet) -> None:
    (shop.folder / "hosts" / "web2" / "current").unlink()
    (shop.folder / "hosts" / "web2" / "current").write_text("in the way")
    run = shop.controller.run("plan", fraise="shop_api", version=NEW)
    assert run.code != 0
    assert "No plan can be made: web2 cannot be deployed to" in said(run)


@pytest.mark.parametrize(
    ("plan", "message"),
    [("abcdefabcdef", "No plan abcdefabcdef in the store"), ("abc", "is not the hash of a plan"), ("2.0.0-and-more", "is not the hash of a plan")],
)
def test_what_names_no_plan_is_refused_by_every_playbook(shop: LocalFleet, plan: str, message: str) -> None:
    for run in (apply(shop, plan), shop.controller.run("approve", plan=plan), shop.controller.run("plans", plan=plan)):
        assert run.code != 0
        assert message in said(run)
