# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a canary: what they mean for a fleet, and what is refused before anything changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.canary import DEFAULT_STEPS, Step, host_weight, read_canary


@pytest.mark.parametrize(
    ("hosts", "batches"),
    [(1, [1]), (3, [1, 1, 1]), (10, [1, 2, 2, 5]), (40, [2, 2, 6, 10, 20]), (1000, [50, 50, 150, 250, 500])],
)
def test_the_default_goes_by_5_10_25_50_100_percent_and_watches_the_first(hosts: int, batches: list[int]) -> None:
    canary = read_canary(DEFAULT_STEPS, hosts)
    assert canary.batches == batches
    assert canary.after[0] == [Step("pause", seconds=600.0)]
    assert all(steps == [] for steps in canary.after[1:])


def test_steps_follow_the_hosts_that_they_are_for() -> None:
    steps = [
        {"hosts": 1},
        {"weight": "5%"},
        {"analysis": {"seconds": 600, "interval": 30}},
        {"weight": "10 %"},
        {"pause": {"until": "approved", "expires": 3600, "then": "resume"}},
        {"hosts": "50%"},
        {"weight": "10%"},
        {"analysis": 120},
    ]
    canary = read_canary(steps, 10)
    assert canary.batches == [1, 4, 5]
    assert canary.after == [
        [
            Step("weight", weight=5.0, host_weight=47),
            Step("analysis", seconds=600.0, interval=30.0),
            Step("weight", weight=10.0, host_weight=100),
            Step("pause", seconds=3600.0, approval=True, then="resume"),
        ],
        [Step("weight", weight=10.0, host_weight=11), Step("analysis", seconds=120.0, interval=60.0)],
        [],
    ]


def test_the_first_deployment_has_nothing_to_compare_with_and_waits_for_nothing() -> None:
    canary = read_canary([{"hosts": 1}, {"analysis": 600}, {"hosts": "100%"}], 10, first=True)
    assert (canary.batches, canary.after) == ([1, 9], [[], []])


def test_even_the_first_deployment_refuses_what_is_wrong() -> None:
    with pytest.raises(ValidationError, match=r"canary_steps\[0\]"):
        read_canary([{"host": 1}], 10, first=True)


def test_an_approval_that_nobody_gives_in_a_day_aborts() -> None:
    assert read_canary([{"hosts": 1}, {"pause": {"until": "approved"}}], 2).after[0] == [Step("pause", seconds=86400.0, approval=True, then="abort")]


