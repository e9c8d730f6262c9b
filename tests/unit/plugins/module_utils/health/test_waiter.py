# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wait for a healthy stretch of time: its rules by a clock of our own, then real servers."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import HealthCheckError, ProviderUnavailableError, ValidationError
from ansible_collections.fraisier.deploy.plugins.module_utils.health import probe, verify
from ansible_collections.fraisier.deploy.plugins.module_utils.services import ServiceManager, ServiceStatus


class Clock:
    """A clock that only sleeping moves. ``naps``: how long each sleep was."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    @property
    def elapsed(self) -> float:
        return self.now - 1000.0


class ScriptedService(ServiceManager):
    """A service whose status is told by a function of the seconds since the start."""

    NAME = "scripted"

    def __init__(self, clock: Clock, script: Callable[[float], dict]) -> None:
        super().__init__({"name": "shop"}, root="/srv/shop", environment={})
        self.clock = clock
        self.script = script

    def status(self) -> ServiceStatus:
        facts = {"active": True, **self.script(self.clock.elapsed)}
        if "error" in facts:
            raise ProviderUnavailableError(facts["error"])
        return ServiceStatus(self.NAME, self.name, facts.pop("active"), **facts)

    def log_tail(self, lines: int) -> str:
        return "Traceback: no such table"


def wait(script: Callable[[float], dict], *, checks=(), min_healthy=10.0, interval=1.0, deadline=60.0):
    """(report, clock) of a wait for a scripted service."""
    clock = Clock()
    report = verify(
        list(checks), min_healthy=min_healthy, interval=interval, deadline=deadline, service=ScriptedService(clock, script), clock=clock, sleep=clock.sleep
    )
    return report, clock


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


# --- crashes ---


def crash(script, **options):
    report, clock = wait(script, **options)
    assert report.crashed and not report.ok
    return report, clock


def test_a_growing_count_of_restarts_is_a_crash_at_once_though_it_is_active_at_every_look():
    report, clock = crash(lambda now: {"restarts": 4 + (now >= 3.0), "pid": None})
    assert clock.elapsed == pytest.approx(3.0)
    assert report.message.startswith("scripted shop crashes: it was restarted 1 times while it was watched")
    assert report.message.endswith("last lines of its log:\nTraceback: no such table")


def test_restarts_of_long_ago_are_no_crash():
    report, _clock = wait(lambda now: {"restarts": 17, "pid": 5})
    assert report.ok


def test_a_changed_main_process_is_a_crash_at_once():
    report, clock = crash(lambda now: {"pid": 100 if now < 5.0 else 200})
    assert clock.elapsed == pytest.approx(5.0)
    assert "its main process changed from 100 to 200" in report.message


def test_a_vanished_main_process_is_a_crash_at_once():
    report, _clock = crash(lambda now: {"pid": 100, "active": True} if now < 5.0 else {"pid": None, "active": False})
    assert "scripted shop died: its main process 100 is gone" in report.message


def test_a_unit_that_its_manager_has_given_up_is_a_crash_at_once():
    report, clock = crash(lambda now: {"active": False, "failed": True, "detail": {"result": "exit-code", "exit_status": 3}})
    assert clock.elapsed == 0.0
    assert "has failed (result exit-code, exit status 3)" in report.message


def test_a_main_process_that_appears_late_is_no_crash():
    report, _clock = wait(lambda now: {"pid": None if now < 2.0 else 100, "active": now >= 2.0})
    assert report.ok


def test_the_end_of_a_oneshot_is_no_crash():
    report, _clock = wait(lambda now: {"pid": 100 if now < 2.0 else None, "finite": True})
    assert report.ok


def test_a_crash_outweighs_checks_that_pass():
    report, _clock = crash(lambda now: {"restarts": int(now >= 2.0)}, checks=[{"exec": {"command": ["true"]}}])
    assert [(row.type, row.ok) for row in report.checks] == [("exec", True), ("scripted", False)]


def test_a_crash_during_a_long_pause_is_seen_within_a_second():
    _report, clock = crash(lambda now: {"pid": 1 if now < 12.2 else None, "active": False}, interval=30.0)
    assert clock.elapsed <= 13.2 + 1e-6


def test_a_manager_that_does_not_answer_for_a_moment_is_no_crash_but_no_health_either():
    report, clock = wait(lambda now: {"error": "dbus is busy"} if 3.0 <= now < 4.0 else {"pid": 7})
    assert report.ok
    assert clock.elapsed == pytest.approx(14.0)


def test_a_manager_that_never_answers_is_an_error_of_its_own():
    with pytest.raises(ProviderUnavailableError, match="no dbus"):
        wait(lambda now: {"error": "no dbus"})


def test_a_manager_that_does_not_know_leaves_the_word_to_the_checks():
    report, _clock = wait(lambda now: {"active": None}, checks=[{"exec": {"command": ["true"]}}], min_healthy=0.0)
    assert (report.status, len(report.checks)) == ("healthy", 1)


# --- lists and composites ---

TRUE, FALSE = {"exec": {"command": ["true"]}}, {"exec": {"command": ["false"]}}


@pytest.mark.parametrize(
    ("checks", "status"),
    [
        ([], "healthy"),
        ([TRUE], "healthy"),
        ([TRUE, FALSE], "unhealthy"),
        ([{"all": [TRUE, TRUE]}], "healthy"),
        ([{"all": [TRUE, FALSE]}], "unhealthy"),
        ([{"any": [TRUE, TRUE]}], "healthy"),
        ([{"any": [FALSE, TRUE]}], "degraded"),
        ([{"any": [FALSE, FALSE]}], "unhealthy"),
        ([{"quorum": {"count": 2, "of": [TRUE, TRUE, FALSE]}}], "degraded"),
        ([{"quorum": {"count": 2, "of": [TRUE, FALSE, FALSE]}}], "unhealthy"),
        ([{"quorum": {"count": 2, "of": [TRUE, TRUE, TRUE]}}], "healthy"),
        ([{"all": [TRUE, {"any": [TRUE, FALSE]}]}], "degraded"),
        ([{"any": [{"all": [TRUE, FALSE]}, TRUE]}, TRUE], "degraded"),
    ],
)
def test_one_word_says_how_all_checks_stand(checks, status):
    report = probe(checks)
    assert report.status == status
    assert report.ok is (status != "unhealthy")


def test_a_composite_stands_before_its_members_and_all_are_asked():
    rows = probe([{"any": [TRUE, {"quorum": {"count": 2, "of": [FALSE, TRUE]}}]}]).to_dict()["checks"]
    assert [(row["type"], row["ok"]) for row in rows] == [("any", True), ("exec", True), ("quorum", False), ("exec", False), ("exec", True)]
    assert rows[0]["target"] == "exec true, quorum 2 of exec false, exec true"
    assert rows[2]["message"] == "1 of 2 pass, wanted 2"
    assert set(rows[0]) == {"type", "target", "ok", "attempts", "duration", "message"}


def test_without_checks_and_service_the_answer_is_healthy_and_says_why():
    assert probe([]).to_dict() == {"status": "healthy", "message": "no checks", "checks": []}


def test_a_probe_without_checks_tells_how_the_service_is():
    clock = Clock()
    assert probe([], service=ScriptedService(clock, lambda now: {"pid": 7})).status == "healthy"
    assert probe([], service=ScriptedService(clock, lambda now: {"active": False})).message == "scripted shop is not active"


def test_an_unhealthy_report_becomes_an_error_that_names_what_fails():
    report = probe([TRUE, {"exec": {"command": ["sh", "-c", "echo no table; exit 1"]}}])
    error = report.to_error()
    assert isinstance(error, HealthCheckError)
    assert error.message == "exec sh -c 'echo no table; exit 1': return code 1, wanted 0: no table"
    assert [row["type"] for row in error.context["failing"]] == ["exec"]
    assert not error.infrastructure


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
