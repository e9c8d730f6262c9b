# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.dispersion import Stream, dispersion, observe, stream_from

COUNTS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 50)).map(lambda pair: (pair[0], min(pair))), max_size=40)


def stream_of(pairs):
    stream = Stream()
    for requests, errors in pairs:
        stream = observe(stream, requests, errors)
    return stream


def directly(pairs):
    """Pearson's chi-square over its degrees of freedom, as in books."""
    pairs = [pair for pair in pairs if pair[0]]
    rate = sum(errors for _, errors in pairs) / sum(requests for requests, _ in pairs)
    return sum((errors - rate * requests) ** 2 / (rate * requests) for requests, errors in pairs) / (len(pairs) - 1)


@given(COUNTS)
@settings(deadline=None)
def test_an_index_is_one_or_more_and_of_a_stored_stream_the_same(pairs):
    stream = stream_of(pairs)
    assert dispersion(stream) >= 1.0
    assert stream_from(json.loads(json.dumps(stream.to_dict()))) == stream


def test_clumps_in_single_intervals_give_pearsons_index():
    pairs = [(100 + 10 * (place % 7), 40 if place % 6 == 0 else 0) for place in range(60)]
    assert dispersion(stream_of(pairs)) == pytest.approx(directly(pairs), rel=0.02)


def test_independent_errors_have_an_index_of_one_nearly_always():
    drawn = random.Random(1)
    clumped = sum(dispersion(stream_of([(100, sum(drawn.random() < 0.02 for _ in range(100))) for _minute in range(40)])) > 1 for _ in range(200))
    assert clumped <= 10


@pytest.mark.parametrize("size", [5, 20, 50])
def test_the_index_of_clumps_is_about_their_size(size):
    drawn = random.Random(2)
    pairs = [(1000, size * (drawn.random() < 0.2)) for _minute in range(200)]
    assert dispersion(stream_of(pairs)) == pytest.approx(size, rel=0.3)


def test_neighbouring_intervals_of_one_clump_count_together():
    def with_clumps(*shape):
        pairs = [(20, 0)] * 60
        for start in (10, 30, 50):
            for place, errors in enumerate(shape):
                pairs[start + place] = (20, errors)
        return dispersion(stream_of(pairs))

    assert with_clumps(20, 20, 10) > 1.8 * directly([(20, 20)] * 6 + [(20, 10)] * 3 + [(20, 0)] * 51)


def test_a_rate_that_is_steady_at_any_traffic_is_no_clump():
    assert dispersion(stream_of([(100 * size, 2 * size) for size in (1, 5, 2, 9, 3, 7, 4, 8, 6)])) == 1.0


@pytest.mark.parametrize("pairs", [[], [(100, 3)], [(100, 0)] * 20, [(0, 0)] * 20])
def test_of_nothing_no_clump_is_found(pairs):
    assert dispersion(stream_of(pairs)) == 1.0
