# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.counts import LEAST_INTERVALS, Counts, Design, Margin, add, finding
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.power import Traffic, chance, minutes_needed, poisson, power_statement, require_power

DESIGN = Design()
USUAL = Traffic(20, 180)


@settings(deadline=None)
@given(st.floats(1e-6, 5000.0))
def test_poisson_chances_are_scipys_and_sum_to_one(mean):
    first, chances = poisson(mean)
    assert sum(chances) == pytest.approx(1.0, abs=1e-9)
    theirs = stats.poisson.pmf(range(first, first + len(chances)), mean)
    assert chances == pytest.approx(list(theirs), rel=1e-9, abs=1e-12)


def test_the_statement_is_a_sentence_with_the_minutes():
    lines = power_statement(DESIGN, USUAL, 60).lines()
    assert lines[0] == (
        "at 20 requests/min (baseline 180) you need 52 min to see 0.1 % -> 1 %, in 90 of 100 cases; a watch of 60 min sees it with a chance of 94 %"
    )
    assert lines[1].startswith("a release as good as the baseline is cleared (worse by less than 0.9 points) after 54 min; a watch of 60 min clears it")


def poisson_draw(drawn, mean):
    """One Poisson count: arrivals at exponential distances."""
    count, at = 0, drawn.expovariate(1.0)
    while at < mean:
        count, at = count + 1, at + drawn.expovariate(1.0)
    return count


@pytest.mark.parametrize(
    ("design", "traffic", "watch"),
    [
        (DESIGN, Traffic(20, 180), 50),
        (Design(0.001, 0.03, tolerated=Margin(1.0, 0.029)), Traffic(20, 60), 15),
    ],
)
def test_the_promised_chances_come_true_in_the_test_that_is_really_used(design, traffic, watch):
    drawn, runs, seen, cleared = random.Random(6), 100, 0, 0
    for _ in range(runs):
        for harm, rate in ((True, design.detect), (False, design.expected)):
            state = Counts()
            for _minute in range(watch):
                errors, baseline_errors = poisson_draw(drawn, traffic.canary * rate), poisson_draw(drawn, traffic.baseline * design.expected)
                state = add(state, design, (traffic.canary, min(errors, traffic.canary)), (traffic.baseline, baseline_errors))
                found = finding(state, design)
                if found.harmful if harm else found.safe:
                    seen, cleared = seen + harm, cleared + (not harm)
                    break
    statement = power_statement(design, traffic, watch)
    assert statement.chance_to_see == pytest.approx(seen / runs, abs=0.1)
    assert statement.chance_to_clear == pytest.approx(cleared / runs, abs=0.1)


@pytest.mark.parametrize("harm", [True, False])
def test_the_minutes_needed_are_just_enough(harm):
    rate = DESIGN.detect if harm else DESIGN.expected
    needed = minutes_needed(DESIGN, USUAL, 0.9, rate, harm=harm)
    assert chance(DESIGN, USUAL, needed, rate, harm=harm) >= 0.9
    assert chance(DESIGN, USUAL, needed - 1, rate, harm=harm) < 0.9


def needed_with(design=DESIGN, canary=20.0, baseline=180.0, clump=1.0, power=0.9):
    return power_statement(design, Traffic(canary, baseline, clump), 60, power).to_see


def test_more_traffic_a_larger_harm_and_less_power_need_fewer_minutes_and_clumps_need_more():
    usual = needed_with()
    assert needed_with(canary=40, baseline=360) < usual
    assert needed_with(baseline=1800) < usual
    assert needed_with(Design(detect=0.02, tolerated=Margin(1.0, 0.019))) < usual
    assert needed_with(power=0.5) < usual
    assert needed_with(clump=5.0) == pytest.approx(5 * usual, rel=0.05)
    assert power_statement(Design(clump=5.0), USUAL, 60).to_see == needed_with(clump=5.0)


def test_no_watch_is_shorter_than_it_takes_to_know_clumps():
    assert needed_with(canary=2000, baseline=18_000) == LEAST_INTERVALS
    assert power_statement(DESIGN, Traffic(2000, 18_000), LEAST_INTERVALS - 1).chance_to_see == 0.0
    assert power_statement(DESIGN, Traffic(2000, 18_000), 60, interval=300.0).to_see == 5 * LEAST_INTERVALS


def test_what_a_week_cannot_show_is_said_so():
    statement = power_statement(DESIGN, Traffic(0.01, 0.09), 60)
    assert statement.to_see is None
    assert "a week is too short" in statement.lines()[0]


def test_clumps_are_part_of_the_sentence():
    assert "(baseline 180, errors in clumps of about 5)" in power_statement(DESIGN, Traffic(20, 180, 5.0), 60).lines()[0]


def test_a_canary_that_would_see_the_harm_is_let_go():
    statement = power_statement(DESIGN, USUAL, 60)
    assert require_power("errors", statement) is statement


def test_a_canary_that_can_prove_nothing_is_refused_with_what_would_help():
    with pytest.raises(ValidationError) as refused:
        require_power("errors", power_statement(DESIGN, USUAL, 10))
    assert refused.value.message.startswith("errors: at 20 requests/min (baseline 180) you need 52 min to see 0.1 % -> 1 %")
    assert "watch for 52 min" in refused.value.hint
    assert "override" in refused.value.hint
    assert refused.value.context["needed_minutes"] == 52


@pytest.mark.parametrize(("traffic", "named"), [(Traffic(0, 180), "the canary gets no requests"), (Traffic(20, 0), "the baseline gets no requests")])
def test_without_traffic_on_both_sides_nothing_can_be_proved(traffic, named):
    with pytest.raises(ValidationError, match=named):
        require_power("errors", power_statement(DESIGN, traffic, 60))


def test_a_person_may_override_with_a_reason():
    statement = power_statement(DESIGN, USUAL, 10)
    assert require_power("errors", statement, override="no traffic at night") is statement
    with pytest.raises(ValidationError):
        require_power("errors", statement, override="")


@pytest.mark.timeout(30)
def test_large_traffic_is_reckoned_quickly():
    assert power_statement(Design(0.02, 0.04, tolerated=Margin(1.0, 0.02)), Traffic(100_000, 900_000), 60).chance_to_see > 0.999
