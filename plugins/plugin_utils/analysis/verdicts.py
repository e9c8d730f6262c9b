# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts: what each look at each metric means, and what all metrics together do. Pure functions on states that are plain JSON.

A look brings an observation: numbers, no data, or no answer. Harm is shown: a failure, and more failures than ``failure_limit`` roll back. No data, NaN, or
more looks without an answer than ``error_limit``: inconclusive, which pauses until a person decides; an answer that does not come says nothing about the
release, so it never rolls back. Safety is shown: promote, and that stays unless harm is shown later. The watch ends without any of these: inconclusive.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis import counts, latencies
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.metrics import Bands, Metric
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.thresholds import Limits, broken
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.wording import factor, percent, points

PROMOTE, ROLL_BACK, NOT_YET, INCONCLUSIVE = "promote", "roll back", "not yet", "inconclusive"
DEFAULT_BANDS = Bands()
IDLE_LIMIT = 5
"""Looks in a row in which a side may get no request; one more pauses."""


@dataclass(frozen=True)
class Counted:
    """(requests, errors) of each side since the look before."""

    canary: tuple[float, float]
    baseline: tuple[float, float]


@dataclass(frozen=True)
class Sampled:
    """The values of each side since the look before."""

    canary: Sequence[float]
    baseline: Sequence[float]


@dataclass(frozen=True)
class Measured:
    """One number for a hard limit."""

    value: float


@dataclass(frozen=True)
class NoData:
    """The source answered, and had nothing."""

    why: str = "the source has no data"


@dataclass(frozen=True)
class NoAnswer:
    """The source did not answer, or with an error."""

    why: str


Observation = Counted | Sampled | Measured | NoData | NoAnswer


