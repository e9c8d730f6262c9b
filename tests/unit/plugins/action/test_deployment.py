# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import getpass
import socket
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.action.deployment import ActionModule
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DatabaseConnectionError, DeploymentLockedError, PlanDriftedError
from ansible_collections.fraisier.deploy.plugins.plugin_utils import deployment_action
from tests.unit.plugins.action.acting import Recorder, act

OPEN = {"state": "open", "fraise": "shop_api", "fraise_environment": "test", "version": "1.4.2"}
PLAN = {"version": "1.4.2", "hosts": ["web1", "web2"], "batches": [1, 1], "groups": [["web1"], ["web2"]], "max_failed": 0}
OPENED = {"id": "x", "identifier": "shop_api:test:7", "number": 7, "version": "1.4.2", "last_good": "1.4.1", "token": 11, "plan": PLAN}


def host(state: str, error: dict[str, Any] | None = None, serving: str = "1.4.1") -> dict[str, Any]:
    return {"state": state, "before": "1.4.1", "serving": serving, "step": "activate", "error": error}


def closed(status: str, reason: str = "", *, away: str = "", **hosts: dict[str, Any]) -> dict[str, Any]:
    """The recorder's answer to a close."""
    found = hosts or {"web1": host("active", serving="1.4.2")}
    return {"status": status, "reason": reason, "hosts": found, "inspected": {}, "checks": {}, "deployment": OPENED, "store_away": away}


def locked(seconds: float) -> DeploymentLockedError:
    """Another run holds the lock for so many seconds more."""
    return DeploymentLockedError("shop_api in test is locked by ann@host", context={"expires_at": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()})


def test_opening_asks_for_the_lock_with_all_that_the_record_needs(listening: Recorder) -> None:
    listening.answers["open"] = [{"deployment": OPENED}]
    result = act(ActionModule, {**OPEN, "batches": [1], "max_failed": "10%", "reason": "the sale"})
    assert not result.get("failed")
    assert result["changed"] is False, "a lock and a record change no host"
    assert result["msg"] == "shop_api:test:7: deploy 1.4.2 on 2 hosts in batches of 1+1, last good: 1.4.1"
    assert result["plan"] == PLAN
    (request,) = listening.of("open")
    assert {key: request[key] for key in ("fraise", "environment", "version", "kind", "hosts", "batches", "max_failed", "reason", "check")} == {
        "fraise": "shop_api",
        "environment": "test",
        "version": "1.4.2",
        "kind": "deploy",
        "hosts": ["web1", "web2"],
        "batches": [1],
        "max_failed": "10%",
        "reason": "the sale",
        "check": False,
    }
    assert request["user"] == f"{getpass.getuser()}@{socket.gethostname()}"
    assert request["owner_name"].startswith(f"{getpass.getuser()}@")


def test_who_deploys_is_the_operator_beside_the_user(listening: Recorder) -> None:
    listening.answers["open"] = [{"deployment": OPENED}]
    act(ActionModule, OPEN, variables={"operator": "ann"})
    assert listening.of("open")[0]["user"] == f"ann ({getpass.getuser()}@{socket.gethostname()})"


def test_a_plan_brings_its_version_along_and_how_many_must_have_approved_it(listening: Recorder) -> None:
    listening.answers["open"] = [{"deployment": OPENED}]
    arguments = {key: value for key, value in OPEN.items() if key != "version"}
    assert not act(ActionModule, {**arguments, "plan": "ab" * 6, "approvals": 2, "approve_own": True}).get("failed")
    (request,) = listening.of("open")
    assert {key: request[key] for key in ("version", "plan", "approvals", "approve_own")} == {
        "version": "",
        "plan": "ab" * 6,
        "approvals": 2,
        "approve_own": True,
    }


def test_opening_in_check_mode_says_so(listening: Recorder) -> None:
    listening.answers["open"] = [{"deployment": {**OPENED, "identifier": None}}]
    assert act(ActionModule, OPEN, check=True)["msg"].startswith("shop_api:test (check mode): ")
    assert listening.of("open")[0]["check"] is True


def test_a_secret_in_the_reason_is_taken_out(listening: Recorder) -> None:
    listening.answers["open"] = [{"deployment": OPENED}]
    act(ActionModule, {**OPEN, "reason": "because s3cr3t-word leaked"}, variables={"db_password": "s3cr3t-word"})
    assert listening.of("open")[0]["reason"] == "because <redacted> leaked"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 1.1}, "version: 1.1 is not a text"),
        ({"version": 8}, "version: 8 is not a text"),
        ({"version": True}, "version: True is not a text"),
        ({"version": ""}, "version is missing"),
        ({"version": None}, "version is missing"),
        ({"version": "-rf"}, "version: '-rf' is not a version"),
        ({"version": "a" * 129}, "is not a version"),
        ({"fraise": None}, "fraise is missing"),
        ({"fraise_environment": ""}, "fraise_environment is not set"),
        ({"fraise_type": "web"}, "fraise_type: there is no 'web'"),
        ({"strategy": "carnary"}, "fraise_strategy: there is no 'carnary'"),
        ({"provider": "swarm"}, "There is no provider 'swarm'"),
        ({"wait": "soon"}, "wait: 'soon' is not a whole number"),
        ({"plan": "ab" * 5}, "plan: 'ababababab' is not the hash of a plan"),
        ({"approvals": -1}, "fraise_approvals is negative"),
    ],
)
def test_what_cannot_work_is_refused_before_the_recorder_is_asked(listening: Recorder, change: dict[str, Any], message: str) -> None:
    arguments = {key: value for key, value in {**OPEN, **change}.items() if value is not None}
    result = act(ActionModule, arguments)
    assert result["failed"]
    assert message in result["msg"]
    assert result["error"]["hint"]
    assert result["error"]["category"] == "VALIDATION"
    assert listening.asked == []


