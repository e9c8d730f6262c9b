# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a canary as they are configured: a list in, batches and what comes after each of them out. Pure functions.

An entry of ``canary_steps`` is one of:

    {hosts: 1}                       so many hosts, or "10%" of them, have the new release from here on
    {weight: "5%"}                   the hosts that have it get this share of all traffic together, until the next weight or the next hosts
    {pause: 600}                     so many seconds
    {pause: {until: approved, expires: 3600, then: abort}}   until a person promotes; after ``expires`` seconds: abort, or resume
    {analysis: {seconds: 600, interval: 60}}                 the metrics of ``canary_metrics`` decide, looked at every ``interval`` seconds
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.batches import PERCENT, parse_share
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.waits import DAY_SECONDS

OPTION = "canary_steps"
KINDS = ("hosts", "weight", "pause", "analysis")
AFTER_A_PAUSE = ("abort", "resume")
LONGEST_SECONDS = 30 * DAY_SECONDS
DEFAULT_STEPS: tuple[dict[str, Any], ...] = ({"hosts": "5%"}, {"pause": 600}, {"hosts": "10%"}, {"hosts": "25%"}, {"hosts": "50%"}, {"hosts": "100%"})
INTERVAL_SECONDS = 60.0
FULL = 100.0


@dataclass(frozen=True)
class Step:
    """What comes after a batch: ``weight``, ``pause`` or ``analysis`` for ``seconds``.

    ``weight``: percent of all traffic for all hosts that have the release; ``host_weight``: what each of them gets, in percent of its full weight.
    ``approval``: a pause that a person ends; ``then``: what follows when nobody did. ``interval``: seconds between two looks of an analysis.
    """

    kind: str
    seconds: float = 0.0
    weight: float = FULL
    host_weight: int = 100
    interval: float = 0.0
    approval: bool = False
    then: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For a plan."""
        return dict(vars(self))


@dataclass(frozen=True)
class Canary:
    """``batches``: how many hosts more each hosts step brings; ``after``: the steps that follow each of them."""

    batches: list[int]
    after: list[list[Step]] = field(default_factory=list)


def refuse(position: int, value: object, why: str, remedy: str) -> ValidationError:
    """The error that names the entry, its value and the remedy."""
    option = f"{OPTION}[{position}]"
    return ValidationError(f"{option}: {value!r} {why}", hint=remedy, context={"option": option, "value": str(value)})


def read_canary(steps: object, hosts: int, *, weights: bool = True, first: bool = False) -> Canary:
    """``steps`` for a fleet of ``hosts``. ``weights``: whether the traffic's driver has any. ``first``: nothing serves yet, so nothing
    can be compared and no step is waited for; the batches stay, for a balancer may not take all hosts at once.

    Raises ValidationError for what is no step, goes backwards, or cannot be done here. A list that ends below all hosts goes on to all of them.
    """
    entries = _entries(steps)
    batches: list[int] = []
    after: list[list[Step]] = []
    reached = 0
    for position, entry in enumerate(entries):
        kind, value = _kind(position, entry)
        if kind == "hosts":
            number = _hosts(position, value, hosts)
            if number < reached:
                raise refuse(position, value, f"goes back: {reached} of {hosts} hosts have the release by then", "Name hosts in growing order")
            if number > reached:
                batches.append(number - reached)
                after.append([])
                reached = number
            continue
        if not batches:
            raise refuse(position, entry, "comes before any host has the release", 'Begin with hosts, such as {hosts: 1} or {hosts: "5%"}')
        after[-1].append(_step(position, kind, value, (reached, hosts), weights=weights))
    if reached < hosts:
        batches.append(hosts - reached)
        after.append([])
    _only_forward(entries, after)
    return Canary(batches, [[] for _batch in batches] if first else after)


def _entries(steps: object) -> list[Any]:
    if isinstance(steps, (str, bytes)) or not isinstance(steps, Sequence) or not steps:
        hint = f'Give a list of steps, such as {OPTION}: [{{hosts: "10%"}}, {{pause: 600}}, {{hosts: "100%"}}]'
        raise ValidationError(f"{OPTION}: {steps!r} is no list of steps", hint=hint, context={"option": OPTION, "value": str(steps)})
    return list(steps)


def _kind(position: int, entry: object) -> tuple[str, Any]:
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise refuse(position, entry, "is not one step", f"Give each step as one key and its value; keys: {', '.join(KINDS)}")
    kind, value = next(iter(entry.items()))
    if kind not in KINDS:
        near = difflib.get_close_matches(str(kind), KINDS, n=1)
        raise refuse(position, entry, "is no step", f"Did you mean {near[0]}?" if near else f"One of: {', '.join(KINDS)}")
    return str(kind), value


def _hosts(position: int, value: object, hosts: int) -> int:
    """How many hosts in all, at least 1; percents are rounded up, so that 5 % of ten is a host, too."""
    number, percent = parse_share(f"{OPTION}[{position}]", value, least=1)
    if percent:
        return max(1, min(hosts, math.ceil(hosts * number / 100)))
    if number > hosts:
        raise refuse(position, value, f"is more than there are: {hosts} hosts", 'Give at most so many, or a percent such as "100%"')
    return int(number)


def host_weight(share: float, reached: int, hosts: int) -> float:
    """The percent of its full weight at which each of ``reached`` hosts of ``hosts`` equal ones gets its part of ``share`` percent of all traffic."""
    return FULL * share * (hosts - reached) / (reached * (FULL - share))


def _step(position: int, kind: str, value: Any, sizes: tuple[int, int], *, weights: bool) -> Step:
    if kind == "weight":
        if not weights:
            remedy = "Use traffic_driver haproxy or nginx, a hook with traffic_hook_weights: true, or hosts steps instead"
            raise refuse(position, value, "cannot be: the driver of the traffic has no weights", remedy)
        return _weight_step(position, value, *sizes)
    if kind == "pause":
        return _pause(position, value)
    given = value if isinstance(value, Mapping) else {"seconds": value}
    _known(position, given, ("seconds", "interval"))
    seconds = _seconds(position, given.get("seconds"))
    interval = _seconds(position, given.get("interval", INTERVAL_SECONDS))
    if not 0 < interval <= seconds:
        raise refuse(position, value, "never looks", "Give an interval of more than 0 seconds, and at most the seconds of the analysis")
    return Step("analysis", seconds=seconds, interval=interval)


def _weight(position: int, value: object) -> float:
    match = PERCENT.fullmatch(str(value).strip())
    percent = float(match.group(1)) if match else math.nan
    if not 0 < percent < FULL:
        raise refuse(position, value, "is not a share of the traffic", 'Give a percent, more than "0%" and less than "100%"')
    return percent


def _weight_step(position: int, value: object, reached: int, hosts: int) -> Step:
    share = _weight(position, value)
    if reached == hosts:
        raise refuse(position, value, f"has no meaning: all {hosts} hosts have the release by then", "Name weights before the last hosts step")
    each = host_weight(share, reached, hosts)
    if each > FULL + 1e-9:
        most = FULL * reached / hosts
        raise refuse(position, value, f"is more than {reached} of {hosts} hosts get at their full weight, {most:.3g} %", "Name more hosts before it")
    if each < 1:
        least = FULL * reached / (reached + FULL * (hosts - reached))
        raise refuse(position, value, f"is less than {reached} of {hosts} hosts can get, {least:.2g} %", "Name a larger share, or fewer hosts before it")
    return Step("weight", weight=share, host_weight=round(each))


def _pause(position: int, value: Any) -> Step:
    if not isinstance(value, Mapping):
        return Step("pause", seconds=_seconds(position, value))
    _known(position, value, ("until", "expires", "then"))
    if value.get("until") != "approved":
        raise refuse(position, value, "has no end", "Give seconds, or until: approved with expires: seconds")
    then = str(value.get("then", "abort"))
    if then not in AFTER_A_PAUSE:
        raise refuse(position, value, f"has no then: {then}", f"One of: {', '.join(AFTER_A_PAUSE)}")
    return Step("pause", seconds=_seconds(position, value.get("expires", DAY_SECONDS)), approval=True, then=then)


def _seconds(position: int, value: object) -> float:
    try:
        seconds = math.nan if isinstance(value, bool) else float(str(value))
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= LONGEST_SECONDS:
        raise refuse(position, value, "is not a time", f"Give seconds, 0 to {LONGEST_SECONDS:g}")
    return seconds


def _known(position: int, given: Mapping[Any, Any], keys: Sequence[str]) -> None:
    for key in given:
        if key not in keys:
            near = difflib.get_close_matches(str(key), keys, n=1)
            raise refuse(position, dict(given), f"has no {key}", f"Did you mean {near[0]}?" if near else f"Keys: {', '.join(keys)}")


def _only_forward(entries: Sequence[Any], after: Sequence[Sequence[Step]]) -> None:
    """Weights of the same hosts grow; more hosts may begin with a smaller one again."""
    for steps in after:
        weights = [step.weight for step in steps if step.kind == "weight"]
        for before, now in pairwise(weights):
            if now < before:
                position = max(place for place, entry in enumerate(entries) if "weight" in entry and _weight(place, entry["weight"]) == now)
                raise refuse(position, f"{now:g}%", f"goes back: the hosts have {before:g} % by then", "Name weights of the same hosts in growing order")
