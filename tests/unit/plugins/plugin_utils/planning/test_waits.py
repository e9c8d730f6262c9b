# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gate waits for, by a clock that the test moves."""

from __future__ import annotations

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.waits import Lasting, Pause, Waits, bake_seconds


def paused(ends_at: float = 100.0) -> Pause:
    return Pause("c1", "paused by ada: errors", ends_at, "noon", "resume")


def test_a_batch_that_changed_something_is_watched_before_the_next_one_goes() -> None:
    waits = Waits(bake_seconds=60.0)
    assert waits.look("before", 1, 3, now=0.0) is None
    waits.batch_ended(True, now=10.0)
    hold = waits.look("before", 2, 3, now=10.5)
    assert hold is not None
    assert (hold.kind, hold.reason, hold.ends_at) == ("bake", "waiting 60 s before batch 2 of 3", 70.0)
    assert waits.look("before", 2, 3, now=70.0) is None
    assert waits.holding == ""


def test_a_batch_in_which_nothing_changed_is_not_watched() -> None:
    waits = Waits(bake_seconds=60.0)
    waits.batch_ended(False, now=10.0)
    assert waits.look("before", 2, 3, now=10.0) is None


def test_the_last_batch_is_not_followed_by_a_wait() -> None:
    waits = Waits(bake_seconds=60.0)
    waits.batch_ended(True, now=10.0)
    assert waits.look("settle", 3, 3, now=10.0) is None


def test_a_pause_holds_before_a_batch_and_before_the_end_and_says_the_same_all_the_while() -> None:
    waits = Waits(pause=paused())
    told = {hold.reason for hold in (waits.look("before", 2, 3, now=float(now)) for now in range(50)) if hold}
    assert told == {"paused by ada: errors, before batch 2 of 3, until noon, then: resume"}
    assert waits.pause is not None and waits.pause.began_at == 0.0
    settling = waits.look("settle", 3, 3, now=60.0)
    assert settling is not None and "before it settles" in settling.reason


def test_what_is_skipped_is_what_a_gate_waits_for_now() -> None:
    waits = Waits(bake_seconds=60.0, pause=paused())
    assert waits.skip(now=0.0) is None, "no gate waits yet"
    assert waits.pause is not None
    waits.batch_ended(True, now=0.0)
    waits.look("before", 2, 3, now=1.0)
    assert waits.skip(now=10.0) == 90.0
    assert waits.look("before", 2, 3, now=10.0) is None, "the time between the batches is skipped with the pause"


@pytest.mark.parametrize(("value", "seconds"), [(0, 0.0), ("2.5", 2.5), (86400, 86400.0)])
def test_the_time_between_two_batches_is_read_as_seconds(value: object, seconds: float) -> None:
    assert bake_seconds(value) == seconds


@pytest.mark.parametrize("value", [-1, "soon", 86401, "nan", None, [1]])
def test_what_is_no_time_between_two_batches_is_refused_by_the_name_of_its_option(value: object) -> None:
    with pytest.raises(ValidationError, match=r"rolling_pause: .* is not a time between two batches") as caught:
        bake_seconds(value)
    assert caught.value.context["option"] == "rolling_pause"


def lasting(then: str = "") -> Waits:
    return Waits(step=Lasting("the analysis of batch 1", 60.0, 0.0, then))


def test_a_step_lasts_its_time() -> None:
    waits = lasting()
    hold = waits.look("during", 1, 3, now=10.0)
    assert hold is not None
    assert (hold.kind, hold.reason, hold.ends_at) == ("step", "the analysis of batch 1", 60.0)
    assert waits.look("during", 1, 3, now=60.0) is None
    assert waits.step is not None and not waits.step.promoted


def test_the_time_of_a_step_stands_still_while_it_is_paused() -> None:
    waits = lasting()
    waits.look("during", 1, 3, now=20.0)
    waits.pause = paused()
    held = waits.look("during", 1, 3, now=20.0)
    assert held is not None and held.reason == "paused by ada: errors, during the analysis of batch 1, until noon, then: resume"
    waits.look("during", 1, 3, now=500.0)
    waits.pause = None
    hold = waits.look("during", 1, 3, now=500.0)
    assert hold is not None and hold.ends_at == 540.0


def test_a_step_that_is_promoted_is_over() -> None:
    waits = lasting("abort")
    waits.look("during", 1, 3, now=20.0)
    assert waits.skip(now=20.0) == 40.0
    assert waits.step is not None and waits.step.promoted
    assert waits.look("during", 1, 3, now=20.0) is None
