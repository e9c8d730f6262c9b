# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.metrics import Bands, metric_from
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.verdicts import (
    IDLE_LIMIT,
    INCONCLUSIVE,
    NOT_YET,
    PROMOTE,
    ROLL_BACK,
    Counted,
    Measured,
    NoAnswer,
    NoData,
    Sampled,
    Watch,
    combine,
    learn,
    look,
    resumed,
    watch_from,
)

ERRORS = metric_from({"name": "errors"})
LATENCY = metric_from({"name": "latency", "judge": "ranks"})
QUEUE = metric_from({"name": "queue", "judge": "threshold", "ceiling": 100})
GOOD, BAD = Counted((200, 0), (1800, 2)), Counted((200, 6), (1800, 2))
OF = {"errors": ERRORS, "latency": LATENCY, "queue": QUEUE}
OBSERVED = st.one_of(
    st.tuples(st.floats(0, 50), st.floats(0, 5)).map(lambda pair: Counted((pair[0], pair[1]), (100, 0))),
    st.lists(st.floats(), max_size=4).map(lambda values: Sampled(values, [1.0, 2.0])),
    st.floats().map(Measured),
    st.just(NoData()),
    st.just(NoAnswer("timed out")),
)


def after(metric, observations, watch=None, last=False):
    watch = watch or Watch()
    for place, seen in enumerate(observations):
        watch = look(metric, watch, seen, last=last and place == len(observations) - 1)
    return watch


def test_harm_is_told_in_one_line_with_the_numbers():
    watch = after(ERRORS, [BAD] * 8)
    assert watch.verdict == ROLL_BACK
    assert watch.line.startswith(
        "errors: canary 48 errors of 1600 (3 %), baseline 16 errors of 14400 (0.11 %): worse than 1.1 times the baseline, by at least "
    )
    assert "99 % sure" in watch.line
    assert "\n" not in watch.line


def test_safety_is_told_with_how_much_worse_it_could_be_at_most():
    watch = after(ERRORS, [GOOD] * 10)
    assert watch.verdict == PROMOTE
    assert watch.line.startswith("errors: canary 0 errors of 2000 (0 %), baseline 20 errors of 18000 (0.11 %): at most 0.")
    assert "points above the baseline (99 % sure)" in watch.line


def test_until_either_is_shown_it_is_not_yet_and_the_evidence_is_told():
    watch = after(ERRORS, [Counted((20, 0), (180, 0))] * 3)
    assert watch.verdict == NOT_YET
    assert "evidence of harm" in watch.line
    assert "100 needed; clumps are not known before 8 intervals" in watch.line


def test_a_watch_that_ends_without_a_proof_pauses():
    watch = after(ERRORS, [Counted((20, 0), (180, 0))] * 10, last=True)
    assert watch.verdict == INCONCLUSIVE
    assert watch.line.endswith("the watch is over and nothing is shown: pause")


def test_clumps_are_told():
    quiet = Counted((200, 0), (1800, 2))
    watch = after(ERRORS, [*[quiet] * 9, Counted((200, 50), (1800, 2))], Watch())
    assert watch.verdict != ROLL_BACK
    assert "in clumps of about" in watch.line


def test_a_canary_that_was_cleared_stays_cleared_until_harm_is_shown():
    watch = after(ERRORS, [GOOD] * 10)
    watch = look(ERRORS, watch, Counted((200, 3), (1800, 2)))
    assert watch.verdict == PROMOTE
    assert after(ERRORS, [BAD] * 30, watch).verdict == ROLL_BACK


@pytest.mark.parametrize("metric", [ERRORS, LATENCY, QUEUE])
@pytest.mark.parametrize("last", [False, True])
def test_no_data_pauses_at_once_and_never_passes(metric, last):
    watch = look(metric, Watch(), NoData("the query matched nothing"), last=last)
    assert watch.verdict == INCONCLUSIVE
    assert "no data (the query matched nothing)" in watch.line


@pytest.mark.parametrize(
    ("metric", "seen"),
    [
        (QUEUE, Measured(math.nan)),
        (QUEUE, Measured(math.inf)),
        (ERRORS, Counted((math.nan, 0), (180, 0))),
        (LATENCY, Sampled([1.0, math.nan], [1.0])),
        (LATENCY, Sampled([None], [1.0])),
        (QUEUE, Measured("12")),
    ],
)
def test_nan_is_no_data(metric, seen):
    assert look(metric, Watch(), seen).verdict == INCONCLUSIVE


def test_looks_without_data_may_be_allowed_and_are_counted_in_a_row():
    patient = replace(ERRORS, inconclusive_limit=2)
    assert after(patient, [NoData()] * 2).verdict == NOT_YET
    assert after(patient, [NoData()] * 3).verdict == INCONCLUSIVE
    assert after(patient, [NoData(), NoData(), GOOD, NoData(), NoData()]).verdict == NOT_YET


