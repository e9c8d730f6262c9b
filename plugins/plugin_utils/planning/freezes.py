# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Freeze windows: spans of time, dated or repeated like cron, in which nothing is deployed. Pure: the clock is an argument."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError

Choose = Callable[[Iterable[datetime]], datetime]
DATED = {"name", "reason", "timezone", "from", "to"}
REPEATED = {"name", "reason", "timezone", "cron", "hours"}
MOST_HOURS = 8784.0
LONGEST_CHAIN = 400
"""Repetitions that are joined when each begins before the one before it has ended; beyond that the end that was reached is told."""
CLOCK_CHANGE = timedelta(hours=3)
"""More than any clock is ever set forward or back."""
_FIELD = re.compile(r"[0-9*,/#L-]+|(?:[a-z]{3}[,-]?)+", re.IGNORECASE)


@dataclass(frozen=True)
class Window:
    """One entry of ``option``: dated (``begins``, ``ends``) or repeated (``cron``, ``hours``), with moments on the clocks of ``zone``."""

    option: str
    name: str
    reason: str
    zone: ZoneInfo
    begins: datetime | None = None
    ends: datetime | None = None
    cron: str = ""
    hours: float = 0.0


@dataclass(frozen=True)
class Freeze:
    """A window that is open: since when and until when, aware, in the window's zone."""

    window: Window
    since: datetime
    until: datetime

    def describe(self) -> str:
        """One line: the window, its reason, its end on its own clocks and in UTC."""
        own = f"{self.until.replace(tzinfo=None):%Y-%m-%d %H:%M} {self.window.zone.key}"
        return f"{self.window.name} ({self.window.reason}) until {own} ({self.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC)"


def read_windows(option: str, value: object) -> list[Window]:
    """The windows of a variable; ConfigurationError names the option and the entry that cannot work."""
    if value in (None, ""):
        return []
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        raise _wrong(option, value, "is not a list of windows", "Write a list; each entry has name, reason, timezone, and from and to, or cron and hours")
    return [_read(f"{option}[{position}]", entry) for position, entry in enumerate(value)]


def open_freezes(windows: Sequence[Window], now: datetime) -> list[Freeze]:
    """Those that are open at ``now`` (aware), the one that ends last first."""
    found = [freeze for window in windows if (freeze := _open(window, now)) is not None]
    return sorted(found, key=lambda freeze: freeze.until, reverse=True)


def _read(option: str, entry: object) -> Window:
    if not isinstance(entry, Mapping):
        raise _wrong(option, entry, "is not a window", "Give name, reason, timezone, and from and to, or cron and hours")
    given = {str(key) for key in entry}
    wanted = REPEATED if given & {"cron", "hours"} else DATED
    if given - wanted:
        strange = sorted(given - wanted)[0]
        hint = "A window is dated (from, to) or repeated (cron, hours), not both" if strange in DATED | REPEATED else f"It knows: {', '.join(sorted(wanted))}"
        raise _wrong(f"{option}.{strange}", entry[strange], "does not belong into this window", hint)
    for key in sorted(wanted - given):
        raise _wrong(f"{option}.{key}", None, "is missing", f"Such a window needs {', '.join(sorted(wanted))}")
    for key in ("name", "reason"):
        if not isinstance(entry[key], str) or not entry[key].strip():
            raise _wrong(f"{option}.{key}", entry[key], "is not a text", "Say it in a few words: whoever is refused reads it")
    window = Window(option, " ".join(entry["name"].split()), " ".join(entry["reason"].split()), _zone(f"{option}.timezone", entry["timezone"]))
    if wanted is REPEATED:
        return replace(window, cron=_cron(f"{option}.cron", entry["cron"]), hours=_hours(f"{option}.hours", entry["hours"]))
    begins, ends = _moment(f"{option}.from", entry["from"], window.zone, min), _moment(f"{option}.to", entry["to"], window.zone, max)
    if ends.astimezone(UTC) <= begins.astimezone(UTC):
        raise _wrong(f"{option}.to", entry["to"], f"does not lie after from ({entry['from']})", "Give the moment when the window has ended")
    return replace(window, begins=begins, ends=ends)


def _zone(option: str, value: object) -> ZoneInfo:
    try:
        # A path or an odd name makes zoneinfo raise ValueError, a folder an OSError, an unknown name its own KeyError.
        return ZoneInfo(str(value)) if isinstance(value, str) and value else _no_zone(option, value)
    except (KeyError, ValueError, OSError):
        return _no_zone(option, value)


