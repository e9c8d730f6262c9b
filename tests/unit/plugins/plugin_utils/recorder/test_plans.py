# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorder's side of plans: made of what hosts answered, chosen at opening, held to before the first batch."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from sqlalchemy import update

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DeploymentError, NotApprovedError, PlanDriftedError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import Progress
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.admission import Admission
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.opening import OpenDeployment
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.plans import admit_plan, chosen_plan, find_plan, hold_to_plan, make_plan
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.verbs import VerbRequest, operate
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store, tables
from tests.unit.plugins.plugin_utils.store.builders import Run

REQUEST: dict[str, Any] = {
    "fraise": "shop_api",
    "fraise_type": "api",
    "environment": "test",
    "kind": "deploy",
    "provider": "bare_metal",
    "strategy": "rolling",
    "user": "ann (deploy@ctl)",
    "reason": "the sale",
}
PLAN = {"version": "2.0", "hosts": ["web1", "web2"], "batches": [1, 1], "groups": [["web1"], ["web2"]], "max_failed": 0}
RELEASE = {"version": "2.0", "current": "1.0", "current_digest": "sha256:1", "digest": "sha256:2"}
STAGED = {"stage": {"changed": True, "outcome": "ok", "release": RELEASE, "error": None, "options": {"path": "p"}}}


def looked(**changes: Any) -> OpenDeployment:
    """A run that has asked both hosts in check mode."""
    checks = {host: copy.deepcopy(STAGED) for host in PLAN["hosts"]}
    checks.update(changes.pop("checks", {}))
    request = {**REQUEST, **changes}
    return OpenDeployment(
        "2.0", dict(PLAN), Progress.start("2.0", None, list(PLAN["hosts"]), 0), None, None, Admission(request), checks=checks, request=request
    )


def made(store: Store, **changes: Any) -> dict[str, Any]:
    return make_plan(store, looked(**changes), "run-1", True)


def applying(store: Store, plan: dict[str, Any], **checks: Any) -> OpenDeployment:
    current = looked(checks=checks)
    current.applied = chosen_plan(store, {**REQUEST, "plan": plan["hash"]})
    return current


def test_a_plan_that_is_only_looked_at_has_the_hash_that_it_would_be_written_under(store: Store) -> None:
    shown = make_plan(store, looked(), "run-1", False)
    assert (shown["written"], shown["made"]) == (False, False)
    written = made(store)
    assert (written["written"], written["made"], written["hash"]) == (True, True, shown["hash"])
    assert made(store, user="bob", reason="another")["made"] is False, "who and why are no part of a plan"


@pytest.mark.parametrize("answer", [{}, {"stage": {"outcome": "unreachable"}}, {"stage": {"outcome": "failed"}}])
def test_no_plan_is_made_for_a_host_that_gave_no_good_answer(store: Store, answer: dict[str, Any]) -> None:
    with pytest.raises(DeploymentError, match="web2 cannot be deployed to or did not answer"):
        made(store, checks={"web2": answer})
    assert store.plans.latest(None, None, 10) == []


def test_where_approvals_are_asked_for_only_going_forward_needs_a_plan(store: Store) -> None:
    with pytest.raises(NotApprovedError, match="names no plan"):
        chosen_plan(store, {**REQUEST, "approvals": 1})
    for request in ({"kind": "rollback"}, {"kind": "recover"}, {"kind": "catchup"}, {"check": True}):
        assert chosen_plan(store, {**REQUEST, "approvals": 1, **request}) is None


def test_the_plan_of_a_rollback_needs_no_approval(store: Store) -> None:
    back = made(store, kind="rollback")
    chosen = chosen_plan(store, {**REQUEST, "kind": "rollback", "plan": back["hash"], "approvals": 2})
    assert chosen is not None
    assert chosen.use.approvals == 0
    forward = chosen_plan(store, {**REQUEST, "plan": made(store)["hash"][:12], "approvals": 2})
    assert forward is not None
    assert forward.use.approvals == 2


def test_a_plan_that_was_altered_in_the_store_is_refused(store: Store) -> None:
    plan = made(store)
    with store._engine.begin() as connection:
        connection.execute(update(tables.plan).values(document={**plan["document"], "batches": [["web1", "web2"]]}))
    with pytest.raises(ValidationError, match="was altered in the store"):
        find_plan(store, plan["hash"])