def test_a_rollback_needs_no_version(listening: Recorder) -> None:
    listening.answers["open"] = [{"deployment": OPENED}]
    arguments = {key: value for key, value in OPEN.items() if key != "version"}
    assert not act(ActionModule, {**arguments, "kind": "rollback"}).get("failed")
    assert listening.of("open")[0]["version"] == ""


def test_catching_up_needs_no_version_and_is_for_a_part_of_the_fleet(listening: Recorder) -> None:
    listening.answers["open"] = [{"deployment": {**OPENED, "plan": {**PLAN, "hosts": ["web2"], "batches": [1]}}}]
    arguments = {key: value for key, value in OPEN.items() if key != "version"}
    result = act(ActionModule, {**arguments, "kind": "catchup", "new_hosts": True})
    assert result["msg"] == "shop_api:test:7: catchup 1.4.2 on 1 hosts in batches of 1, last good: 1.4.1"
    (request,) = listening.of("open")
    assert {key: request[key] for key in ("kind", "version", "scope", "new_hosts")} == {"kind": "catchup", "version": "", "scope": "part", "new_hosts": True}


def test_nothing_owed_is_told_and_is_no_failure(listening: Recorder) -> None:
    empty = {"version": "1.4.2", "hosts": [], "batches": [], "groups": [], "max_failed": 0}
    listening.answers["open"] = [{"deployment": {**dict.fromkeys(("id", "identifier", "number", "token")), "version": "1.4.2", "plan": empty}}]
    result = act(ActionModule, {key: value for key, value in OPEN.items() if key != "version"} | {"kind": "catchup"})
    assert not result.get("failed"), result
    assert result["msg"] == "shop_api in test: no host of this run owes anything, the fleet has 1.4.2"
    assert result["plan"]["hosts"] == []


@pytest.mark.parametrize(
    ("group", "scope"),
    [(["web1", "web2"], "whole"), (["web2"], "whole"), (["web1", "web2", "web3"], "part")],
)
def test_a_run_covers_the_whole_fraise_when_no_host_of_its_group_is_missing(listening: Recorder, group: list[str], scope: str) -> None:
    listening.answers["open"] = [{"deployment": OPENED}]
    act(ActionModule, {**OPEN, "max_unreachable": "10%"}, variables={"groups": {"shop_api": group}})
    (request,) = listening.of("open")
    assert (request["scope"], request["max_unreachable"]) == (scope, "10%")


def test_closing_names_who_owes_and_what_brings_them_up(listening: Recorder) -> None:
    listening.answers["close"] = [{**closed("success"), "left_out": ["web2"], "owed": {"web2": "unreachable: no route"}}]
    lines = act(ActionModule, {"state": "closed"})["lines"]
    assert lines[-2:] == ["web2 owes 1.4.2 (unreachable: no route)", "Once these hosts are back: ansible-playbook fraisier.deploy.catchup -e fraise=shop_api"]


def test_closing_in_check_mode_is_no_failure_for_a_host_that_would_be_left_out(listening: Recorder) -> None:
    listening.answers["close"] = [{**closed("success", web1=host("staged"), web2=host("unreachable")), "left_out": ["web2"]}]
    assert not act(ActionModule, {"state": "closed"}, check=True).get("failed")


def test_no_host_is_no_deployment(listening: Recorder) -> None:
    result = act(ActionModule, OPEN, variables={"ansible_play_hosts_all": []})
    assert result["error"]["code"] == "NOT_FOUND"
    assert "--limit" in result["msg"]
    assert listening.asked == []


def test_a_lock_that_another_holds_ends_the_run_unless_it_shall_wait(listening: Recorder) -> None:
    listening.answers["open"] = [locked(0.1), {"deployment": OPENED}]
    result = act(ActionModule, OPEN)
    assert result["failed"]
    assert result["error"]["code"] == "DEPLOYMENT_LOCKED"


