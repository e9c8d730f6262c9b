# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wait for a healthy stretch of time: its rules by a clock of our own, then real servers."""

from __future__ import annotations

import itertools
import threading
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.module_utils.health import verify
from tests.unit.plugins.module_utils.health.scripted import wait

# --- the stretch ---


def test_a_service_that_is_always_healthy_is_watched_for_exactly_the_stretch():
    report, clock = wait(lambda now: {})
    assert report.ok and report.status == "healthy"
    assert clock.elapsed == pytest.approx(10.0)
    assert report.duration == pytest.approx(10.0)
    assert report.checks[0].attempts == 11


def test_a_stretch_of_zero_needs_one_passing_look():
    report, clock = wait(lambda now: {}, min_healthy=0.0)
    assert report.ok
    assert (clock.elapsed, report.checks[0].attempts) == (0.0, 1)


def test_a_short_stretch_is_not_made_longer_by_a_long_interval():
    _report, clock = wait(lambda now: {}, min_healthy=2.5, interval=10.0)
    assert clock.elapsed == pytest.approx(2.5)


def test_the_stretch_begins_with_the_first_passing_look():
    report, clock = wait(lambda now: {"active": now >= 7.0})
    assert report.ok
    assert 17.0 <= clock.elapsed <= 17.0 + 5.0


def test_a_failing_look_starts_the_stretch_again():
    report, clock = wait(lambda now: {"active": not 8.0 <= now < 8.5})
    assert report.ok
    assert clock.elapsed == pytest.approx(19.0)


def test_a_service_seen_inactive_between_two_looks_starts_the_stretch_again():
    report, clock = wait(lambda now: {"active": not 5.5 <= now < 6.6}, min_healthy=4.0, interval=4.0)
    assert report.ok
    assert clock.elapsed >= 4.0
    late, clock = wait(lambda now: {"active": 1.5 <= now < 5.4 or now >= 6.6}, min_healthy=4.0, interval=2.5, deadline=20.0)
    assert late.ok
    assert clock.elapsed >= 10.6


def test_flapping_never_becomes_healthy():
    report, clock = wait(lambda now: {"active": now % 4 < 3})
    assert report.status == "unhealthy"
    assert clock.elapsed == pytest.approx(60.0)


# --- the deadline ---


def test_a_service_that_never_comes_up_fails_at_the_deadline_with_the_last_reason():
    report, clock = wait(lambda now: {"active": False, "detail": {"sub_state": "start-pre"}})
    assert report.message == "not healthy within 60 s: scripted shop is not active (sub_state=start-pre)"
    assert 59.9 <= clock.elapsed <= 60.0
    assert not report.crashed


def test_a_stretch_cut_short_by_the_deadline_says_how_far_it_came():
    report, clock = wait(lambda now: {"active": now >= 52.0})
    assert report.status == "unhealthy"
    assert report.message.startswith("healthy for 7.") or report.message.startswith("healthy for 4.") or report.message.startswith("healthy for 6.")
    assert "of 10 s in a row when the deadline of 60 s passed" in report.message
    assert clock.elapsed == pytest.approx(60.0)


def test_times_that_cannot_work_are_refused_before_any_look():
    with pytest.raises(ValidationError, match="cannot be reached within"):
        wait(lambda now: pytest.fail("looked"), min_healthy=60.0)


# --- pauses ---


def test_before_the_first_passing_look_pauses_start_short_and_grow_to_five_seconds():
    _report, clock = wait(lambda now: {"active": False}, deadline=60.0, interval=1.0)
    sums, total = [], 0.0
    for nap in clock.naps:
        total += nap
        if nap < 1.0 - 1e-9 or total == pytest.approx(5.0):
            sums.append(round(total, 3))
            total = 0.0
    assert sums[:4] == [0.25, 0.375, 0.562, 0.844]
    assert max(clock.naps) <= 1.0


def test_no_pause_between_two_looks_at_the_service_is_longer_than_a_second():
    _report, clock = wait(lambda now: {}, interval=4.0)
    assert max(clock.naps) <= 1.0


def test_a_service_that_was_healthy_once_is_looked_at_every_interval_again():
    seen = []

    def script(now):
        seen.append(now)
        return {"active": now < 3.0}

    wait(script, deadline=20.0, interval=0.5)
    late = [second - first for first, second in itertools.pairwise(seen) if first > 4.0]
    assert max(late) <= 0.5 + 1e-9


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.1, 9.0), max_size=8),
    st.floats(0.0, 8.0),
    st.floats(0.1, 3.0),
    st.floats(9.0, 40.0),
)
@example(spells=[6.0, 7.0], min_healthy=6.0, interval=1.5, deadline=13.625)  # inactive again in the last pause before the deadline
def test_whatever_happens_the_verdict_keeps_its_word(spells, min_healthy, interval, deadline):
    """Healthy means: held for the whole stretch just before; and no wait ends after its deadline."""
    looks = []

    def script(now):
        end, active = 0.0, False
        for spell in spells:
            end += spell
            if now < end:
                break
            active = not active
        looks.append((now, active))
        return {"active": active}

    report, clock = wait(script, min_healthy=min_healthy, interval=interval, deadline=deadline)
    assert clock.elapsed <= deadline + 1e-6
    if report.ok:
        stretch = [active for now, active in looks if now >= clock.elapsed - min_healthy + 1e-6]
        assert all(stretch) and looks[-1][1]
    else:
        assert clock.elapsed >= deadline - 0.1 - 1e-6


# --- real servers ---


def test_a_service_that_comes_up_late_becomes_healthy_soon_after(site):
    url = site.answer("/health", status=503)
    threading.Timer(0.6, lambda: site.answer("/health", status=200)).start()
    started = time.monotonic()
    report = verify([{"http": {"url": url}}], min_healthy=0.3, interval=0.1, deadline=10.0)
    assert report.ok
    assert 0.9 <= time.monotonic() - started < 3
    assert report.checks[0].attempts >= 4


def test_slow_checks_cannot_stretch_the_deadline(raw_server):
    port = raw_server(lambda connection: time.sleep(0.5))
    checks = [{"http": {"url": f"http://127.0.0.1:{port}/", "timeout": 30.0}} for _ in range(3)]
    started = time.monotonic()
    report = verify(checks, min_healthy=0.0, interval=0.1, deadline=0.8)
    assert report.status == "unhealthy"
    assert time.monotonic() - started < 1.6
    assert [row.message for row in report.checks][1:] == ["not run: the deadline has passed"] * 2 or not report.checks[0].ok