@dataclass(frozen=True)
class Watch:
    """What is remembered of one metric between looks; ``verdict`` and ``line`` are of the newest."""

    state: Mapping[str, Any] = field(default_factory=dict)
    looks: int = 0
    failures: int = 0
    errors_in_row: int = 0
    inconclusive_in_row: int = 0
    idle_in_row: int = 0
    cleared: bool = False
    """Safety was shown at this look or before."""
    failed: bool = False
    """More failures than are allowed: this is final, later looks change nothing."""
    verdict: str = NOT_YET
    line: str = "not looked at yet"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``watch_from`` reads them."""
        return {name: dict(value) if name == "state" else value for name, value in vars(self).items()}


def watch_from(stored: Mapping[str, Any]) -> Watch:
    """The watch that ``to_dict`` wrote."""
    return Watch(**stored)


def resumed(watch: Watch) -> Watch:
    """``watch`` after a person let the canary go on: what is counted in a row begins anew, evidence and failures stay."""
    if watch.failed:
        return watch
    return replace(watch, errors_in_row=0, inconclusive_in_row=0, idle_in_row=0, verdict=NOT_YET, line="goes on after a pause")


def learn(watch: Watch, requests: float, errors: float) -> Watch:
    """``watch`` of a metric of counts, with an interval of the baseline from before the deployment."""
    state = counts.counts_from(watch.state) if watch.state else counts.Counts()
    return replace(watch, state=counts.learn(state, requests, errors).to_dict())


def _all_numbers(seen: Counted | Sampled | Measured) -> bool:
    values: tuple[object, ...] = (seen.value,) if isinstance(seen, Measured) else (*seen.canary, *seen.baseline)
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) for value in values)


def look(metric: Metric, watch: Watch, seen: Observation, *, last: bool = False) -> Watch:
    """``watch`` after one look more; ``last``: the watch ends with it."""
    watch = replace(watch, looks=watch.looks + 1)
    if watch.failed:
        return watch
    if not isinstance(seen, (NoData, NoAnswer)) and not _all_numbers(seen):
        seen = NoData("the source answered what is no finite number")
    if isinstance(seen, NoAnswer):
        return _unanswered(metric, watch, seen.why, last)
    if isinstance(seen, NoData):
        return _without_data(metric, watch, seen.why, last)
    try:
        judged = _judged(metric, watch, seen)
    except ValidationError as error:
        return _unanswered(metric, watch, error.message, last)
    judged = replace(judged, errors_in_row=0, inconclusive_in_row=0)
    return _ended(metric, judged) if last and judged.verdict == NOT_YET else judged


def _in_row(metric: Metric, watch: Watch, number: int, limit: int, what: str, last: bool) -> Watch:
    over = number > limit
    line = f"{metric.name}: {what}, {number} in a row, {limit} allowed"
    if over or last:
        return replace(watch, verdict=INCONCLUSIVE, line=f"{line}: pause" if over else f"{line}, and the watch is over: pause")
    return replace(watch, verdict=NOT_YET, line=line)


def _unanswered(metric: Metric, watch: Watch, why: str, last: bool) -> Watch:
    watch = replace(watch, errors_in_row=watch.errors_in_row + 1)
    return _in_row(metric, watch, watch.errors_in_row, metric.error_limit, f"no answer ({why})", last)


def _without_data(metric: Metric, watch: Watch, why: str, last: bool) -> Watch:
    watch = replace(watch, errors_in_row=0, inconclusive_in_row=watch.inconclusive_in_row + 1)
    return _in_row(metric, watch, watch.inconclusive_in_row, metric.inconclusive_limit, f"no data ({why})", last)


def _ended(metric: Metric, watch: Watch) -> Watch:
    if isinstance(metric.judge, Limits):
        kept = f"{watch.failures} failures in {watch.looks} looks" if watch.failures else f"as in all {watch.looks} looks"
        return replace(watch, verdict=PROMOTE, line=f"{watch.line}, {kept}")
    return replace(watch, verdict=INCONCLUSIVE, line=f"{watch.line}; the watch is over and nothing is shown: pause")


def _judged(metric: Metric, watch: Watch, seen: Observation) -> Watch:
    if isinstance(metric.judge, Limits):
        if not isinstance(seen, Measured):
            raise ValidationError("the source gave no single number", hint="A threshold compares one number")
        what = broken(metric.judge, seen.value)
        if what:
            return _failed(metric, watch, f"{metric.name}: {what}")
        return replace(watch, verdict=NOT_YET, line=f"{metric.name}: {seen.value:g} is within its limits")
    if isinstance(metric.judge, counts.Design):
        if not isinstance(seen, Counted):
            raise ValidationError("the source gave no counts of requests and errors", hint="The judge counts compares counts of both sides")
        return _judged_counts(metric, metric.judge, watch, seen)
    if not isinstance(seen, Sampled):
        raise ValidationError("the source gave no samples", hint="The judge ranks compares samples of both sides")
    return _judged_ranks(metric, metric.judge, watch, seen)


def _failed(metric: Metric, watch: Watch, line: str) -> Watch:
    failures = watch.failures + 1
    if failures > metric.failure_limit:
        return replace(watch, failures=failures, failed=True, verdict=ROLL_BACK, line=line)
    return replace(watch, failures=failures, verdict=NOT_YET, line=f"{line}; failure {failures}, {metric.failure_limit} allowed")


def _idle(metric: Metric, watch: Watch, side: str) -> Watch:
    idle = watch.idle_in_row + 1
    line = f"{metric.name}: the {side} got no requests, {idle} looks in a row, {IDLE_LIMIT} allowed"
    if idle > IDLE_LIMIT:
        return replace(watch, idle_in_row=idle, verdict=INCONCLUSIVE, line=f"{line}: pause")
    return replace(watch, idle_in_row=idle, verdict=PROMOTE if watch.cleared else NOT_YET, line=line)


def _of(side: str, errors: float, requests: float) -> str:
    return f"{side} {errors:g} error{'s' if errors != 1 else ''} of {requests:g} ({percent(errors / requests if requests else 0.0)})"


def _line_of(margin: counts.Margin) -> str:
    ratio = f"{margin.ratio:g} times the baseline" if margin.ratio != 1.0 else "the baseline"
    return f"{points(margin.difference)} above {ratio}" if margin.difference else ratio


def _judged_counts(metric: Metric, design: counts.Design, watch: Watch, seen: Counted) -> Watch:
    state = counts.add(counts.counts_from(watch.state) if watch.state else counts.Counts(), design, seen.canary, seen.baseline)
    watch = replace(watch, state=state.to_dict())
    found = counts.finding(state, design)
    sides = f"{_of('canary', state.canary.errors, state.canary.requests)}, {_of('baseline', state.baseline.errors, state.baseline.requests)}"
    if found.clump > 1.0:
        sides += f", errors in clumps of about {found.clump:.0f}"
    sure = f"{percent(1.0 - design.alpha)} sure"
    if found.harmful:
        above = f", by at least {points(found.at_least)}" if found.at_least else ""
        shown = f"worse than {_line_of(design.minimal)}{above} ({sure}; evidence {factor(found.harm)} of {found.needed:g})"
        return _failed(metric, watch, f"{metric.name}: {sides}: {shown}")
    for side, pair in (("canary", seen.canary), ("baseline", seen.baseline)):
        if not pair[0]:
            return _idle(metric, watch, side)
    watch = replace(watch, idle_in_row=0)
    if found.safe or watch.cleared:
        most = design.tolerated.difference if found.at_most is None or not found.safe else found.at_most
        allowed = counts.Margin(design.tolerated.ratio, most)
        line = f"{metric.name}: {sides}: at most {_line_of(allowed)} ({sure})"
        return replace(watch, cleared=True, verdict=PROMOTE, line=line)
    evidence = f"evidence of harm {factor(found.harm)}, of safety {factor(found.safety)}, {found.needed:g} needed"
    early = "" if found.ripe else f"; clumps are not known before {counts.LEAST_INTERVALS} intervals"
    return replace(watch, verdict=NOT_YET, line=f"{metric.name}: {sides}: {evidence}{early}")


def _judged_ranks(metric: Metric, shift: latencies.Shift, watch: Watch, seen: Sampled) -> Watch:
    for side, values in (("canary", seen.canary), ("baseline", seen.baseline)):
        if not values:
            return _idle(metric, watch, side)
    state = latencies.add(latencies.latencies_from(watch.state) if watch.state else latencies.Latencies(), shift, seen.canary, seen.baseline)
    watch = replace(watch, state=state.to_dict(), idle_in_row=0)
    needed, sure = 1.0 / shift.alpha, f"{percent(1.0 - shift.alpha)} sure"
    harm, safety = (math.exp(min(value, 700.0)) for value in (state.harm, state.safety))
    pairs = f"the canary's value is the larger one in {percent(state.superiority, 0)} of all pairs"
    if latencies.shown(state.harm, shift):
        return _failed(metric, watch, f"{metric.name}: {pairs}: it lies above {_ranks_line(shift.minimal)} ({sure}; evidence {factor(harm)} of {needed:g})")
    if latencies.shown(state.safety, shift) or watch.cleared:
        return replace(watch, cleared=True, verdict=PROMOTE, line=f"{metric.name}: {pairs}: it lies below {_ranks_line(shift.tolerated)} ({sure})")
    return replace(watch, verdict=NOT_YET, line=f"{metric.name}: {pairs}: evidence of harm {factor(harm)}, of safety {factor(safety)}, {needed:g} needed")


def _ranks_line(margin: counts.Margin) -> str:
    ratio = f"{margin.ratio:g} times the baseline's" if margin.ratio != 1.0 else "the baseline's"
    return f"{ratio} plus {margin.difference:g}" if margin.difference else ratio


@dataclass(frozen=True)
class Outcome:
    """What all metrics together say. ``line`` is for people; ``lines`` has one for each metric. ``score`` is the best (of 100) in reach."""

    verdict: str
    line: str
    lines: tuple[str, ...]
    score: float | None = None


def _kept_so_far(metric: Metric, watch: Watch) -> bool:
    """Whether ``watch`` is of a limit whose newest look was answered and did not fail too often."""
    return isinstance(metric.judge, Limits) and watch.looks > 0 and not watch.errors_in_row and not watch.inconclusive_in_row


def combine(watches: Sequence[tuple[Metric, Watch]], bands: Bands = DEFAULT_BANDS) -> Outcome:
    """The one verdict of all metrics; those in dry run are told and do not count.

    A critical failure rolls back, and so does a score that can no longer reach the marginal band. Then whatever pauses, pauses. A limit that was kept so
    far holds nobody up when a test has shown safety; alone it passes only at the end of the watch.
    """
    lines = tuple(f"{'dry run, ' if metric.dry_run else ''}{watch.verdict}: {watch.line}" for metric, watch in watches)
    deciding = [(metric, watch) for metric, watch in watches if not metric.dry_run]
    failed = [(metric, watch) for metric, watch in deciding if watch.verdict == ROLL_BACK]
    for metric, watch in failed:
        if metric.critical:
            return Outcome(ROLL_BACK, watch.line, lines)
    every = math.fsum(metric.weight for metric, _watch in deciding)
    if not every:
        return Outcome(INCONCLUSIVE, "no metric decides: pause", lines)
    best = 100.0 * (1.0 - math.fsum(metric.weight for metric, _watch in failed) / every)
    names = ", ".join(metric.name for metric, _watch in failed)
    if failed and best < bands.marginal:
        return Outcome(ROLL_BACK, f"score at most {best:.0f}, {bands.marginal:g} needed: {names} failed; {failed[0][1].line}", lines, best)
    for _metric, watch in deciding:
        if watch.verdict == INCONCLUSIVE:
            return Outcome(INCONCLUSIVE, watch.line, lines)
    shown = any(watch.verdict == PROMOTE for _metric, watch in deciding)
    for metric, watch in deciding:
        if watch.verdict == NOT_YET and not (shown and _kept_so_far(metric, watch)):
            return Outcome(NOT_YET, watch.line, lines)
    if failed and best < bands.passing:
        return Outcome(INCONCLUSIVE, f"score {best:.0f}, between {bands.marginal:g} and {bands.passing:g}: {names} failed: pause", lines, best)
    told = next((watch.line for _metric, watch in deciding if watch.verdict == PROMOTE), "every metric failed within its band")
    return Outcome(PROMOTE, f"{told}; score {best:.0f}" if failed else told, lines, best)