def test_waiting_asks_again_until_the_lock_is_free(listening: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    listening.answers["open"] = [locked(0.1), locked(0.1), {"deployment": OPENED}]
    assert not act(ActionModule, {**OPEN, "wait": 30}).get("failed")
    assert len(listening.of("open")) == 3
    assert capsys.readouterr().out.count("shop_api in test is locked by ann@host; waiting up to 30 s") == 1


def test_waiting_ends_when_its_time_is_over(listening: Recorder) -> None:
    listening.answers["open"] = [locked(60)]
    began = time.monotonic()
    result = act(ActionModule, {**OPEN, "wait": 1})
    assert result["error"]["code"] == "DEPLOYMENT_LOCKED"
    assert 0.9 < time.monotonic() - began < 5


def test_other_errors_are_not_waited_for(listening: Recorder) -> None:
    listening.answers["open"] = [DatabaseConnectionError("The store is away")]
    assert act(ActionModule, {**OPEN, "wait": 30})["error"]["code"] == "DATABASE_CONNECTION_ERROR"
    assert len(listening.of("open")) == 1


@pytest.mark.parametrize(
    ("left", "least", "most"),
    [
        pytest.param(600, 15, 15, id="at the latest after the poll interval"),
        pytest.param(4, 3, 5, id="soon after the lease of a holder that may be dead ends"),
        pytest.param(-5, 0.5, 0.5, id="never at once"),
    ],
)
def test_the_pause_between_two_tries(left: float, least: float, most: float) -> None:
    assert least <= deployment_action._pause(locked(left)) <= most


@pytest.mark.parametrize("context", [{}, {"expires_at": None}, {"expires_at": "soon"}])
def test_the_pause_when_the_end_of_the_lease_is_not_known(context: dict[str, Any]) -> None:
    assert deployment_action._pause(DeploymentLockedError("locked", context=context)) == deployment_action.WAIT_POLL_SECONDS


def test_closing_a_success_shows_the_outcome_and_is_no_failure(listening: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    listening.answers["close"] = [closed("success")]
    result = act(ActionModule, {"state": "closed"})
    assert (result.get("failed"), result["changed"], result["status"]) == (None, False, "success")
    assert result["lines"][0] == "shop_api:test:7: 1.4.2 success"
    assert "web1  active  1.4.1   1.4.2" in capsys.readouterr().out


@pytest.mark.parametrize("status", ["failed", "rolled_back", "rollback_failed", "aborted", "interrupted"])
def test_the_exit_code_comes_from_the_outcome(listening: Recorder, status: str) -> None:
    error = {"code": "HEALTH_CHECK_FAILED", "category": "INTERNAL", "message": "status 500,\nwanted 200", "hint": "", "context": {"log": "long" * 1000}}
    listening.answers["close"] = [closed(status, "1 of 1 hosts failed (web1)", web1=host("reverted", error))]
    result = act(ActionModule, {"state": "closed"})
    assert result["failed"]
    start = f"shop_api:test:7 ended {status}: 1 of 1 hosts failed (web1); web1: HEALTH_CHECK_FAILED status 500, wanted 200. "
    assert result["msg"].startswith(start)
    assert result["msg"].endswith("history -e deployment=shop_api:test:7 [DEPLOYMENT_ERROR]")
    assert result["error"]["context"] == {"status": status}
    assert "context" not in result["hosts"]["web1"]["error"]


def test_a_deployment_that_was_only_staged_is_no_failure(listening: Recorder) -> None:
    listening.answers["close"] = [closed("aborted", "prepared only: no batch was shifted in this run")]
    assert not act(ActionModule, {"state": "closed"}).get("failed")


def test_closing_in_check_mode_shows_the_plan(listening: Recorder) -> None:
    stage = {"stage": {"changed": True, "outcome": "ok", "release": {"current": "1.4.1"}}}
    listening.answers["close"] = [{**closed("success"), "checks": {"web1": stage, "web2": stage}}]
    result = act(ActionModule, {"state": "closed"}, check=True)
    assert not result.get("failed")
    assert result["lines"][0].startswith("Plan: 1.4.2 on 2 hosts")


def test_closing_in_check_mode_fails_when_a_host_cannot_be_deployed_to(listening: Recorder) -> None:
    listening.answers["close"] = [closed("failed", web1=host("failed"), web2=host("unreachable"))]
    result = act(ActionModule, {"state": "closed"}, check=True)
    assert result["failed"]
    assert "cannot be deployed to: web1, web2" in result["msg"]


def test_closing_in_check_mode_fails_when_the_hosts_are_not_as_planned(listening: Recorder) -> None:
    drift = PlanDriftedError("web1 has moved", hint="Make a new plan").to_dict()
    listening.answers["close"] = [{**closed("failed"), "drift": drift}]
    result = act(ActionModule, {"state": "closed"}, check=True)
    assert result["error"]["code"] == "PLAN_DRIFTED"
    assert result["msg"] == "web1 has moved. Make a new plan [PLAN_DRIFTED]"


def test_closing_while_the_store_is_away_says_where_the_outcome_waits(listening: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    listening.answers["close"] = [closed("success", away="connection refused")]
    result = act(ActionModule, {"state": "closed"})
    assert not result.get("failed")
    assert "The store is away (connection refused); the outcome waits on disk" in " ".join(capsys.readouterr().err.split())
