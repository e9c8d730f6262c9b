# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import getpass
import socket

import pytest
from ansible.playbook.task import Task

from ansible_collections.fraisier.deploy.plugins.action import operate
from ansible_collections.fraisier.deploy.plugins.plugin_utils import operate_action
from tests.unit.plugins.action.acting import Recorder, act

PAIR = {"fraise": "shop_api", "fraise_environment": "production"}
WRITTEN = {"answer": {"changed": True, "msg": "shop_api:production:7 goes on", "command": "c-1", "deployment": "shop_api:production:7"}}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operate_action, "OBEY_SECONDS", 0.1)
    monkeypatch.setattr(operate_action, "OBEY_POLL_SECONDS", 0.01)


def test_who_asks_and_what_is_handed_on(listening: Recorder) -> None:
    listening.answers["operate"] = [{"answer": {"changed": False, "msg": "is not paused", "command": None}}]
    result = act(operate.ActionModule, {"verb": "resume", **PAIR, "reason": " it \x1b[2J\nworks "}, variables={"operator": "ada"})
    assert (result["changed"], result["msg"], result["verb"]) == (False, "is not paused", "resume")
    (asked,) = listening.of("operate")
    assert asked["user"] == f"ada ({getpass.getuser()}@{socket.gethostname()})"
    assert (asked["verb"], asked["fraise"], asked["environment"], asked["check"]) == ("resume", "shop_api", "production", False)
    assert asked["reason"] == "it [2J works"
    assert listening.of("query") == []


def test_the_outcome_is_told_when_the_deployment_obeys_soon(listening: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    listening.answers["operate"] = [WRITTEN]
    unheard, heard = {"obeyed_at": None, "outcome": None}, {"obeyed_at": "2026-01-01T00:00:00+00:00", "outcome": "goes on, after 12 s"}
    listening.answers["query"] = [{"answer": unheard}, {"answer": heard}]
    result = act(operate.ActionModule, {"verb": "resume", **PAIR})
    assert (result["msg"], result["outcome"]) == ("shop_api:production:7 goes on: goes on, after 12 s", "goes on, after 12 s")
    assert "shop_api:production:7 goes on" in capsys.readouterr().out
    assert listening.of("query")[0] == {"query": "command", "command": "c-1"}


def test_a_deployment_that_is_busy_is_not_waited_for(listening: Recorder) -> None:
    listening.answers["operate"] = [WRITTEN]
    listening.answers["query"] = [{"answer": {"obeyed_at": None, "outcome": None}}]
    assert act(operate.ActionModule, {"verb": "pause", **PAIR, "expires": "600"})["msg"] == "shop_api:production:7 goes on (not yet)"
    assert listening.of("operate")[0]["expires"] == 600.0


def test_a_secret_in_a_reason_is_not_handed_on(listening: Recorder) -> None:
    listening.answers["operate"] = [{"answer": {"changed": True, "msg": "done", "command": None}}]
    act(operate.ActionModule, {"verb": "resume", **PAIR, "reason": "because hunter22hunter22 leaked"}, variables={"db_password": "hunter22hunter22"})
    assert "hunter22" not in listening.of("operate")[0]["reason"]


def test_check_mode_is_handed_on(listening: Recorder) -> None:
    listening.answers["operate"] = [{"answer": {"changed": True, "msg": "would", "command": None}}]
    act(operate.ActionModule, {"verb": "resume", **PAIR}, check=True)
    assert listening.of("operate")[0]["check"] is True


@pytest.mark.parametrize("arguments", [{}, {"verb": "explode"}, {"verb": "pause", "expires": "soon"}])
def test_arguments_that_do_not_fit_are_refused_before_anything_is_asked(listening: Recorder, arguments: dict) -> None:
    result = act(operate.ActionModule, arguments)
    assert result["failed"]
    assert listening.asked == []


class Given:
    """Ansible's variable manager, of which only what was given with -e is asked."""

    extra_vars = {"overide": "the sale", "verb_of_mine": 1, "reason": "why"}


def test_a_misspelt_variable_is_told_when_the_verb_was_done_and_when_it_was_refused(listening: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Task, "get_variable_manager", lambda _task: Given())
    listening.answers["operate"] = [{"answer": {"changed": True, "msg": "done", "command": None}}]
    told = ["overide is no variable of fraisier.deploy and was ignored; did you mean override?"]
    assert act(operate.ActionModule, {"verb": "resume", **PAIR})["warnings"] == told
    refused = act(operate.ActionModule, {"verb": "resume", **PAIR, "expires": "soon"})
    assert (refused["failed"], refused["warnings"]) == (True, told)
