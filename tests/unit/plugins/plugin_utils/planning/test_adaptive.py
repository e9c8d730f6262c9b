# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.adaptive import MOST_BATCHES, Bounds, Pace, bounds_of, next_width

BOUNDS = Bounds(first=2, least=1, most=10)
USUAL = [2.0, 2.2, 2.1]


def test_the_bounds_are_the_first_and_the_widest_of_the_batches() -> None:
    assert bounds_of([1, 5, 5, 9], 20) == Bounds(1, 1, 9)
    assert bounds_of([4], 4) == Bounds(4, 1, 4)


def test_a_large_fleet_is_not_cut_into_more_batches_than_are_bearable() -> None:
    bounds = bounds_of([1, 1, 1], 10_000)
    assert bounds == Bounds(100, 100, 100)
    assert 10_000 / bounds.least == MOST_BATCHES


def test_a_healthy_batch_is_followed_by_a_wider_one_up_to_the_widest() -> None:
    assert next_width(BOUNDS, 2, Pace([2.1, 2.0]), USUAL) == (4, "2 more, for the batch before was healthy")
    assert next_width(BOUNDS, 9, Pace([2.1]), USUAL) == (10, "the widest that is allowed")


def test_a_slow_batch_halves_the_next_and_the_seconds_are_told() -> None:
    assert next_width(BOUNDS, 8, Pace([9.0, 8.0, 2.0]), USUAL) == (4, "half, for hosts took 8.0 s to be healthy, 2.1 s is usual")
    assert next_width(BOUNDS, 1, Pace([9.0]), USUAL)[0] == 1


def test_a_second_more_than_usual_is_not_slow_yet() -> None:
    assert next_width(BOUNDS, 2, Pace([0.9]), [0.1])[0] == 4


def test_a_host_that_failed_halves_the_next_even_if_the_others_were_quick() -> None:
    assert next_width(BOUNDS, 6, Pace([2.0], failed=1), USUAL) == (3, "half, for 1 of 6 hosts failed")


@pytest.mark.parametrize("usual", [[], USUAL])
def test_without_anything_to_compare_with_a_healthy_batch_is_enough(usual: list[float]) -> None:
    assert next_width(BOUNDS, 2, Pace([]), usual)[0] == 4
