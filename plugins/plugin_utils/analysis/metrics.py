# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics of a canary as they are configured: options in, checked values out. Pure functions.

An entry of ``canary_metrics``:

    name: errors             unique
    judge: counts            counts | ranks | threshold
    source: {...}            where the numbers come from; not looked at here
    dry_run: false           judged and reported, never decides
    critical: true           its failure rolls back at once; else it only lowers the score
    weight: 1                its part of the score
    failure_limit: 0         failures in all that are allowed; one more rolls back
    error_limit: 4           looks in a row that may get no answer; one more pauses
    inconclusive_limit: 0    looks in a row that may have no data; one more pauses
    alpha: 0.01              counts, ranks: chance of a false alarm
    power: 0.9               counts: chance with which harm must be seen within the watch
    clump: 1                 counts: errors are known to come about so many at once
    expected: "0.1 %"        counts: error rate of a good release
    detect: "1 %"            counts: error rate that must not stay unseen
    minimal_effect: {ratio: 1.1, difference: 0}      counts, ranks: worse than ratio * baseline + difference is harm
    tolerance: {ratio: 1, difference: "0.9 %"}       counts, ranks: better than this is safe; default for counts: detect - expected, for ranks: ratio 1.25
    ceiling, floor           threshold
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.counts import Design, Margin
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.latencies import Shift
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.thresholds import Limits
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.wording import percent

JUDGES = ("counts", "ranks", "threshold")
COMMON = ("name", "judge", "source", "dry_run", "critical", "weight", "failure_limit", "error_limit", "inconclusive_limit")
OWN = {
    "counts": ("alpha", "power", "clump", "expected", "detect", "minimal_effect", "tolerance"),
    "ranks": ("alpha", "minimal_effect", "tolerance"),
    "threshold": ("ceiling", "floor"),
}
PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
LIST = "canary_metrics"


@dataclass(frozen=True)
class Metric:
    """One metric: how it is judged, and what its verdicts are worth."""

    name: str
    judge: Design | Shift | Limits
    source: Mapping[str, Any] = field(default_factory=dict)
    dry_run: bool = False
    critical: bool = True
    weight: float = 1.0
    failure_limit: int = 0
    error_limit: int = 4
    inconclusive_limit: int = 0
    power: float = 0.9


@dataclass(frozen=True)
class Bands:
    """Scores of 0 to 100: from ``passing`` on the canary passes, from ``marginal`` on a person decides, below it is rolled back."""

    passing: float = 95.0
    marginal: float = 75.0


def refuse(option: str, value: object, why: str, remedy: str) -> ValidationError:
    """The error that names an option, its value and the remedy."""
    return ValidationError(f"{option}: {value!r} {why}", hint=remedy, context={"option": option, "value": str(value)})


def _number(option: str, value: object, low: float, high: float) -> float:
    """A number from ``low`` to ``high``, or its text, as templates leave it."""
    number = math.nan
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
    if not low <= number <= high or math.isinf(number):
        to = f" to {high:g}" if high < math.inf else " on"
        raise refuse(option, value, "is not a number that fits", f"Give a number from {low:g}{to}" if low > -math.inf else "Give a plain number")
    return number


def _whole(option: str, value: object) -> int:
    number = _number(option, value, 0, 10_000)
    if number != int(number):
        raise refuse(option, value, "is not a whole number", "Give a whole number of looks, 0 or more")
    return int(number)


def _switch(option: str, value: object) -> bool:
    words = {"true": True, "yes": True, "false": False, "no": False}
    if str(value).lower() not in words:
        raise refuse(option, value, "is neither true nor false", "Give true or false")
    return words[str(value).lower()]


