# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a freeze window is open and when it ends, over nights, years and changes of the clocks; what is no window is refused by name."""

from __future__ import annotations

import os
import time
from datetime import UTC, date, datetime
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.freezes import Freeze, open_freezes, read_windows

WEEKEND = {"name": "weekend", "reason": "nobody is there", "cron": "0 17 * * 5", "hours": 63, "timezone": "Europe/Zurich"}
HOLIDAYS = {"name": "holidays", "reason": "year's end", "from": "2026-12-24T12:00", "to": "2027-01-04T08:00", "timezone": "Europe/Zurich"}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def opened(window: dict[str, Any], now: str) -> Freeze | None:
    """The window's freeze at a moment of UTC, or nothing."""
    found = open_freezes(read_windows("fraise_freezes", [window]), utc(now))
    return found[0] if found else None


def end(window: dict[str, Any], now: str) -> str | None:
    """When the window that is open at ``now`` ends, in UTC; nothing when it is not open."""
    found = opened(window, now)
    return None if found is None else found.until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize(
    ("now", "until"),
    [
        pytest.param("2026-11-27T15:59:59", None, id="a second before Friday 17:00"),
        pytest.param("2026-11-27T16:00:00", "2026-11-30T07:00", id="Friday 17:00 to the second"),
        pytest.param("2026-11-28T12:00:00", "2026-11-30T07:00", id="Saturday"),
        pytest.param("2026-11-30T06:59:59", "2026-11-30T07:00", id="the last second"),
        pytest.param("2026-11-30T07:00:00", None, id="Monday 08:00: the end does not belong to it"),
        pytest.param("2026-12-02T12:00:00", None, id="Wednesday"),
    ],
)
def test_a_weekend_begins_on_friday_and_ends_on_monday(now: str, until: str | None) -> None:
    assert end(WEEKEND, now) == until


@pytest.mark.parametrize(
    ("now", "until"),
    [
        pytest.param("2026-03-27T16:00:00", "2026-03-30T06:00", id="forward: begins 17:00 at +1, ends 08:00 at +2"),
        pytest.param("2026-03-30T05:59:59", "2026-03-30T06:00", id="forward: still open a second before"),
        pytest.param("2026-03-30T06:00:00", None, id="forward: over at 08:00 of the new time"),
        pytest.param("2026-10-23T15:00:00", "2026-10-26T07:00", id="back: begins 17:00 at +2, ends 08:00 at +1"),
        pytest.param("2026-10-26T06:59:59", "2026-10-26T07:00", id="back: still open a second before"),
        pytest.param("2026-10-26T07:00:00", None, id="back: over at 08:00 of the new time"),
    ],
)
def test_a_weekend_in_which_clocks_change_ends_at_eight_all_the_same(now: str, until: str | None) -> None:
    assert end(WEEKEND, now) == until


@pytest.mark.parametrize(
    ("now", "until"),
    [
        pytest.param("2026-10-25T00:29:59", None, id="02:29:59, the first time"),
        pytest.param("2026-10-25T00:30:00", "2026-10-25T02:30", id="02:30, the first time"),
        pytest.param("2026-10-25T01:10:00", "2026-10-25T02:30", id="02:10, the second time"),
        pytest.param("2026-10-25T01:40:00", "2026-10-25T02:30", id="02:40, the second time"),
        pytest.param("2026-10-25T02:30:00", None, id="03:30"),
    ],
)
def test_a_window_that_begins_in_the_doubled_hour_begins_at_its_first_time(now: str, until: str | None) -> None:
    night = {**WEEKEND, "cron": "30 2 * * *", "hours": 1}
    assert end(night, now) == until


def test_a_window_that_ends_in_the_doubled_hour_lasts_to_its_second_time() -> None:
    night = {**WEEKEND, "cron": "30 1 * * *", "hours": 1}
    assert end(night, "2026-10-24T23:30:00") == "2026-10-25T01:30"
    assert end(night, "2026-10-25T00:45:00") == "2026-10-25T01:30"
    assert end(night, "2026-10-25T01:30:00") is None


