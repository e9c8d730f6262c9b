# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.action import operate, plan, store
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DeploymentError
from tests.unit.plugins.action.acting import Recorder, act

NAME = "ab" * 32
HOST = {"current": {"version": "1.0", "digest": "sha256:" + "1" * 64}, "target_digest": "sha256:" + "2" * 64, "options": {}, "steps": ["stage", "activate"]}
DOCUMENT = {
    "fraise": "shop_api",
    "environment": "test",
    "kind": "deploy",
    "version": "2.0",
    "strategy": "rolling",
    "batches": [["web1"], ["web2"]],
    "budgets": {"max_failed": 0},
    "hosts": {"web1": HOST, "web2": {**HOST, "target_digest": None, "current": {"version": None, "digest": None}}},
}
PLAN: dict[str, Any] = {
    "hash": NAME,
    "document": DOCUMENT,
    "expected_seconds": 41.7,
    "obstacles": [],
    "approvals": [],
    "made": True,
    "written": True,
    "user_name": "ann",
}


def test_a_plan_is_shown_host_by_host_with_its_hash(listening: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    listening.answers["plan"] = [{"plan": PLAN}]
    result = act(plan.ActionModule, {})
    assert (result["changed"], result["plan"], result["expected_seconds"]) == (False, NAME, 41.7)
    assert result["lines"] == [
        "Plan abababababab: deploy 2.0 on 2 hosts of shop_api in test, rolling, batches of 1, 1, max_failed 0",
        "BATCH  HOST  CURRENT                    TARGET                     RUNS",
        "1      web1  1.0 (sha256:111111111111)  2.0 (sha256:222222222222)  stage, activate",
        "2      web2  nothing                    2.0 (content not known)    stage, activate",
        "What 2.0 holds is not known before it is fetched, on 1 hosts: give source.archive.sha256, or a tag",
        "Expected duration: about 42 s, from the deployments that succeeded before",
        f"Hash: {NAME}",
    ]
    assert NAME in capsys.readouterr().out
    assert listening.of("plan") == [{"write": True}]


def test_in_check_mode_a_plan_is_not_written_down(listening: Recorder) -> None:
    listening.answers["plan"] = [{"plan": {**PLAN, "written": False, "made": False, "expected_seconds": None, "obstacles": []}}]
    lines = act(plan.ActionModule, {}, check=True)["lines"]
    assert lines[-1] == "Check mode: the plan was not written down"
    assert "Expected duration: not known, for no deployment here has succeeded yet that brought a new version" in lines
    assert listening.of("plan") == [{"write": False}]


def test_a_plan_that_was_there_says_who_made_it(listening: Recorder) -> None:
    listening.answers["plan"] = [{"plan": {**PLAN, "made": False}}]
    assert act(plan.ActionModule, {"show": False})["lines"][-1] == "This plan was there already, made by ann"


def test_hosts_that_cannot_be_asked_are_the_failure_of_the_plan(listening: Recorder) -> None:
    listening.answers["plan"] = [DeploymentError("No plan can be made: web2 cannot be deployed to", hint="See above")]
    result = act(plan.ActionModule, {})
    assert result["failed"]
    assert "web2" in result["msg"]


def test_the_store_shows_plans_with_what_stands_behind_them(listening: Recorder) -> None:
    approvals = [
        {"user_name": "bob", "reason": "fine", "approved_at": "2026-11-22T11:00:00+00:00", "expires_at": "2026-11-22T13:00:00+00:00", "revoked_at": None},
        {"user_name": "cy", "reason": "", "approved_at": "2026-11-22T11:00:00+00:00", "expires_at": "2026-11-22T11:30:00+00:00", "revoked_at": None},
        {"user_name": "dan", "reason": "", "approved_at": "2026-11-22T11:00:00+00:00", "expires_at": "2026-11-22T13:00:00+00:00", "revoked_at": "2026-11-22"},
    ]
    row = {**PLAN, "approvals": approvals, "now": "2026-11-22T12:00:00+00:00", "made_at": "2026-11-22T10:00:00+00:00", "applied_at": None, "deployment": None}
    listening.answers["query"] = [
        {"answer": [{**row, "kind": "deploy", "version": "2.0", "fraise": "shop_api", "environment": "test", "status": None}]},
        {"answer": {**row, "reason": "the sale", "deployment": "shop_api:test:7", "status": "failed"}},
        {"answer": []},
    ]
    lines = act(store.ActionModule, {"query": "plans"})["lines"]
    assert lines[1].split() == ["abababababab", "shop_api", "test", "deploy", "2.0", "ann", "2026-11-22", "10:00:00", "bob", "-"]
    lines = act(store.ActionModule, {"query": "plan", "plan": NAME})["lines"]
    assert "Made by ann at 2026-11-22 10:00:00 UTC: the sale" in lines
    assert "Applied by shop_api:test:7 failed" in lines
    assert "bob          until 2026-11-22 13:00:00    2026-11-22 11:00:00  fine" in lines
    assert "cy           expired 2026-11-22 11:30:00  2026-11-22 11:00:00  -" in lines
    assert "dan          revoked                      2026-11-22 11:00:00  -" in lines
    assert act(store.ActionModule, {"query": "plans"})["lines"] == ["No plans in the store"]


def test_approving_hands_on_the_plan_and_how_long(listening: Recorder) -> None:
    listening.answers["operate"] = [{"answer": {"changed": True, "plan": NAME, "msg": "Approved by bob"}}]
    result = act(operate.ActionModule, {"verb": "approve", "plan": NAME[:12], "expires": 60, "reason": "fine"}, variables={"operator": "bob"})
    assert (result["changed"], result["plan"]) == (True, NAME)
    (request,) = listening.of("operate")
    assert (request["verb"], request["plan"], request["expires"], request["reason"]) == ("approve", NAME[:12], 60.0, "fine")
    assert request["user"].startswith("bob (")