def share(option: str, value: object, *, least: float = 0.0) -> float:
    """A share from ``least`` to 1, given as a percent, or as a number below 1: a plain 1 could mean either."""
    match = PERCENT.fullmatch(str(value).strip())
    try:
        number = float(match.group(1)) / 100.0 if match else _number(option, value, least, math.nextafter(1.0, 0.0))
    except ValidationError:
        number = math.nan
    if not least <= number <= 1.0:
        raise refuse(option, value, "is not a share of requests", f'Give a percent from {percent(least)} to 100 %, such as "0.5 %", or a number such as 0.005')
    return number


def _known(option: str, given: Mapping[str, Any], allowed: Sequence[str]) -> None:
    for key in given:
        if key not in allowed:
            near = difflib.get_close_matches(str(key), allowed, 1)
            remedy = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(allowed)}"
            raise refuse(f"{option}.{key}", given[key], "belongs to no option that is known here", remedy)


def _margin(option: str, value: object, default: Margin, *, shares: bool) -> Margin:
    if value is None:
        return default
    if not isinstance(value, Mapping):
        raise refuse(option, value, "is no mapping", "Give ratio, difference or both, e.g. {ratio: 1.2, difference: 0}")
    _known(option, value, ("ratio", "difference"))
    ratio = _number(f"{option}.ratio", value.get("ratio", 1.0), 1.0, 1000.0)
    difference = value.get("difference", 0.0)
    if shares:
        return Margin(ratio, share(f"{option}.difference", difference))
    return Margin(ratio, _number(f"{option}.difference", difference, 0.0, math.inf))


def _design(option: str, given: Mapping[str, Any]) -> Design:
    expected = share(f"{option}.expected", given.get("expected", Design.expected), least=1e-7)
    detect = share(f"{option}.detect", given.get("detect", max(Design.detect, min(1.0, 2.0 * expected))), least=1e-7)
    if detect <= expected:
        why = f"is not above the expected rate {percent(expected)}"
        raise refuse(f"{option}.detect", given.get("detect"), why, "Give the error rate that must not stay unseen")
    minimal = _margin(f"{option}.minimal_effect", given.get("minimal_effect"), Design.minimal, shares=True)
    if minimal.of(expected) >= detect:
        why = f"allows up to {percent(minimal.of(expected))}, and {percent(detect)} must not stay unseen"
        raise refuse(f"{option}.minimal_effect", given.get("minimal_effect"), why, "Lower it, or raise detect")
    tolerated = _margin(f"{option}.tolerance", given.get("tolerance"), Margin(1.0, round(detect - expected, 12)), shares=True)
    if tolerated.of(expected) <= expected:
        raise refuse(f"{option}.tolerance", given.get("tolerance"), "tolerates nothing, so no release could ever be cleared", 'Give e.g. {difference: "0.5 %"}')
    if tolerated.of(expected) > detect * (1.0 + 1e-9):
        why = f"tolerates up to {percent(tolerated.of(expected))}, and {percent(detect)} must not stay unseen"
        raise refuse(f"{option}.tolerance", given.get("tolerance"), why, "Lower it, or raise detect")
    clump = _number(f"{option}.clump", given.get("clump", Design.clump), 1.0, 1_000_000.0)
    return Design(expected, detect, minimal, tolerated, _alpha(option, given), clump)


def _alpha(option: str, given: Mapping[str, Any]) -> float:
    return _number(f"{option}.alpha", given.get("alpha", 0.01), 1e-6, 0.2)


def _shift(option: str, given: Mapping[str, Any]) -> Shift:
    minimal = _margin(f"{option}.minimal_effect", given.get("minimal_effect"), Shift.minimal, shares=False)
    tolerated = _margin(f"{option}.tolerance", given.get("tolerance"), Shift.tolerated, shares=False)
    if tolerated.ratio <= 1.0 and tolerated.difference <= 0.0:
        raise refuse(f"{option}.tolerance", given.get("tolerance"), "tolerates nothing, so no release could ever be cleared", "Give e.g. {ratio: 1.25}")
    return Shift(minimal, tolerated, _alpha(option, given))


