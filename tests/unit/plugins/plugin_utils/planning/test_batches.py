# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.batches import allowance, batch_widths, split


@pytest.mark.parametrize(
    ("total", "batches", "widths"),
    [
        (3, [1], [1, 1, 1]),
        (10, [1, "25%", "100%"], [1, 2, 7]),
        (10, ["50%"], [5, 5]),
        (3, ["10%"], [1, 1, 1]),
        (7, [2, 4], [2, 4, 1]),
        (5, 2, [2, 2, 1]),
        (0, [1], []),
        (4, ["100%"], [4]),
        (4, [100], [4]),
        (6, ["1", "2"], [1, 2, 2, 1]),
    ],
)
def test_batches_are_counts_or_percents_and_the_last_one_repeats(total, batches, widths):
    assert batch_widths(total, batches) == widths


@pytest.mark.parametrize(
    ("batches", "named"),
    [
        ([0], "rolling_batches[0]"),
        ([1, "101%"], "rolling_batches[1]"),
        (["half"], "'half'"),
        ([True], "True"),
        ([-1], "-1"),
        (["0%"], "0%"),
        ([1.5], "1.5"),
        ([], "rolling_batches"),
    ],
)
def test_a_width_that_is_none_is_refused_by_name_and_value(batches, named):
    with pytest.raises(ValidationError) as refused:
        batch_widths(10, batches)
    assert named in refused.value.message
    assert refused.value.hint


@given(st.integers(0, 10_000), st.lists(st.one_of(st.integers(1, 500), st.integers(1, 100).map(lambda number: f"{number}%")), min_size=1, max_size=6))
def test_batches_cover_every_host_once_and_none_is_empty(total, batches):
    widths = batch_widths(total, batches)
    assert sum(widths) == total
    assert all(width >= 1 for width in widths)
    hosts = [f"host{number}" for number in range(total)]
    assert [host for batch in split(hosts, widths) for host in batch] == hosts


@pytest.mark.parametrize(("total", "limit", "allowed"), [(10, 0, 0), (10, "25%", 2), (3, "25%", 0), (4, 2, 2), (10, "0%", 0), (10, "100%", 10)])
def test_an_allowance_is_rounded_down(total, limit, allowed):
    assert allowance(total, limit, "rolling_max_failed") == allowed


@pytest.mark.parametrize("limit", ["many", -1, "200%", None, False])
def test_an_allowance_that_is_none_is_refused(limit):
    with pytest.raises(ValidationError, match="rolling_max_failed"):
        allowance(10, limit, "rolling_max_failed")
