# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action ``deployment`` says and does in a recovery."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.action.deployment import ActionModule
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DeploymentLockedError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import SOCKET_VARIABLE
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recovery_action import undo_plan_lines, until_lease_ends
from tests.unit.plugins.action.acting import Recorder, act, recorder

PLAN = {"version": "1.1", "hosts": ["web1", "web2"], "batches": [1, 1], "groups": [["web1"], ["web2"]], "max_failed": 0}
OPENED = {"id": "i", "identifier": "shop_api:test:3", "number": 3, "version": "1.1", "resumes": "shop_api:test:2", "last_good": "1.0", "token": 7, "plan": PLAN}
ASKED = {"state": "open", "kind": "recover", "fraise": "shop_api", "fraise_environment": "test"}


@pytest.fixture
def listening(tmp_path, monkeypatch):
    with recorder(tmp_path) as (answering, path):
        monkeypatch.setenv(SOCKET_VARIABLE, path)
        yield answering


def locked(seconds: float) -> DeploymentLockedError:
    return DeploymentLockedError("locked by ada", context={"expires_at": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()})


def closing(status: str, how: str | None, **more: Any) -> dict[str, Any]:
    told = {"status": status, "reason": "", "hosts": {}, "inspected": {}, "checks": {}, "deployment": OPENED, "store_away": "", "recovery": how}
    return {**told, **more}


def test_opening_says_what_it_goes_on_with_and_names_the_whole_group(listening: Recorder) -> None:
    listening.answers["open"] = [{"deployment": OPENED}]
    result = act(ActionModule, ASKED, variables={"groups": {"shop_api": ["web1", "web2", "web3"]}})
    assert result["msg"].endswith("goes on with shop_api:test:2")
    (asked,) = listening.of("open")
    assert (asked["kind"], asked["version"], asked["group"]) == ("recover", "", ["web1", "web2", "web3"])


def test_nothing_to_recover_is_no_failure_and_no_host_is_left_to_the_plays_after_it(listening: Recorder) -> None:
    nothing = {**OPENED, "identifier": None, "plan": {**PLAN, "hosts": [], "batches": []}, "told": "Nothing needs a recovery"}
    listening.answers["open"] = [{"deployment": nothing}]
    result = act(ActionModule, ASKED)
    assert not result.get("failed")
    assert (result["needed"], result["plan"]["hosts"], result["msg"]) == (False, [], "Nothing needs a recovery")


def test_without_a_wait_it_waits_until_the_lease_of_the_holder_ends_and_then_no_longer(listening: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    listening.answers["open"] = [locked(0.2), {"deployment": OPENED}]
    assert not act(ActionModule, ASKED).get("failed")
    assert "waiting up to" in capsys.readouterr().out
    listening.answers["open"] = [locked(-2)]
    assert act(ActionModule, ASKED)["error"]["code"] == "DEPLOYMENT_LOCKED"


def test_how_long_a_lease_lasts_is_rounded_up_and_never_guessed() -> None:
    assert until_lease_ends(locked(3.2)) == 5
    assert until_lease_ends(locked(-30)) == 0
    assert until_lease_ends(DeploymentLockedError("locked")) == 0


@pytest.mark.parametrize(("how", "undoes"), [("finish", False), ("undo", True), ("refuse", True)])
def test_the_decision_is_one_line_and_says_whether_hosts_go_forward(listening: Recorder, how: str, undoes: bool, capsys: pytest.CaptureFixture[str]) -> None:
    listening.answers["recover"] = [{"how": how, "reason": "web1 did not answer", "resumes": "shop_api:test:2", "deployment": OPENED}]
    result = act(ActionModule, {"state": "recover", "recover": "undo"})
    assert (result["how"], result["undoes"], result["plan"]) == (how, undoes, PLAN)
    assert "shop_api:test:2 (1.1): web1 did not answer" in capsys.readouterr().out
    assert listening.of("recover") == [{"wish": "undo"}]


@pytest.mark.parametrize(
    ("status", "how", "good"),
    [
        ("success", "finish", True),
        ("rolled_back", "finish", False),
        ("rolled_back", "undo", True),
        ("rollback_failed", "undo", False),
        ("failed", "refuse", False),
        ("rolled_back", None, False),
    ],
)
def test_the_exit_code_says_whether_it_went_as_decided(listening: Recorder, status: str, how: str | None, good: bool) -> None:
    listening.answers["close"] = [closing(status, how)]
    assert bool(act(ActionModule, {"state": "closed"}).get("failed")) is not good


def test_a_lost_lease_is_what_the_run_fails_with(listening: Recorder) -> None:
    listening.answers["close"] = [closing("failed", None, lease_lost=True, reason="LEASE_LOST: went to grace")]
    result = act(ActionModule, {"state": "closed"})
    assert result["error"]["code"] == "LEASE_LOST"
    assert "went to grace" in result["msg"]


def test_a_version_is_refused_before_the_recorder_is_asked(listening: Recorder) -> None:
    assert act(ActionModule, {**ASKED, "version": "1.1"})["error"]["code"] == "VALIDATION_ERROR"
    assert listening.asked == []


def test_check_mode_of_an_undo_shows_who_would_go_back_to_what() -> None:
    hosts = {name: {"before": before} for name, before in {"web1": "1.0", "web2": None, "web3": "1.0"}.items()}
    checks = {"web1": {"revert": {}}, "web2": {"revert": {}}, "web3": {"inspect": {}}}
    lines = undo_plan_lines({"deployment": OPENED, "hosts": hosts, "checks": checks, "inspected": {"web1": "1.1", "web2": "1.1", "web3": "1.0"}})
    assert lines[0] == "Undo of shop_api:test:2 (1.1). Nothing was changed."
    assert [line.split() for line in lines[2:]] == [["web1", "1.1", "1.0"], ["web2", "1.1", "nothing"], ["web3", "1.0", "stays"]]