def _limits(option: str, given: Mapping[str, Any]) -> Limits:
    values = {key: _number(f"{option}.{key}", given[key], -math.inf, math.inf) for key in OWN["threshold"] if given.get(key) is not None}
    try:
        return Limits(**values)
    except ValidationError as error:
        raise ValidationError(f"{option}: {error.message}", hint=error.hint, context={"option": option, **error.context}) from error


_JUDGES: dict[str, Callable[[str, Mapping[str, Any]], Design | Shift | Limits]] = {"counts": _design, "ranks": _shift, "threshold": _limits}


def metric_from(given: Mapping[str, Any], option: str = f"{LIST}[0]") -> Metric:
    """The metric of one entry. Raises ValidationError that names the option, its value and the remedy."""
    if not isinstance(given, Mapping):
        raise refuse(option, given, "is no mapping", "Give at least name and judge, e.g. {name: errors, judge: counts}")
    judge = given.get("judge", "counts")
    if judge not in JUDGES:
        raise refuse(f"{option}.judge", judge, "is no judge", f"Use one of {', '.join(JUDGES)}")
    _known(option, given, (*COMMON, *OWN[judge]))
    name = given.get("name")
    if not isinstance(name, str) or not name.strip():
        raise refuse(f"{option}.name", name, "is no name", "Give each metric a name of its own, e.g. errors")
    source = given.get("source", {})
    if not isinstance(source, Mapping):
        raise refuse(f"{option}.source", source, "is no mapping", "Say where the numbers come from")
    weight = _number(f"{option}.weight", given.get("weight", 1.0), 0.0, 1_000_000.0)
    if weight == 0.0:
        raise refuse(f"{option}.weight", weight, "would count for nothing", "Give a weight above 0, or dry_run: true")
    return Metric(
        name=name,
        judge=_JUDGES[judge](option, given),
        source=dict(source),
        dry_run=_switch(f"{option}.dry_run", given.get("dry_run", False)),
        critical=_switch(f"{option}.critical", given.get("critical", True)),
        weight=weight,
        failure_limit=_whole(f"{option}.failure_limit", given.get("failure_limit", Metric.failure_limit)),
        error_limit=_whole(f"{option}.error_limit", given.get("error_limit", Metric.error_limit)),
        inconclusive_limit=_whole(f"{option}.inconclusive_limit", given.get("inconclusive_limit", Metric.inconclusive_limit)),
        power=_number(f"{option}.power", given.get("power", Metric.power), 0.5, 0.999),
    )


def metrics_from(entries: object) -> list[Metric]:
    """The metrics of a whole list. At least one must decide, and no name comes twice."""
    if isinstance(entries, (str, Mapping)) or not isinstance(entries, Sequence):
        raise refuse(LIST, entries, "is no list", "Give a list of metrics, e.g. [{name: errors, judge: counts}]")
    metrics = [metric_from(entry, f"{LIST}[{place}]") for place, entry in enumerate(entries)]
    names = [metric.name for metric in metrics]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise refuse(f"{LIST}[{place}].name", name, "was given before", "Give each metric a name of its own")
    if all(metric.dry_run for metric in metrics):
        raise refuse(LIST, names, "holds no metric that decides, so the analysis could never end", "Take dry_run from at least one metric")
    return metrics


def bands_from(given: Mapping[str, Any]) -> Bands:
    """The bands of ``canary_scores``: {pass: 95, marginal: 75}."""
    option = "canary_scores"
    if not isinstance(given, Mapping):
        raise refuse(option, given, "is no mapping", "Give e.g. {pass: 95, marginal: 75}")
    _known(option, given, ("pass", "marginal"))
    passing = _number(f"{option}.pass", given.get("pass", Bands.passing), 0.0, 100.0)
    marginal = _number(f"{option}.marginal", given.get("marginal", min(Bands.marginal, passing)), 0.0, 100.0)
    if marginal > passing:
        raise refuse(f"{option}.marginal", marginal, f"lies above pass ({passing:g})", "Give a marginal score of at most pass")
    return Bands(passing, marginal)