def test_what_the_run_would_do_is_compared_before_it_opens(store: Store) -> None:
    plan = made(store)
    chosen = chosen_plan(store, {**REQUEST, "plan": plan["hash"]})
    mine = dict(PLAN)
    assert admit_plan(store, chosen, REQUEST, mine) == chosen.use  # type: ignore[union-attr]
    assert mine["applies"] == plan["hash"]
    with pytest.raises(PlanDriftedError, match="batches: planned web1 \\| web2, found web1, web2"):
        admit_plan(store, chosen, REQUEST, {**PLAN, "groups": [["web1", "web2"]]})
    assert admit_plan(store, None, REQUEST, PLAN) is None


def test_hosts_that_are_as_planned_pass_and_are_compared_once(store: Store) -> None:
    current = applying(store, made(store))
    hold_to_plan(current)
    assert (current.progress.halted, current.applied.drift) == ("", None)  # type: ignore[union-attr]
    current.checks["web2"]["stage"]["release"]["current"] = "2.0"
    hold_to_plan(current)
    assert current.progress.halted == "", "the second batch meets hosts that have changed, as they should"


def test_a_host_that_is_not_as_planned_halts_the_deployment_and_bears_the_error(store: Store) -> None:
    current = applying(store, made(store), web2={"stage": {**STAGED["stage"], "release": {**RELEASE, "current": "1.5"}}})
    hold_to_plan(current)
    assert current.progress.halted.startswith("PLAN_DRIFTED: ")
    assert not current.progress.may_go().go
    assert current.progress.hosts["web1"].error is None
    error = current.progress.hosts["web2"].error
    assert error is not None
    assert (error["code"], error["context"]["differences"][0]["found"]) == ("PLAN_DRIFTED", "1.5")


def heard(store: Store, **versions: str) -> None:
    """A deployment after which hosts of the pair serve these versions, as they said."""
    run = Run(store, environment="test", version="1.5", hosts=list(versions))
    told = [run.event("step.outcome", host, step_id=uuid7(), step="inspect", outcome="ok", release={"version": version}) for host, version in versions.items()]
    store.apply([*told, run.closing()])


def test_the_approval_of_a_plan_that_has_drifted_warns_of_what_differs(store: Store) -> None:
    plan = made(store)
    assert "warnings" not in approve(store, plan=plan["hash"])
    heard(store, web1="1.5", web2="1.0")
    (warning,) = approve(store, plan=plan["hash"], user="cy")["warnings"]
    assert "version in place of web1: planned 1.0, found 1.5. So a deployment that applies it will be refused" in warning


def approve(store: Store, **changes: Any) -> dict[str, Any]:
    return operate(store, VerbRequest(**{"verb": "approve", "user": "bob (deploy@ctl)", "run": "run-2", **changes}))


def test_approving_says_until_when_and_whether_it_counts(store: Store) -> None:
    plan = made(store)
    told = approve(store, plan=plan["hash"][:12])
    assert told["plan"] == plan["hash"]
    assert told["msg"].startswith("Approved by bob (deploy@ctl) until ")
    assert f"plan {plan['hash'][:12]}: deploy 2.0 of shop_api in test" in told["msg"]
    assert "counts only where fraise_approve_own is true" in approve(store, plan=plan["hash"], user="Ann (root@desk)")["msg"]
    (first, _own) = store.plans.find(plan["hash"])["approvals"]
    assert (first["expires_at"] - first["approved_at"]).total_seconds() == 86400


def test_approving_in_check_mode_writes_nothing(store: Store) -> None:
    plan = made(store)
    assert "would approve" in approve(store, plan=plan["hash"], check=True)["msg"]
    assert "would revoke" in approve(store, plan=plan["hash"], argument="revoke", check=True)["msg"]
    assert store.plans.find(plan["hash"])["approvals"] == []


@pytest.mark.parametrize(("change", "message"), [({}, "plan is missing"), ({"plan": "ab" * 6, "argument": "give back"}, "there is no 'give back'")])
def test_an_approval_of_nothing_is_refused(store: Store, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        approve(store, **change)
