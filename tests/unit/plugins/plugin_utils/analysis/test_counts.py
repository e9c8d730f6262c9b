# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.counts import (
    LEAST_INTERVALS,
    WEIGHTS,
    Counts,
    Design,
    Margin,
    add,
    counts_from,
    factors,
    finding,
    learn,
)

DESIGN = Design()


@st.composite
def intervals(draw, least=1, most=25):
    """Intervals of a canary and a baseline of unequal and changing size."""
    found = []
    for _ in range(draw(st.integers(least, most))):
        sizes = draw(st.tuples(st.integers(0, 300), st.integers(0, 3000)))
        found.append(tuple((size, draw(st.integers(0, min(size, 30)))) for size in sizes))
    return found


def after(pairs, design=DESIGN, state=None):
    state = state or Counts()
    for canary, baseline in pairs:
        state = add(state, design, canary, baseline)
    return state


def steady(minutes, errors, baseline_errors, canary=20, baseline=180):
    """So many errors in all, spread evenly."""
    return [
        (
            (canary, errors * (minute + 1) // minutes - errors * minute // minutes),
            (baseline, baseline_errors * (minute + 1) // minutes - baseline_errors * minute // minutes),
        )
        for minute in range(minutes)
    ]


@given(intervals())
@settings(deadline=None)
def test_a_state_that_was_stored_goes_on_in_another_process_as_if_nothing_had_been(pairs):
    middle = len(pairs) // 2
    stored = json.loads(json.dumps(after(pairs[:middle]).to_dict()))
    assert finding(after(pairs[middle:], state=counts_from(stored)), DESIGN) == finding(after(pairs), DESIGN)


def test_a_stored_state_stays_small_however_long_the_watch_is():
    assert len(json.dumps(after(steady(1440, 30, 200)).to_dict())) < 3000


@given(intervals(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_intervals_is_no_evidence(pairs, shuffler):
    shuffled = list(pairs)
    shuffler.shuffle(shuffled)
    one, other = after(pairs), after(shuffled)
    for mine, theirs in ((one.harm, other.harm), (one.safety, other.safety)):
        assert mine.logs == pytest.approx(theirs.logs, abs=1e-9)
        assert mine.slopes == pytest.approx(theirs.slopes, abs=1e-9)


@given(st.integers(1, 200), st.integers(1, 2000), st.integers(0, 10), st.integers(0, 10))
@settings(deadline=None)
def test_cutting_an_interval_in_two_is_no_evidence(requests, baseline_requests, errors, baseline_errors):
    whole = after([((2 * requests, min(errors, requests)), (2 * baseline_requests, min(baseline_errors, baseline_requests)))])
    halves = after([((requests, min(errors, requests)), (baseline_requests, 0)), ((requests, 0), (baseline_requests, min(baseline_errors, baseline_requests)))])
    assert whole.harm.logs == pytest.approx(halves.harm.logs, abs=1e-9)
    assert whole.safety.logs == pytest.approx(halves.safety.logs, abs=1e-9)


@given(intervals(), st.booleans())
@settings(deadline=None)
def test_an_error_more_of_the_canary_never_lessens_the_evidence_of_harm_nor_adds_to_that_of_safety(pairs, first):
    (requests, errors), baseline = pairs[0 if first else -1]
    if errors == requests or not baseline[0]:
        return
    worse = [*pairs, ((1, 1), (1, 0))]
    better = [*pairs, ((1, 0), (1, 0))]
    assert after(worse).harm.value(0.0, 1.0) >= after(better).harm.value(0.0, 1.0)
    assert after(worse).safety.value(0.009, 1.0) <= after(better).safety.value(0.009, 1.0)


@given(intervals(), st.floats(1.0, 100.0))
@settings(deadline=None)
def test_widening_never_makes_a_verdict(pairs, widening):
    state = after(pairs)
    for evidence, difference in ((state.harm, 0.0), (state.safety, 0.009)):
        if evidence.value(difference, widening) >= math.log(100):
            assert evidence.value(difference, 1.0) >= math.log(100)


@given(st.floats(1e-6, 0.9), st.floats(0.0, 0.01), st.integers(1, 30), st.integers(1, 60), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_mean_evidence_is_at_most_one_whatever_the_rate_on_the_line_is(rate, difference, requests, baseline_requests, harm):
    """Exactly, by summing over all outcomes of two binomial counts: what the guarantee rests on."""
    claim = Margin(1.1 if harm else 1.0, difference)
    on_line = claim.of(rate)
    if on_line > 1.0:
        return
    mean = 0.0
    ones = stats.binom.pmf(range(requests + 1), requests, on_line)
    others = stats.binom.pmf(range(baseline_requests + 1), baseline_requests, rate)
    for weight, ratio in zip(WEIGHTS, DESIGN.alternatives(claim, harm=harm), strict=True):
        a, b = factors(claim, ratio, requests, baseline_requests)
        sums = (sum(one * a**count for count, one in enumerate(ones)), sum(other * b**count for count, other in enumerate(others)))
        mean += weight * sums[0] * sums[1] * math.exp(-requests * difference * (a - 1.0))
    assert mean <= 1.0 + 1e-9


def test_ten_times_the_errors_are_harm_and_the_bound_says_how_much_at_least():
    found = finding(after(steady(60, 12, 11)), DESIGN)
    assert found.harmful
    assert not found.safe
    assert 0.0 < found.at_least < 0.01 - 1.1 * 0.001
    assert found.at_most > 0.009


def test_a_canary_without_errors_is_safe_in_time_and_the_bound_shrinks():
    bounds = [finding(after(steady(minutes, 0, minutes // 5)), DESIGN).at_most for minutes in (20, 40, 80, 160)]
    assert bounds == sorted(bounds, reverse=True)
    found = finding(after(steady(60, 0, 11)), DESIGN)
    assert found.safe
    assert not found.harmful
    assert found.at_most <= 0.009


def test_a_little_worse_than_the_baseline_is_never_harm_however_much_traffic_there_is():
    found = finding(after(steady(600, 105 * 60, 100 * 600, canary=2000, baseline=20_000)), DESIGN)
    assert not found.harmful


def test_both_bounds_hold_at_once_and_lie_about_the_truth():
    found = finding(after(steady(200, 100, 400, canary=100, baseline=2000)), Design(expected=0.001, detect=0.01))
    truth = 100 / 20_000
    assert found.at_least < truth - 1.1 * 0.001 < found.at_most + 1e-9


def test_an_interval_in_which_a_side_had_no_request_is_evidence_of_nothing():
    state = after(steady(10, 1, 2))
    for pair in (((0, 0), (180, 3)), ((20, 2), (0, 0)), ((0, 0), (0, 0))):
        more = add(state, DESIGN, *pair)
        assert (more.harm, more.safety) == (state.harm, state.safety)


def test_no_verdict_is_given_before_clumps_could_be_known():
    bad = [((200, 50), (1800, 2))] * (LEAST_INTERVALS - 1)
    assert finding(after(bad), DESIGN).harm > 100
    assert not finding(after(bad), DESIGN).harmful
    assert finding(after([*bad, bad[0]]), DESIGN).harmful


def test_a_baseline_that_was_watched_before_the_deployment_makes_it_sooner():
    state = Counts()
    for _ in range(LEAST_INTERVALS):
        state = learn(state, 1800, 2)
    bad = after([((200, 50), (1800, 2))] * 2, state=state)
    assert finding(bad, DESIGN).harmful
    assert state.baseline.requests == 0


def test_one_failure_that_makes_fifty_errors_is_no_harm():
    quiet = ((200, 0), (1800, 2))
    found = finding(after([*[quiet] * 20, ((200, 50), (1800, 2)), *[quiet] * 5]), DESIGN)
    assert not found.harmful
    assert found.clump > 30
    assert after([*[quiet] * 20, ((200, 50), (1800, 2))]).harm.value(0.0, 1.0) > math.log(100)


def test_a_clump_that_lasts_over_three_intervals_is_one_clump():
    quiet = ((20, 0), (180, 0))
    found = finding(after([*[quiet] * 20, *[((20, errors), (180, 0)) for errors in (20, 20, 10)], *[quiet] * 5]), DESIGN)
    assert not found.harmful


def test_clumps_that_are_known_beforehand_keep_a_quiet_start_from_clearing():
    quiet = [((200, 0), (1800, 2))] * 12
    assert finding(after(quiet), DESIGN).safe
    assert not finding(after(quiet), Design(clump=50.0)).safe


def test_false_alarms_of_independent_errors_stay_below_alpha():
    drawn = random.Random(4)
    alarms = 0
    for _ in range(80):
        state = Counts()
        for _minute in range(30):
            canary, baseline = (sum(drawn.random() < 0.02 for _ in range(size)) for size in (20, 60))
            state = add(state, DESIGN, (20, canary), (60, baseline))
            if finding(state, DESIGN).harmful:
                alarms += 1
                break
    assert alarms <= 2


@pytest.mark.parametrize(("requests", "errors"), [(10, 11), (-1, 0), (10, -1), (math.nan, 0), (10, math.nan), (math.inf, 1)])
@pytest.mark.parametrize("side", ["canary", "baseline"])
def test_counts_that_cannot_be_are_refused_by_side(requests, errors, side):
    pair, fine = (requests, errors), (10, 1)
    with pytest.raises(ValidationError) as refused:
        add(Counts(), DESIGN, pair if side == "canary" else fine, fine if side == "canary" else pair)
    assert side in refused.value.message
    assert refused.value.hint


def test_the_mixture_has_a_weight_of_one_and_each_ratio_lies_beyond_its_claim():
    assert sum(WEIGHTS) == pytest.approx(1.0)
    for expected, detect, difference in itertools.product((0.0001, 0.01, 0.3), (0.31, 0.9), (0.0, 0.005)):
        design = Design(expected, detect, Margin(1.1, difference), Margin(1.0, 0.01))
        assert all(ratio > 1.1 for ratio in design.alternatives(design.minimal, harm=True))
        assert all(0 < ratio < 1.0 for ratio in design.alternatives(design.tolerated, harm=False))
