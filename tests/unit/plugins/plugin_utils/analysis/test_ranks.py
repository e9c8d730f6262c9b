# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.ranks import ALTERNATIVES, mann_whitney

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)
TIED = st.lists(st.integers(0, 4).map(float), min_size=1, max_size=30)
CLOSE = 1e-12


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(VALUES | TIED, VALUES | TIED, st.sampled_from(ALTERNATIVES))
@settings(deadline=None)
def test_the_normal_approximation_is_scipys(one, two, alternative):
    if len({*one, *two}) == 1:
        return
    theirs = stats.mannwhitneyu(one, two, alternative=alternative, method="asymptotic")
    mine = mann_whitney(one, two, alternative, "asymptotic")
    assert mine.u == theirs.statistic
    assert abs(mine.p - theirs.pvalue) < CLOSE


@settings(deadline=None)
@given(st.integers(1, 25), st.integers(1, 25), st.randoms(use_true_random=False), st.sampled_from(ALTERNATIVES))
def test_the_exact_test_without_ties_is_scipys(size, other_size, drawn, alternative):
    values = drawn.sample(range(1000), size + other_size)
    one, two = values[:size], values[size:]
    theirs = stats.mannwhitneyu(one, two, alternative=alternative, method="exact")
    mine = mann_whitney(one, two, alternative, "exact")
    assert mine.u == theirs.statistic
    assert abs(mine.p - theirs.pvalue) < CLOSE


@given(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.lists(st.integers(0, 3), min_size=1, max_size=5), st.sampled_from(ALTERNATIVES))
@settings(deadline=None)
def test_the_exact_test_with_ties_counts_all_splits(one, two, alternative):
    """By hand: every way to choose which values are the first sample's."""

    def wins(first, second):
        return sum((a > b) + 0.5 * (a == b) for a in first for b in second)

    values, reached = one + two, wins(one, two)
    all_wins = []
    for chosen in itertools.combinations(range(len(values)), len(one)):
        first = [values[place] for place in chosen]
        all_wins.append(wins(first, [value for place, value in enumerate(values) if place not in chosen]))
    above, below = (sum(keep(value) for value in all_wins) / len(all_wins) for keep in (lambda value: value >= reached, lambda value: value <= reached))
    expected = {"greater": above, "less": below, "two-sided": min(1.0, 2 * min(above, below))}[alternative]
    mine = mann_whitney(one, two, alternative, "exact")
    assert mine.u == reached
    assert abs(mine.p - expected) < CLOSE


@given(TIED, TIED)
@settings(deadline=None)
def test_swapping_the_samples_swaps_the_question(one, two):
    forth, back = mann_whitney(one, two, "greater"), mann_whitney(two, one, "less")
    assert abs(forth.p - back.p) < CLOSE
    assert forth.superiority == pytest.approx(1.0 - back.superiority)
    assert forth.rank_biserial == pytest.approx(-back.rank_biserial)


@given(TIED, TIED, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_neither_the_order_nor_the_scale_of_values_matters(one, two, drawn):
    shuffled = list(one)
    drawn.shuffle(shuffled)
    assert mann_whitney(one, two) == mann_whitney([math.exp(value) for value in shuffled], [math.exp(value) for value in two])


@given(st.lists(st.integers(0, 100).map(float), min_size=2, max_size=20), st.lists(st.integers(0, 100).map(float), min_size=2, max_size=20))
@settings(deadline=None)
def test_larger_values_are_more_evidence_of_being_larger(one, two):
    assert mann_whitney([value + 7 for value in one], two, method="asymptotic").u >= mann_whitney(one, two, method="asymptotic").u


def test_effect_sizes_run_from_all_below_to_all_above():
    assert mann_whitney([1, 2], [3, 4, 5]).superiority == 0.0
    assert mann_whitney([6, 7], [3, 4, 5]).rank_biserial == 1.0
    assert mann_whitney([1, 2], [1, 2]).superiority == 0.5


@pytest.mark.parametrize(
    ("one", "two", "method"),
    [
        (range(8), range(100, 200), "exact"),
        (range(9), range(100, 200), "asymptotic"),
        ([1] * 8, range(2, 14), "exact"),
        ([1] * 9, range(2, 14), "asymptotic"),
        (range(2), range(100_000, 200_000, 5), "asymptotic"),
    ],
)
def test_small_samples_are_judged_exactly(one, two, method):
    assert mann_whitney(list(one), list(two)).method == method


def test_of_values_that_are_all_the_same_nothing_follows():
    for method in ("exact", "asymptotic"):
        assert mann_whitney([5.0] * 4, [5.0] * 6, method=method).p == 1.0


def test_false_alarms_are_as_many_as_promised():
    drawn = random.Random(3)
    alarms = sum(mann_whitney([drawn.random() for _ in range(6)], [drawn.random() for _ in range(30)]).p <= 0.05 for _ in range(1000))
    assert 25 <= alarms <= 75


@pytest.mark.parametrize(
    ("one", "two", "named"), [([], [1.0], "canary"), ([1.0], [], "baseline"), ([math.nan], [1.0], "canary"), ([1.0], [math.inf], "baseline")]
)
def test_a_sample_without_numbers_is_refused(one, two, named):
    with pytest.raises(ValidationError, match=named):
        mann_whitney(one, two)


@pytest.mark.parametrize(("alternative", "method"), [("bigger", "auto"), ("greater", "guess")])
def test_a_question_that_is_not_known_is_refused(alternative, method):
    with pytest.raises(ValidationError, match=r"bigger|guess"):
        mann_whitney([1.0], [2.0], alternative, method)