def _no_zone(option: str, value: object) -> ZoneInfo:
    raise _wrong(option, value, "is not a time zone", "Give a name of the IANA time zone database, such as Europe/Zurich or UTC")


def _moment(option: str, value: object, zone: ZoneInfo, choose: Choose) -> datetime:
    """An ISO 8601 moment; without an offset it is read on the zone's clocks."""
    try:
        if isinstance(value, datetime):
            found = value
        elif isinstance(value, date):
            found = datetime(value.year, value.month, value.day)
        else:
            found = datetime.fromisoformat(str(value))
        return _aware(found, zone, choose) if found.tzinfo is None else found.astimezone(zone)
    except (ValueError, OverflowError):
        raise _wrong(option, value, "is not a moment", "Write it as ISO 8601, such as 2026-12-24T12:00") from None


def _cron(option: str, value: object) -> str:
    from croniter import croniter

    text = " ".join(str(value).split())
    fields = text.split(" ")
    hint = 'Five fields: minute, hour, day of the month, month, day of the week, such as "0 17 * * 5"'
    # The library knows more (seconds, names for whole expressions, random moments), none of which is a window that people can foresee.
    if len(fields) != 5 or not all(_FIELD.fullmatch(field) for field in fields):
        raise _wrong(option, value, "is not a cron expression", hint)
    try:
        croniter(text, datetime(2000, 1, 1)).get_next(datetime)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _wrong(option, value, f"is not a cron expression ({error})", hint) from None
    return text


def _hours(option: str, value: object) -> float:
    try:
        hours = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else 0.0
    except ValueError:
        hours = 0.0
    if not 1 / 60 <= hours <= MOST_HOURS:
        raise _wrong(option, value, "is not a number of hours", f"Give how long the window lasts, at least a minute and at most {MOST_HOURS:g} hours")
    return hours


def _wrong(option: str, value: object, what: str, hint: str) -> ConfigurationError:
    shown = "" if value is None else f" {str(value)[:80]!r}"
    return ConfigurationError(f"{option}:{shown} {what}", hint=hint, context={"option": option, "value": None if value is None else str(value)[:80]})


def _open(window: Window, now: datetime) -> Freeze | None:
    if window.begins is not None and window.ends is not None:
        inside = window.begins.astimezone(UTC) <= now.astimezone(UTC) < window.ends.astimezone(UTC)
        return Freeze(window, window.begins, window.ends) if inside else None
    start = _latest_start(window, now)
    if start is None:
        return None
    until = _end(window, start)
    return Freeze(window, _aware(start, window.zone, min), until) if now.astimezone(UTC) < until.astimezone(UTC) else None


def _latest_start(window: Window, now: datetime) -> datetime | None:
    """The last time, on the zone's clocks, at which the window began; None when it never did.

    Cron speaks of what clocks show, so it is asked in bare wall time; what is past is decided in UTC, where no hour is doubled or missing.
    """
    wall = now.astimezone(window.zone).replace(tzinfo=None)
    for start in _starts(window.cron, wall + CLOCK_CHANGE, forward=False):
        if _aware(start, window.zone, min).astimezone(UTC) <= now.astimezone(UTC):
            return start
    return None


def _starts(cron: str, wall: datetime, *, forward: bool) -> Iterator[datetime]:
    """Starts after or before ``wall`` (naive), in that direction."""
    from croniter import croniter

    found = croniter(cron, wall)
    while True:
        try:
            start: datetime = found.get_next(datetime) if forward else found.get_prev(datetime)
        except ValueError:  # none within the years that the library looks at
            return
        yield start


def _end(window: Window, start: datetime) -> datetime:
    """When the window closes. ``hours`` are counted on the clocks: Friday 17:00 and 63 hours are Monday 08:00, also when clocks change between."""
    length = timedelta(hours=window.hours)
    end = start + length
    for joined, following in enumerate(_starts(window.cron, start, forward=True)):
        if following > end or joined >= LONGEST_CHAIN:
            break
        end = following + length
    return _aware(end, window.zone, max)


def _aware(wall: datetime, zone: ZoneInfo, choose: Choose) -> datetime:
    """What the zone's clocks show as a moment. Of an hour that they show twice or never, a begin takes the earlier reading and an end the later one."""
    return choose(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)).astimezone(zone)