def test_a_source_that_does_not_answer_pauses_after_four_looks_in_a_row_and_never_rolls_back():
    down = NoAnswer("connection refused")
    assert after(ERRORS, [down] * 4).verdict == NOT_YET
    watch = after(ERRORS, [down] * 5)
    assert watch.verdict == INCONCLUSIVE
    assert watch.line == "errors: no answer (connection refused), 5 in a row, 4 allowed: pause"
    assert after(ERRORS, [*[down] * 4, GOOD, *[down] * 4]).verdict == NOT_YET
    assert after(ERRORS, [down], last=True).verdict == INCONCLUSIVE


@pytest.mark.parametrize(
    ("metric", "garbage"),
    [(ERRORS, Counted((20, 21), (180, 0))), (ERRORS, Counted((20, -1), (180, 0))), (ERRORS, Measured(3.0)), (LATENCY, Measured(3.0)), (QUEUE, GOOD)],
)
def test_garbage_is_no_answer(metric, garbage):
    watch = look(metric, Watch(), garbage)
    assert (watch.verdict, watch.errors_in_row) == (NOT_YET, 1)
    assert after(metric, [garbage] * 5).verdict == INCONCLUSIVE


@pytest.mark.parametrize(("metric", "idle"), [(ERRORS, Counted((20, 0), (0, 0))), (ERRORS, Counted((0, 0), (180, 1))), (LATENCY, Sampled([], [1.0]))])
def test_a_side_without_requests_pauses_after_a_while(metric, idle):
    assert after(metric, [idle] * IDLE_LIMIT).verdict == NOT_YET
    watch = after(metric, [idle] * (IDLE_LIMIT + 1))
    assert watch.verdict == INCONCLUSIVE
    assert "got no requests" in watch.line


def test_a_limit_that_is_broken_rolls_back_at_once_unless_failures_are_allowed():
    assert look(QUEUE, Watch(), Measured(101.0)).verdict == ROLL_BACK
    lenient = replace(QUEUE, failure_limit=1)
    once = look(lenient, Watch(), Measured(101.0))
    assert (once.verdict, once.line) == (NOT_YET, "queue: 101 is above the ceiling 100; failure 1, 1 allowed")
    watch = look(lenient, once, Measured(3.0))
    assert watch.verdict == NOT_YET
    assert look(lenient, watch, Measured(102.0)).verdict == ROLL_BACK
    assert look(lenient, watch, Measured(5.0), last=True).verdict == PROMOTE


@pytest.mark.parametrize("later", [Measured(3.0), NoData(), NoAnswer("down")])
def test_what_has_failed_too_often_stays_failed_whatever_comes_later(later):
    failed = look(QUEUE, Watch(), Measured(101.0))
    for watch in (look(QUEUE, failed, later), look(QUEUE, failed, later, last=True), look(QUEUE, resumed(failed), later)):
        assert (watch.verdict, watch.line) == (ROLL_BACK, failed.line)


def test_a_limit_that_is_kept_to_the_end_promotes():
    watch = after(QUEUE, [Measured(7.0)] * 5, last=True)
    assert (watch.verdict, watch.line) == (PROMOTE, "queue: 7 is within its limits, as in all 5 looks")
    assert after(QUEUE, [Measured(7.0)] * 5).verdict == NOT_YET


def test_latencies_are_judged_both_ways():
    baseline = [float(value) for value in range(100, 140)]
    slow, same = [value * 2 for value in baseline[::2]], baseline[::2]
    assert after(LATENCY, [Sampled(slow, baseline)] * 3).verdict == ROLL_BACK
    watch = after(LATENCY, [Sampled(same, baseline)] * 3)
    assert watch.verdict == PROMOTE
    assert "below 1.25 times the baseline's" in watch.line


def test_a_person_who_resumes_ends_the_pause_and_keeps_the_evidence():
    watch = after(ERRORS, [*[BAD] * 4, NoData()])
    gone_on = resumed(watch)
    assert (gone_on.verdict, gone_on.inconclusive_in_row) == (NOT_YET, 0)
    assert after(ERRORS, [BAD] * 4, gone_on).verdict == ROLL_BACK


def test_a_baseline_that_was_watched_before_is_no_look_but_makes_the_first_ones_count():
    watch = Watch()
    for _ in range(8):
        watch = learn(watch, 1800, 2)
    assert watch.looks == 0
    assert after(ERRORS, [Counted((200, 20), (1800, 2))] * 2, watch).verdict == ROLL_BACK


