# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch after the last batch: looks at hosts, and an operator between them. The commands come from a real store, the clock is the test's."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.aftermath import tells_of_release
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.during import begin_step, end_step
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.shaping import watch_of
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.watching import begin_watch, take_look
from tests.unit.plugins.plugin_utils.recorder import test_obedience
from tests.unit.plugins.plugin_utils.recorder.test_obedience import HOSTS, PLAN, Running

running = test_obedience.running
STEP: dict[str, Any] = {"text": "watching 1.0.0 for 60 s", "seconds": 60.0, "then": "", "every": 10.0, "watches": True}
WELL: dict[str, Any] = {"outcome": "unchanged", "release": {"version": "1.0.0"}, "health": {"status": "healthy"}}
ILL: dict[str, Any] = {**WELL, "health": {"status": "unhealthy", "message": "http: 500"}}


@pytest.fixture
def watched(running: Running) -> Running:
    """All hosts have the release, and a plan that says to watch them."""
    running.shift("web2")
    running.shift("web3")
    running.current.plan = {**PLAN, **watch_of({"kind": "deploy", "watch": 60, "watch_interval": 10})}
    return running


def next_look(running: Running) -> float | None:
    """Begin to wait for the next look: for how long, or nothing when the gate goes on at once."""
    began = begin_step(running.current, STEP, running.now)
    if began is not None:
        running.emit("deployment.validating", began)
    hold = running.gate("during")
    return None if hold is None else float(hold["left"])


def look(running: Running, host: str, answer: dict[str, Any]) -> None:
    take_look(running.current, {"host": host, "step": "verify", **answer})


def test_it_goes_on_for_each_look_and_is_over_after_its_seconds(watched: Running) -> None:
    assert next_look(watched) == pytest.approx(10.0)
    assert watched.run.row()["status"] == "validating"
    for _look in range(5):
        watched.pass_time(10.0)
        assert watched.gate("during") is None
        assert end_step(watched.current) is False
        assert watched.current.waits.step is not None, "it is not over"
        watched.pass_time(0.5)  # a look takes time, which is time of the watch
        assert next_look(watched) is not None
    watched.pass_time(10.0)
    assert watched.gate("during") is None
    end_step(watched.current)
    assert watched.current.waits.step is None
    assert watched.current.progress.may_go().go


def test_one_bad_look_is_forgiven_and_two_in_a_row_take_all_hosts_back(watched: Running) -> None:
    look(watched, "web2", ILL)
    look(watched, "web2", WELL)
    look(watched, "web2", ILL)
    assert watched.current.progress.may_go().go
    look(watched, "web2", ILL)
    decision = watched.current.progress.may_go()
    assert decision.reason == "1.0.0 did not hold on web2 while it was watched: http: 500 (2 looks in a row)"
    assert watched.current.progress.to_undo() == dict.fromkeys(HOSTS, "0.9.0")
    assert tells_of_release(watched.current.progress.hosts["web2"].failure), "it is kept from coming again by itself"


def test_a_host_that_serves_another_version_did_not_hold_either(watched: Running) -> None:
    for _look in range(2):
        look(watched, "web3", {**WELL, "release": {"version": "0.9.0"}})
    assert "it serves 0.9.0" in watched.current.progress.may_go().reason


@pytest.mark.parametrize("answer", [{"outcome": "unreachable"}, {"outcome": "failed", "error": {"code": "PROVIDER_ERROR"}}])
def test_no_answer_says_nothing_about_the_release(watched: Running, answer: dict[str, Any]) -> None:
    for _look in range(5):
        look(watched, "web2", answer)
    assert watched.current.progress.may_go().go


def test_a_pause_stops_the_watch_which_goes_on_afterwards(watched: Running) -> None:
    next_look(watched)
    watched.told("pause", expires=600.0)
    assert watched.gate("during") is not None
    assert watched.run.row()["status"] == "paused"
    watched.pass_time(300.0)
    watched.gate("during")
    watched.told("resume", reason="")
    hold = watched.gate("during")
    assert hold is not None and hold["left"] > 5.0
    assert watched.run.row()["status"] == "validating"


def test_promote_between_two_looks_ends_it(watched: Running) -> None:
    next_look(watched)
    watched.pass_time(10.0)
    assert watched.gate("during") is None
    assert end_step(watched.current) is False
    watched.told("promote")
    assert next_look(watched) is None
    assert end_step(watched.current) is True
    assert watched.current.waits.step is None


def test_an_abort_while_it_is_watched_takes_all_hosts_back(watched: Running) -> None:
    next_look(watched)
    watched.told("abort")
    assert watched.gate("during") is None
    end_step(watched.current)
    assert watched.current.waits.step is None
    assert watched.current.progress.to_undo() == dict.fromkeys(HOSTS, "0.9.0")


def test_a_deployment_that_changed_nothing_is_not_watched(running: Running) -> None:
    for entry in running.current.progress.hosts.values():
        entry.state, entry.changed = "active", False
    assert begin_watch(running.current) is False
    running.current.progress.hosts["web1"].changed = True
    assert begin_watch(running.current) is True


def test_a_long_watch_looks_less_often_and_going_back_is_not_watched() -> None:
    day = watch_of({"kind": "deploy", "watch": 86400, "watch_interval": 10})["watch"]
    assert (day["interval"], day["looks"], day["failures"]) == (720.0, 121, 2)
    assert watch_of({"kind": "deploy", "watch": 3, "watch_interval": 10})["watch"]["interval"] == 3.0
    assert watch_of({"kind": "rollback", "watch": 60}) == watch_of({"kind": "deploy"}) == {}
    assert watch_of({"kind": "recover", "watch": 0, "watch_of_plan": day}) == {"watch": day}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"watch": "soon"}, "fraise_watch: 'soon' is not a time"),
        ({"watch": -1}, "fraise_watch: -1 is not a time to watch for"),
        ({"watch": 60, "watch_interval": 0}, "fraise_watch_interval: 0 is no time"),
        ({"watch": 60, "watch_failures": 0}, "fraise_watch_failures: 0 is not possible"),
    ],
)
def test_what_cannot_be_watched_so_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        watch_of({"kind": "deploy", **given})