@pytest.mark.parametrize(
    ("now", "until"),
    [
        pytest.param("2026-03-29T00:29:59", None, id="01:29:59"),
        pytest.param("2026-03-29T00:30:00", "2026-03-29T01:30", id="01:30, which 02:30 would be on the clocks of the summer"),
        pytest.param("2026-03-29T01:29:59", "2026-03-29T01:30", id="03:29:59, after the jump"),
        pytest.param("2026-03-29T01:30:00", None, id="03:30, an hour after 02:30 on the clocks"),
        pytest.param("2026-03-30T00:30:00", "2026-03-30T01:30", id="the night after as ever"),
    ],
)
def test_a_window_that_begins_in_the_missing_hour_is_not_lost(now: str, until: str | None) -> None:
    night = {**WEEKEND, "cron": "30 2 * * *", "hours": 1}
    assert end(night, now) == until


def test_a_window_that_ends_in_the_missing_hour_ends_after_it() -> None:
    assert end({**WEEKEND, "cron": "30 1 * * *", "hours": 1}, "2026-03-29T00:30:00") == "2026-03-29T01:30"


@pytest.mark.parametrize(
    ("now", "until"), [("2026-06-01T20:30:00", "2026-06-02T04:00"), ("2026-06-02T03:59:00", "2026-06-02T04:00"), ("2026-06-02T04:00:00", None)]
)
def test_a_window_over_midnight(now: str, until: str | None) -> None:
    assert end({**WEEKEND, "cron": "0 22 * * *", "hours": 8}, now) == until


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-12-24T10:59:59", None),
        ("2026-12-24T11:00:00", "2027-01-04T07:00"),
        ("2026-12-31T23:30:00", "2027-01-04T07:00"),
        ("2027-01-01T00:00:00", "2027-01-04T07:00"),
        ("2027-01-04T07:00:00", None),
    ],
)
def test_a_dated_window_over_the_turn_of_the_year(now: str, until: str | None) -> None:
    assert end(HOLIDAYS, now) == until


def test_a_repeated_window_over_the_turn_of_the_year() -> None:
    yearly = {**WEEKEND, "cron": "0 18 31 dec *", "hours": 14}
    assert end(yearly, "2026-12-31T23:30:00") == "2027-01-01T07:00"
    assert end(yearly, "2027-01-01T07:00:00") is None


@pytest.mark.parametrize(
    ("begins", "ends", "since", "until"),
    [
        pytest.param("2026-07-01", "2026-07-02", "2026-06-30T22:00", "2026-07-01T22:00", id="days are read as their first moment"),
        pytest.param("2026-07-01T10:00:00+00:00", "2026-07-01T11:00:00Z", "2026-07-01T10:00", "2026-07-01T11:00", id="an offset counts before the zone"),
        pytest.param(date(2026, 7, 1), datetime(2026, 7, 2, 6, 0), "2026-06-30T22:00", "2026-07-02T04:00", id="what YAML has read as a date already"),
        pytest.param("2026-10-25T02:30", "2026-10-25T02:40", "2026-10-25T00:30", "2026-10-25T01:40", id="doubled hour: from the first to the second"),
    ],
)
def test_how_the_moments_of_a_dated_window_are_read(begins: object, ends: object, since: str, until: str) -> None:
    found = opened({**HOLIDAYS, "from": begins, "to": ends}, since)
    assert found is not None
    assert (found.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M"), found.until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")) == (since, until)


def test_repetitions_that_touch_end_with_the_last_of_them() -> None:
    workdays = {**WEEKEND, "cron": "0 0 * * mon-fri", "hours": 24}
    assert end(workdays, "2026-11-25T12:00:00") == "2026-11-27T23:00"


def test_a_window_that_never_closes_still_names_an_end() -> None:
    assert end({**WEEKEND, "cron": "0 * * * *", "hours": 2}, "2026-11-25T12:00:00") is not None