@pytest.mark.parametrize(
    ("steps", "said", "remedy"),
    [
        ([], r"canary_steps: \[\] is no list of steps", "Give a list"),
        ("10%", "canary_steps: '10%' is no list of steps", "Give a list"),
        (["10%"], r"canary_steps\[0\]: '10%' is not one step", "one key"),
        ([{"hosts": 1, "pause": 5}], r"canary_steps\[0\]: .* is not one step", "one key"),
        ([{"host": 1}], r"canary_steps\[0\]: .* is no step", "Did you mean hosts?"),
        ([{"sleep": 1}], r"canary_steps\[0\]: .* is no step", "One of: hosts, weight, pause, analysis"),
        ([{"hosts": "110%"}], r"canary_steps\[0\]: 110% is not a share", "100 %"),
        ([{"hosts": 0}], r"canary_steps\[0\]: 0 is neither", "at least 1"),
        ([{"hosts": 11}], r"canary_steps\[0\]: 11 is more than there are: 10 hosts", "100%"),
        ([{"hosts": "50%"}, {"hosts": 2}], r"canary_steps\[1\]: 2 goes back: 5 of 10 hosts", "growing order"),
        ([{"pause": 5}, {"hosts": 1}], r"canary_steps\[0\]: .* before any host", "Begin with hosts"),
        ([{"hosts": 1}, {"weight": 5}], r"canary_steps\[1\]: 5 is not a share", "percent"),
        ([{"hosts": 1}, {"weight": "0%"}], r"canary_steps\[1\]: '0%' is not a share", "percent"),
        ([{"hosts": 1}, {"weight": "101%"}], r"canary_steps\[1\]: '101%' is not a share", "percent"),
        ([{"hosts": 1}, {"weight": "9%"}, {"weight": "5%"}], r"canary_steps\[2\]: '5%' goes back: the hosts have 9 %", "growing order"),
        ([{"hosts": 1}, {"weight": "11%"}], r"canary_steps\[1\]: '11%' is more than 1 of 10 hosts get at their full weight, 10 %", "more hosts"),
        ([{"hosts": 9}, {"weight": "5%"}], r"canary_steps\[1\]: '5%' is less than 9 of 10 hosts can get, 8.3 %", "larger share"),
        ([{"hosts": "100%"}, {"weight": "5%"}], r"canary_steps\[1\]: '5%' has no meaning: all 10 hosts", "before the last"),
        ([{"hosts": 1}, {"pause": -1}], r"canary_steps\[1\]: -1 is not a time", "seconds"),
        ([{"hosts": 1}, {"pause": True}], r"canary_steps\[1\]: True is not a time", "seconds"),
        ([{"hosts": 1}, {"pause": "soon"}], r"canary_steps\[1\]: 'soon' is not a time", "seconds"),
        ([{"hosts": 1}, {"pause": {"until": "monday"}}], r"canary_steps\[1\]: .* has no end", "until: approved"),
        ([{"hosts": 1}, {"pause": {"until": "approved", "then": "pray"}}], r"canary_steps\[1\]: .* has no then: pray", "abort, resume"),
        ([{"hosts": 1}, {"pause": {"untill": "approved"}}], r"canary_steps\[1\]: .* has no untill", "Did you mean until?"),
        ([{"hosts": 1}, {"analysis": {"seconds": 60, "interval": 0}}], r"canary_steps\[1\]: .* never looks", "interval"),
        ([{"hosts": 1}, {"analysis": {"seconds": 60, "interval": 90}}], r"canary_steps\[1\]: .* never looks", "interval"),
        ([{"hosts": 1}, {"analysis": {}}], r"canary_steps\[1\]: None is not a time", "seconds"),
    ],
)
def test_what_cannot_be_is_refused_with_the_entry_its_value_and_the_remedy(steps: Any, said: str, remedy: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        read_canary(steps, 10)
    assert remedy in refused.value.hint


def test_weights_need_a_driver_that_has_them() -> None:
    steps = [{"hosts": 1}, {"weight": "5%"}]
    assert read_canary(steps, 3).after[0] == [Step("weight", weight=5.0, host_weight=11)]
    with pytest.raises(ValidationError, match=r"canary_steps\[1\]: '5%' cannot be: the driver of the traffic has no weights"):
        read_canary(steps, 3, weights=False)


@given(st.integers(1, 99), st.integers(2, 500), st.floats(0.5, 99.0))
def test_at_its_weight_the_canary_gets_its_share_of_all_traffic(reached: int, hosts: int, share: float) -> None:
    reached = min(reached, hosts - 1)
    each = host_weight(share, reached, hosts)
    mine, others = reached * each, (hosts - reached) * 100.0
    assert abs(100 * mine / (mine + others) - share) < 1e-6


COUNTS = st.lists(st.one_of(st.integers(1, 50), st.integers(1, 100).map(lambda number: f"{number}%")), min_size=1, max_size=6)


@given(COUNTS, st.integers(50, 5000))
def test_whatever_the_steps_every_host_gets_the_release_once_and_no_batch_is_empty(counts: list[Any], hosts: int) -> None:
    try:
        canary = read_canary([{"hosts": count} for count in counts], hosts)
    except ValidationError as error:
        assert "goes back" in error.message
        return
    assert sum(canary.batches) == hosts
    assert min(canary.batches) >= 1
    assert len(canary.after) == len(canary.batches)
