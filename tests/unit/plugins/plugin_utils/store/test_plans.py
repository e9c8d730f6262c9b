# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans and approvals in the store. The integration tests run all of this on every database."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NotApprovedError, NotFoundError, PlanDriftedError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.plans import plan_hash
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import ApprovalRequest, PlanRequest, PlanUse, Store, tables
from tests.unit.plugins.plugin_utils.store.builders import Run

DOCUMENT: dict[str, Any] = {"format": 1, "kind": "deploy", "batches": [["web1"], ["wéb-🍓"]], "since": None, "budgets": {"max_failed": 0}}


def made(store: Store, document: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    document = DOCUMENT if document is None else document
    usual = {"hash": plan_hash(document), "document": document, "fraise": "shop_api", "fraise_type": "api", "environment": "production"}
    told = {"version": "2.0", "expected_seconds": 12.5, "reason": "the sale", "user": "ann (deploy@ctl)", "run": "run-1", **changes}
    return store.plans.make(PlanRequest(**{**usual, **told}))


def word(plan: str, user: str, reason: str = "", seconds: float = 60) -> ApprovalRequest:
    return ApprovalRequest(plan, user, "run-2", reason, seconds)


def use(plan: dict[str, Any], approvals: int = 0, own: bool = False) -> PlanUse:
    return PlanUse(plan["hash"], approvals, own)


def test_a_plan_comes_back_as_it_was_written_and_by_the_start_of_its_hash(store: Store) -> None:
    plan = made(store)
    found = store.plans.find(plan["hash"][:12])
    assert found["document"] == DOCUMENT
    assert plan_hash(found["document"]) == found["hash"] == plan["hash"]
    assert {name: found[name] for name in ("fraise", "environment", "version", "expected_seconds", "reason", "user_name")} == {
        "fraise": "shop_api",
        "environment": "production",
        "version": "2.0",
        "expected_seconds": 12.5,
        "reason": "the sale",
        "user_name": "ann (deploy@ctl)",
    }
    assert (found["applied_at"], found["deployment"], found["approvals"]) == (None, None, [])
    assert abs((found["made_at"] - found["now"]).total_seconds()) < 60


def test_the_same_plan_twice_is_one_row_of_the_one_who_made_it_first(store: Store) -> None:
    assert made(store)["made"] is True
    again = made(store, user="bob", expected_seconds=99.0)
    assert (again["made"], again["user_name"], again["expected_seconds"]) == (False, "ann (deploy@ctl)", 12.5)
    assert len(store.plans.latest(None, None, 10)) == 1


def test_a_plan_that_is_not_there_and_a_start_that_is_not_enough_are_told(store: Store) -> None:
    with pytest.raises(NotFoundError, match="No plan abcdefabcdef"):
        store.plans.find("abcdefabcdef")
    first, second = "ab" * 31 + "00", "ab" * 31 + "01"
    for name in (first, second):
        made(store, hash=name)
    with pytest.raises(ValidationError, match="More than one plan begins with abababababab"):
        store.plans.find("ab" * 6)
    assert store.plans.find(second)["hash"] == second


def test_the_newest_plans_come_first_and_only_those_asked_for(store: Store) -> None:
    for number in range(3):
        made(store, {**DOCUMENT, "number": number}, version=f"{number}.0")
    made(store, {**DOCUMENT, "kind": "rollback"}, environment="staging", version="9.0")
    assert [row["version"] for row in store.plans.latest("shop_api", "production", 2)] == ["2.0", "1.0"]
    assert [(row["version"], row["kind"]) for row in store.plans.latest(None, "staging", 10)] == [("9.0", "rollback")]
    assert store.plans.latest("shop_web", None, 10) == []
    assert "document" not in store.plans.latest(None, None, 1)[0]


def test_a_plan_that_is_too_big_to_keep_whole_is_refused(store: Store) -> None:
    with pytest.raises(ValidationError, match="more than the store keeps"):
        made(store, {**DOCUMENT, "hosts": {f"web{number}": "x" * 1000 for number in range(1100)}})


def test_approvals_are_counted_by_person_and_the_maker_s_own_does_not_count(store: Store) -> None:
    plan = made(store)
    with pytest.raises(NotApprovedError, match="0 of the 1 approvals"):
        store.plans.admit(use(plan, 1))
    store.plans.approve(word(plan["hash"], "ann (root@desk)", "mine", 60))
    with pytest.raises(NotApprovedError, match=r"ann \(root@desk\): made the plan"):
        store.plans.admit(use(plan, 1))
    store.plans.admit(use(plan, 1, own=True))
    told = store.plans.approve(word(plan["hash"][:12], "bob (deploy@ctl)", "looks good", 60))
    assert [(entry["user_name"], entry["reason"]) for entry in told["approvals"]] == [("ann (root@desk)", "mine"), ("bob (deploy@ctl)", "looks good")]
    assert told["approvals"][1]["expires_at"] - told["approvals"][1]["approved_at"] == timedelta(seconds=60)
    store.plans.admit(use(plan, 1))
    store.plans.approve(word(plan["hash"], "bob (root@desk)", "again", 60))
    with pytest.raises(NotApprovedError, match="1 of the 2 approvals"):
        store.plans.admit(use(plan, 2))


def test_an_approval_ends_by_the_clock_of_the_store(store: Store) -> None:
    plan = made(store)
    store.plans.approve(word(plan["hash"], "bob", "", 0.2))
    store.plans.admit(use(plan, 1))
    time.sleep(0.25)
    with pytest.raises(NotApprovedError, match="bob: expired at"):
        store.plans.admit(use(plan, 1))


def test_revoking_takes_back_what_is_in_force_and_says_who_and_why(store: Store) -> None:
    plan = made(store)
    store.plans.approve(word(plan["hash"], "bob", "fine", 0.05))
    time.sleep(0.06)
    store.plans.approve(word(plan["hash"], "cy", "fine", 60))
    told = store.plans.revoke(word(plan["hash"], "dan", "a bug was found"))
    assert told["revoked"] == 1
    assert [(entry["revoked_at"] is None, entry["reason"]) for entry in told["approvals"]] == [(True, "fine"), (False, "fine; revoked by dan: a bug was found")]
    with pytest.raises(NotApprovedError, match="cy: revoked at"):
        store.plans.admit(use(plan, 1))
    with pytest.raises(NotFoundError, match="no approval in force"):
        store.plans.revoke(word(plan["hash"], "dan", ""))


@pytest.mark.parametrize("seconds", [0, -1, 1e10, float("nan")])
def test_an_approval_lasts_a_time_that_makes_sense(store: Store, seconds: float) -> None:
    with pytest.raises(ValidationError, match="expires"):
        store.plans.approve(word(made(store)["hash"], "bob", "", seconds))


def test_a_deployment_that_applies_a_plan_is_bound_to_it_in_the_same_breath(store: Store) -> None:
    plan = made(store)
    run = Run(store, version="2.0", applies=use(plan))
    found = store.plans.find(plan["hash"])
    assert (found["deployment"], found["status"]) == (run.opened.identifier, "in_progress")
    assert found["applied_at"] == run.row()["started_at"]


def test_a_plan_without_its_approvals_opens_nothing_and_leaves_the_lock_free(store: Store) -> None:
    plan = made(store)
    with pytest.raises(NotApprovedError):
        Run(store, version="2.0", applies=use(plan, 1))
    assert store.history() == []
    lock = store.read_lock("shop_api", "production")
    assert lock is None or not lock.held
    store.plans.approve(word(plan["hash"], "bob", "", 60))
    Run(store, version="2.0", applies=use(plan, 1)).done()


def test_a_plan_is_not_applied_again_after_a_success_but_after_anything_else(store: Store) -> None:
    plan = made(store)
    Run(store, version="2.0", applies=use(plan)).done("interrupted")
    second = Run(store, version="2.0", applies=use(plan))
    second.done("success")
    assert store.plans.find(plan["hash"])["deployment"] == second.opened.identifier
    with pytest.raises(PlanDriftedError, match=f"applied with success by {second.opened.identifier}"):
        Run(store, version="2.0", applies=use(plan))
    with pytest.raises(ValidationError, match="nothing left to approve"):
        store.plans.approve(word(plan["hash"], "bob", "", 60))


def test_asking_again_for_the_same_opening_gives_the_same_answer(store: Store) -> None:
    plan = made(store)
    run = Run(store, version="2.0", applies=use(plan))
    assert store.open_deployment(run.request).identifier == run.opened.identifier


def test_who_made_approved_and_revoked_is_an_event_too(store: Store) -> None:
    plan = made(store)
    made(store, user="bob")
    store.plans.approve(word(plan["hash"], "bob", "looks good"))
    store.plans.revoke(word(plan["hash"], "cy", "a bug"))
    event = tables.event
    with store._engine.connect() as connection:
        rows = connection.execute(select(event.c.type, event.c.run, event.c.data).order_by(event.c.pk_event)).all()
    assert [(row.type, row.run, row.data["by"], row.data["reason"]) for row in rows] == [
        ("plan.made", "run-1", "ann (deploy@ctl)", "the sale"),
        ("operator.approve", "run-2", "bob", "looks good"),
        ("operator.revoke", "run-2", "cy", "a bug"),
    ]
    assert {row.data["plan"] for row in rows} == {plan["hash"]}
    assert rows[2].data["approvals_of"] == ["bob"]


def test_durations_are_those_of_whole_deployments_that_brought_something_new_with_success(store: Store) -> None:
    assert store.plans.durations("shop_api", "production") == []
    Run(store, version="1.0", plan={"batches": [1, 1, 1]}).done(duration=30.0)
    Run(store, version="1.0", plan={"batches": [1, 1, 1]}).done(duration=1.0)
    Run(store, version="2.0", plan={"batches": [1, 2]}).done("rolled_back", duration=99.0)
    Run(store, version="2.0", plan={"batches": [3]}, kind="rollback").done(duration=12.0)
    Run(store, version="3.0", environment="staging").done(duration=5.0)
    assert store.plans.durations("shop_api", "production") == [(12.0, 1), (30.0, 3)]
