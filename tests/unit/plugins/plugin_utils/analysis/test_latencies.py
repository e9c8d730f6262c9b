# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.counts import Margin
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.latencies import Latencies, Shift, add, evidence, latencies_from, shown

SHIFT = Shift()
SAMPLES = st.lists(st.floats(0.001, 10.0), max_size=12)
NEEDED = math.log(100)


def minute(drawn, factor=1.0, size=20):
    return [factor * drawn.lognormvariate(0, 0.5) for _ in range(size)]


def after(minutes, factor, shift=SHIFT, seed=1):
    drawn, state = random.Random(seed), Latencies()
    for _ in range(minutes):
        state = add(state, shift, minute(drawn, factor), minute(drawn, size=90))
    return state


def test_the_mean_evidence_of_a_fair_p_value_is_one():
    assert integrate.quad(evidence, 1e-12, 1, limit=500)[0] == pytest.approx(1.0, abs=0.05)
    assert integrate.quad(evidence, 1e-12, 1, limit=500)[0] <= 1.0


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
@settings(deadline=None)
def test_a_smaller_p_value_is_never_less_evidence(one, other):
    assert evidence(min(one, other)) >= evidence(max(one, other)) - 1e-3


@given(st.lists(st.tuples(SAMPLES, SAMPLES), max_size=8))
@settings(deadline=None)
def test_a_state_that_was_stored_goes_on_as_if_nothing_had_been(minutes):
    state = stored = Latencies()
    for canary, baseline in minutes:
        state = add(state, SHIFT, canary, baseline)
        stored = latencies_from(json.loads(json.dumps(add(stored, SHIFT, canary, baseline).to_dict())))
    assert state == stored


def test_a_canary_that_takes_half_as_long_again_is_shown_to_be_slower():
    state = after(15, 1.5)
    assert state.harm >= NEEDED
    assert state.safety < 0
    assert state.superiority > 0.6


def test_a_canary_that_is_as_quick_is_shown_not_to_be_slower():
    state = after(40, 1.0)
    assert state.safety >= NEEDED
    assert state.harm < 0


def test_a_canary_on_the_line_of_the_minimal_effect_is_not_harm():
    assert max(after(60, 1.1, seed=seed).harm for seed in range(20)) < NEEDED


def test_no_two_minutes_decide_however_slow_they_were():
    drawn, state = random.Random(5), Latencies()
    for _ in range(2):
        state = add(state, SHIFT, minute(drawn, 100.0), minute(drawn, size=90))
    assert not shown(state.harm, SHIFT)
    assert shown(add(state, SHIFT, minute(drawn, 100.0), minute(drawn, size=90)).harm, SHIFT)


def test_a_difference_in_seconds_can_be_the_line():
    shift = Shift(minimal=Margin(1.0, 5.0))
    assert after(30, 1.5, shift).harm < NEEDED
    assert after(30, 20.0, shift).harm >= NEEDED


@pytest.mark.parametrize(("canary", "baseline"), [([], [1.0]), ([1.0], []), ([], [])])
def test_a_minute_without_requests_is_evidence_of_nothing(canary, baseline):
    assert add(Latencies(), SHIFT, canary, baseline) == Latencies()