def test_the_line_for_people_names_window_reason_and_the_end_on_both_clocks() -> None:
    found = opened(WEEKEND, "2026-11-28T12:00:00")
    assert found is not None
    assert found.describe() == "weekend (nobody is there) until 2026-11-30 08:00 Europe/Zurich (2026-11-30 07:00 UTC)"


def test_of_several_open_windows_the_one_that_ends_last_comes_first() -> None:
    windows = read_windows(
        "fraise_freezes", [WEEKEND, {**HOLIDAYS, "from": "2026-11-28", "to": "2026-12-05"}, {**HOLIDAYS, "name": "past", "to": "2026-12-25"}]
    )
    assert [freeze.window.name for freeze in open_freezes(windows, utc("2026-11-28T12:00:00"))] == ["holidays", "weekend"]


def test_the_zone_of_this_machine_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = os.environ.get("TZ")
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert end(WEEKEND, "2026-03-30T05:59:59") == "2026-03-30T06:00"
    finally:
        if usual is None:
            monkeypatch.delenv("TZ")
        else:
            monkeypatch.setenv("TZ", usual)
        time.tzset()


@pytest.mark.parametrize("nothing", [None, "", []])
def test_no_windows_freeze_nothing(nothing: object) -> None:
    assert read_windows("fraise_freezes", nothing) == []


@pytest.mark.parametrize(
    ("value", "option", "says"),
    [
        ("weekend", "fraise_freezes", "is not a list of windows"),
        (WEEKEND, "fraise_freezes", "is not a list of windows"),
        (["weekend"], "fraise_freezes[0]", "is not a window"),
        ([WEEKEND, {**WEEKEND, "timezone": "Europe/Zuerich"}], "fraise_freezes[1].timezone", "is not a time zone"),
        ([{**WEEKEND, "timezone": "../etc/passwd"}], "fraise_freezes[0].timezone", "is not a time zone"),
        ([{**WEEKEND, "timezone": 1}], "fraise_freezes[0].timezone", "is not a time zone"),
        ([{key: WEEKEND[key] for key in WEEKEND if key != "timezone"}], "fraise_freezes[0].timezone", "is missing"),
        ([{key: WEEKEND[key] for key in WEEKEND if key != "hours"}], "fraise_freezes[0].hours", "is missing"),
        ([{key: HOLIDAYS[key] for key in HOLIDAYS if key != "to"}], "fraise_freezes[0].to", "is missing"),
        ([{**WEEKEND, "from": "2026-12-24"}], "fraise_freezes[0].from", "does not belong into this window"),
        ([{**WEEKEND, "color": "red"}], "fraise_freezes[0].color", "does not belong into this window"),
        ([{**WEEKEND, "name": " "}], "fraise_freezes[0].name", "is not a text"),
        ([{**WEEKEND, "reason": 7}], "fraise_freezes[0].reason", "is not a text"),
        *[
            ([{**WEEKEND, "cron": cron}], "fraise_freezes[0].cron", "is not a cron expression")
            for cron in ("", "0 17 * *", "0 0 17 * * 5", "61 * * * *", "@daily")
        ],
        *[
            ([{**WEEKEND, "cron": cron}], "fraise_freezes[0].cron", "is not a cron expression")
            for cron in ("r 17 * * 5", "h 17 * * 5", "0 0 30 2 *", "0 17 * * xyz")
        ],
        *[([{**WEEKEND, "hours": hours}], "fraise_freezes[0].hours", "is not a number of hours") for hours in (0, -1, "many", True, None, float("nan"), 1e9)],
        ([{**HOLIDAYS, "from": "Christmas"}], "fraise_freezes[0].from", "is not a moment"),
        ([{**HOLIDAYS, "to": "2026-12-24T12:00"}], "fraise_freezes[0].to", "does not lie after from"),
    ],
)
def test_what_is_no_window_is_refused_by_name(value: object, option: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_windows("fraise_freezes", value)
    assert caught.value.message.startswith(f"{option}:")
    assert says in caught.value.message
    assert caught.value.hint
    assert caught.value.context["option"] == option
