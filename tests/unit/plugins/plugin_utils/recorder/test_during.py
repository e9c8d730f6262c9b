# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A step that lasts, in the middle of a play, and its operators: the commands come from a real store, the clock is the test's."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.during import begin_step, end_step
from tests.unit.plugins.plugin_utils.recorder import test_obedience
from tests.unit.plugins.plugin_utils.recorder.test_obedience import Running

running = test_obedience.running
WAIT: dict[str, Any] = {"text": "canary, batch 1 of 3: waiting 60 s", "seconds": 60.0, "then": ""}
APPROVAL: dict[str, Any] = {"text": "canary, batch 1 of 3: waiting for approval", "seconds": 60.0, "then": "abort"}


def left(running: Running) -> float:
    hold = running.gate("during")
    assert hold is not None and hold["wait"] is True
    return float(hold["left"])


def test_a_step_lasts_its_seconds_and_then_just_ends(running: Running) -> None:
    begin_step(running.current, WAIT, running.now)
    assert left(running) == pytest.approx(60.0)
    running.pass_time(59.0)
    assert left(running) == pytest.approx(1.0)
    running.pass_time(2.0)
    assert running.gate("during") is None
    assert end_step(running.current) is False
    assert running.current.progress.may_go().go


def test_the_time_of_a_step_stands_still_while_it_is_paused(running: Running) -> None:
    begin_step(running.current, WAIT, running.now)
    assert left(running) == pytest.approx(60.0)
    running.told("pause", expires=600.0)
    hold = running.gate("during")
    assert hold is not None and "during canary, batch 1 of 3: waiting 60 s" in hold["reason"]
    assert running.run.row()["status"] == "paused"
    running.pass_time(300.0)
    running.gate("during")
    running.told("resume", reason="")
    assert left(running) > 55.0, "five minutes of the pause are not minutes of the step"
    assert running.run.row()["status"] == "in_progress"


def test_promote_ends_the_step_and_says_so(running: Running) -> None:
    begin_step(running.current, APPROVAL, running.now)
    assert left(running) == pytest.approx(60.0)
    running.told("promote", reason="looks well")
    assert running.gate("during") is None
    assert end_step(running.current) is True
    assert running.current.progress.may_go().go
    assert running.commands() == [("promote", "goes on, 60 s before the end of the step")]


def test_promote_ends_a_pause_within_the_step_and_the_step_with_it(running: Running) -> None:
    begin_step(running.current, WAIT, running.now)
    left(running)
    running.told("pause", expires=600.0)
    running.gate("during")
    running.told("promote")
    assert running.gate("during") is None
    assert end_step(running.current) is True


def test_abort_ends_the_step_and_the_deployment_is_undone(running: Running) -> None:
    begin_step(running.current, WAIT, running.now)
    left(running)
    running.told("abort")
    assert running.gate("during") is None
    assert end_step(running.current) is False
    assert running.current.progress.to_undo() == {"web1": "0.9.0"}


def test_what_nobody_approved_in_time_is_aborted(running: Running) -> None:
    begin_step(running.current, APPROVAL, running.now)
    left(running)
    running.pass_time(61.0)
    assert running.gate("during") is None
    end_step(running.current)
    decision = running.current.progress.may_go()
    assert not decision.go and "nobody approved in time" in decision.reason
    assert running.current.progress.to_undo() == {"web1": "0.9.0"}


def test_what_nobody_approved_goes_on_when_that_was_asked_for(running: Running) -> None:
    begin_step(running.current, {**APPROVAL, "then": "resume"}, running.now)
    left(running)
    running.pass_time(61.0)
    assert running.gate("during") is None
    end_step(running.current)
    assert running.current.progress.may_go().go
