# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as a crash of the service that is watched, by a clock of our own."""

from __future__ import annotations

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ProviderUnavailableError
from tests.unit.plugins.module_utils.health.scripted import wait


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
