# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a failed task becomes an event."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleError

from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability import learned
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.events import RunEvents


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "_values", set())
    monkeypatch.setattr(learned, "_redactors", {})


class Run:
    """The events of a run whose hosts have ``variables``."""

    def __init__(self, variables: dict[str, Any] | AnsibleError) -> None:
        self.variables, self.events = variables, []
        self.run = RunEvents(lambda kind, data, host=None: self.events.append((kind, data)))
        inventory = SimpleNamespace(groups={}, get_hosts=lambda **_options: [])
        manager = SimpleNamespace(extra_vars={"password": "of the command line"}, _inventory=inventory, get_vars=self._variables)
        play = SimpleNamespace(_uuid="1", get_variable_manager=lambda: manager, get_vars=lambda: {"token": "of the play"}, get_name=lambda: "Work of the play")
        self.run.play_started(play)

    def _variables(self, **_asked: Any) -> dict[str, Any]:
        if isinstance(self.variables, AnsibleError):
            raise self.variables
        return self.variables

    def failed(self, message: str, *, action: str = "ansible.builtin.uri", no_log: bool = False, arguments: Any = None, **result: Any) -> str:
        flags = {"no_log": no_log, "delegate_to": None, "ignore_errors": False, "ignore_unreachable": False}
        task = SimpleNamespace(_uuid="2", action=action, args=arguments or {}, get_name=lambda: "A task", **flags)
        answer = SimpleNamespace(task=task, host=SimpleNamespace(name="web1"), result={"msg": message, **result}, is_changed=lambda: False)
        self.run.result(answer, "failed")
        return str(json.loads(self.events[-1][1])["message"])


def test_secrets_of_the_run_the_play_the_host_the_task_and_the_result_are_taken_out() -> None:
    run = Run({"db": {"password": "of the host"}, "plain": "of the argument"})
    message = "of the command line, of the play, of the host, of the argument, of the result, of nobody"
    told = run.failed(message, arguments={"api_key": "{{ plain }}"}, login={"session_token": "of the result"})
    assert told == "<redacted>, <redacted>, <redacted>, <redacted>, <redacted>, of nobody"
    assert run.events[0][1]["name"] == "Work <redacted>"


def test_what_was_set_since_the_last_failure_is_known_too() -> None:
    run = Run({})
    assert run.failed("the fact") == "the fact"
    run.variables = {"token": "the fact"}
    assert run.failed("the fact") == "<redacted>"


def test_variables_that_cannot_be_had_lose_no_event() -> None:
    assert Run(AnsibleError("undefined")).failed("of the play, of nobody") == "<redacted>, of nobody"


def test_no_log_is_obeyed() -> None:
    assert Run({}).failed("anything", no_log=True) == "no_log is set"


def timed(*deeds: str) -> list[float | None]:
    """The durations of the results when a task is announced (a), a new batch begins (b) and results come in (r), one second apart."""
    seconds = iter(range(100))
    found: list[float | None] = []
    run = RunEvents(lambda kind, data, host=None: found.append(json.loads(data).get("duration")) if kind == "task.ok" else None, lambda: float(next(seconds)))
    inventory = SimpleNamespace(groups={}, get_hosts=lambda **_options: [])
    manager = SimpleNamespace(extra_vars={}, _inventory=inventory)
    play = SimpleNamespace(_uuid="1", get_variable_manager=lambda: manager, get_vars=dict, get_name=lambda: "A play")
    task = SimpleNamespace(_uuid="2", action="ansible.builtin.debug", args={}, get_name=lambda: "A task", delegate_to=None)
    answer = SimpleNamespace(task=task, host=SimpleNamespace(name="web1"), result={}, is_changed=lambda: False)
    run.play_started(play)
    for deed in deeds:
        {"a": lambda: run.task_started(task), "b": lambda: run.play_started(play), "r": lambda: run.result(answer, "ok")}[deed]()
    return found


def test_a_result_took_the_time_since_its_task_began() -> None:
    assert timed("a", "r", "r") == [1.0, 2.0]
    assert timed("a", "r", "b", "a", "r") == [1.0, 1.0]


def test_where_a_task_is_announced_for_each_host_no_duration_is_claimed() -> None:
    assert timed("a", "a", "r") == [None]
    assert timed("r") == [None]