@settings(deadline=None)
@given(st.sampled_from(list(OF)), st.lists(OBSERVED, max_size=12), st.booleans())
def test_whatever_is_seen_a_watch_goes_on_in_another_process_and_nothing_passes_by_itself(name, observations, last):
    metric, watch, stored = OF[name], Watch(), Watch()
    for place, seen in enumerate(observations):
        end = last and place == len(observations) - 1
        watch = look(metric, watch, seen, last=end)
        stored = watch_from(json.loads(json.dumps(look(metric, stored, seen, last=end).to_dict())))
        if isinstance(seen, (NoData, NoAnswer)):
            assert watch.verdict in (NOT_YET, INCONCLUSIVE) or watch.failed
    assert stored == watch
    if last and observations:
        assert watch.verdict != NOT_YET or watch.failures


def states(*verdicts):
    """Metrics of weight 1, 2, 4, ... that are not critical, with these verdicts."""
    return [
        (replace(ERRORS, name=f"m{place}", critical=False, weight=2.0**place), Watch(verdict=verdict, looks=1, line=f"line {place}"))
        for place, verdict in enumerate(verdicts)
    ]


def test_all_that_is_shown_to_be_safe_is_promoted():
    outcome = combine(states(PROMOTE, PROMOTE))
    assert (outcome.verdict, outcome.line, outcome.score) == (PROMOTE, "line 0", 100.0)
    assert outcome.lines == ("promote: line 0", "promote: line 1")


def test_one_that_is_not_yet_shown_holds_the_others_up():
    assert combine(states(PROMOTE, NOT_YET)).verdict == NOT_YET


def test_one_that_pauses_pauses_all_unless_another_is_harm():
    assert combine(states(PROMOTE, INCONCLUSIVE)).verdict == INCONCLUSIVE
    harm = [(ERRORS, Watch(verdict=ROLL_BACK, line="harm"))]
    assert combine([*states(INCONCLUSIVE), *harm]).verdict == ROLL_BACK


def test_a_metric_that_is_not_critical_only_lowers_the_score():
    one_of_31 = states(ROLL_BACK, PROMOTE, PROMOTE, PROMOTE, PROMOTE)
    assert combine(one_of_31).verdict == PROMOTE
    assert combine(one_of_31).line == "line 1; score 97"
    two_of_31 = states(PROMOTE, ROLL_BACK, PROMOTE, PROMOTE, PROMOTE)
    assert combine(two_of_31).verdict == INCONCLUSIVE
    assert combine(two_of_31).line == "score 94, between 75 and 95: m1 failed: pause"
    assert combine(two_of_31, Bands(90, 80)).verdict == PROMOTE


def test_a_score_that_can_no_longer_be_marginal_rolls_back_while_others_are_open():
    outcome = combine(states(NOT_YET, INCONCLUSIVE, ROLL_BACK))
    assert outcome.verdict == ROLL_BACK
    assert outcome.line.startswith("score at most 43, 75 needed: m2 failed; line 2")


def test_a_metric_in_dry_run_is_told_and_never_decides():
    dry = (replace(ERRORS, name="dry", dry_run=True), Watch(verdict=ROLL_BACK, line="harm"))
    outcome = combine([*states(PROMOTE), dry])
    assert outcome.verdict == PROMOTE
    assert outcome.lines[1] == "dry run, roll back: harm"
    assert combine([(dry[0], Watch(verdict=PROMOTE))]).verdict == INCONCLUSIVE


def test_a_limit_that_was_kept_so_far_waits_for_no_end_once_a_test_has_shown_safety():
    kept = (QUEUE, look(QUEUE, Watch(), Measured(3.0)))
    assert combine([*states(PROMOTE), kept]).verdict == PROMOTE
    assert combine([kept]).verdict == NOT_YET
    assert combine([*states(PROMOTE), (QUEUE, Watch())]).verdict == NOT_YET
    assert combine([*states(PROMOTE), (QUEUE, look(QUEUE, kept[1], NoAnswer("down")))]).verdict == NOT_YET


@given(st.lists(st.sampled_from([PROMOTE, ROLL_BACK, NOT_YET, INCONCLUSIVE]), min_size=1, max_size=5), st.integers(0, 4))
def test_a_better_verdict_of_one_metric_never_makes_the_whole_worse(verdicts, place):
    place %= len(verdicts)
    rank = {ROLL_BACK: 0, INCONCLUSIVE: 1, NOT_YET: 1, PROMOTE: 2}
    better = [*verdicts[:place], PROMOTE, *verdicts[place + 1 :]]
    assert rank[combine(states(*better)).verdict] >= rank[combine(states(*verdicts)).verdict]


@given(st.lists(st.sampled_from([PROMOTE, ROLL_BACK, NOT_YET, INCONCLUSIVE]), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_metrics_does_not_matter(verdicts, drawn):
    watches = states(*verdicts)
    shuffled = list(watches)
    drawn.shuffle(shuffled)
    assert combine(shuffled).verdict == combine(watches).verdict
