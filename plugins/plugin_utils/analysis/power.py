# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a canary can prove in its time, said before it starts. Pure functions.

For steady traffic the evidence of counts.py depends only on the sums of errors, so the chance that it lies above its goal after so many minutes is a sum
over Poisson counts. To that comes the chance that it was above before and fell again, as for a Brownian motion with the mean and variance of the evidence
(Siegmund, Sequential Analysis, 1985, chapter 3). A test holds both against simulations. Clumps divide: errors that come 50 at a time make a canary with 50
times less to say.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.counts import LEAST_INTERVALS, WEIGHTS, Design, factors
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.wording import percent, points, times_or_so

LONGEST = 7 * 24 * 60
"""Minutes; nobody watches a canary for longer."""
NEGLIGIBLE = 1e-12
CELLS = 400


@dataclass(frozen=True)
class Traffic:
    """Requests per minute that each side will have, and how errors come: about so many at once."""

    canary: float
    baseline: float
    clump: float = 1.0


def poisson(mean: float) -> tuple[int, list[float]]:
    """The probabilities of a Poisson count that matter, and the count that the first of them is for."""
    if mean <= 0:
        return 0, [1.0]
    top = int(mean)
    peak = math.exp(top * math.log(mean) - mean - math.lgamma(top + 1))
    below, above, value, count = [], [peak], peak, top
    while count > 0 and value > NEGLIGIBLE * peak:
        value *= count / mean
        count -= 1
        below.append(value)
    first, value, count = count, peak, top
    while value > NEGLIGIBLE * peak:
        count += 1
        value *= mean / count
        above.append(value)
    return first, [*reversed(below), *above]


def _cells(first: int, chances: list[float]) -> Iterator[tuple[float, float]]:
    """(count, chance) with neighbours put together where there are very many."""
    width = max(1, len(chances) // CELLS)
    for start in range(0, len(chances), width):
        part = chances[start : start + width]
        yield first + start + (len(part) - 1) / 2.0, sum(part)


def _fallen_again(design: Design, traffic: Traffic, minutes: float, rate: float, logs: tuple[float, float], difference: float) -> float:
    """The chance that the evidence reached its goal and is below it at the end, for the ratio that the design is for; ``logs`` are of its factors."""
    errors, baseline_errors = traffic.canary * rate / traffic.clump, traffic.baseline * design.expected / traffic.clump
    drift = errors * logs[0] + baseline_errors * logs[1] - traffic.canary / traffic.clump * difference * math.expm1(logs[0])
    variance = errors * logs[0] ** 2 + baseline_errors * logs[1] ** 2
    if drift <= 0 or variance <= 0:
        return 0.0
    # an error of the canary lifts the evidence in a jump, which ends half its height above the goal on average
    goal, over = -math.log(design.alpha * WEIGHTS[-1]), max(0.0, logs[0]) / 2.0
    reach = (goal + 2.0 * over + drift * minutes) / math.sqrt(variance * minutes)
    return math.exp(min(2.0 * drift * (goal + over) / variance, 700.0)) * 0.5 * math.erfc(reach / math.sqrt(2.0))


def chance(design: Design, traffic: Traffic, minutes: float, rate: float, *, harm: bool) -> float:
    """The chance that so many ``minutes`` end with a proof of harm (else: of safety), if the canary's rate is ``rate`` and the baseline's as expected."""
    claim = design.minimal if harm else design.tolerated
    pairs = [factors(claim, ratio, traffic.canary, traffic.baseline) for ratio in design.alternatives(claim, harm=harm)]
    requests = traffic.canary * minutes / traffic.clump
    offsets = [math.log(weight) - requests * claim.difference * (a - 1.0) for weight, (a, _b) in zip(WEIGHTS, pairs, strict=True)]
    logs = [(math.log(a), math.log(b)) for a, b in pairs]
    goal = -math.log(design.alpha)

    def shows(baseline_errors: float, errors: int) -> bool:
        terms = [offset + errors * a + baseline_errors * b for offset, (a, b) in zip(offsets, logs, strict=True)]
        most = max(terms)
        return (most >= goal or most + math.log(sum(math.exp(term - most) for term in terms)) >= goal) == harm

    first, chances = poisson(requests * rate)
    last = first + len(chances)
    tails = [0.0]
    for value in reversed(chances):
        tails.append(tails[-1] + value)
    tails.reverse()  # tails[k]: first + k or more
    total = 0.0
    for baseline_errors, share in _cells(*poisson(traffic.baseline * minutes / traffic.clump * design.expected)):
        # more errors of the canary are more evidence of harm and less of safety
        enough = bisect_left(range(first, last), True, key=partial(shows, baseline_errors))
        total += share * (tails[enough] if harm else tails[0] - tails[enough])
    return min(1.0, total + _fallen_again(design, traffic, minutes, rate, logs[-1], claim.difference))


def minutes_needed(design: Design, traffic: Traffic, power: float, rate: float, *, harm: bool, interval: float = 60.0) -> int | None:
    """Whole minutes after which the chance of a proof is ``power``; None when a week is not enough. ``interval`` is seconds between looks."""
    least = max(1, math.ceil(LEAST_INTERVALS * interval / 60.0))
    high = least
    while chance(design, traffic, high, rate, harm=harm) < power:
        if high >= LONGEST:
            return None
        high = min(LONGEST, high * 2)
    low = max(least, high // 2)
    return bisect_left(range(high), True, lo=low, key=lambda minutes: chance(design, traffic, minutes, rate, harm=harm) >= power)


@dataclass(frozen=True)
class Statement:
    """What a canary can prove: minutes to see the rate that must not stay unseen, and to clear a good release (None: a week is not enough)."""

    design: Design
    traffic: Traffic
    power: float
    watch: float
    """Minutes that there will be."""
    to_see: int | None
    to_clear: int | None
    chance_to_see: float
    """Within the watch."""
    chance_to_clear: float

    @property
    def can_see(self) -> bool:
        """Whether the harm it is meant to find would be found."""
        return self.chance_to_see >= self.power

    def lines(self) -> list[str]:
        """For people, before the start."""
        design, traffic = self.design, self.traffic
        clumps = f", errors in clumps of about {traffic.clump:.0f}" if traffic.clump >= 1.5 else ""
        rates = f"{percent(design.expected)} -> {percent(design.detect)}"
        seen = f"you need {self.to_see} min" if self.to_see is not None else "a week is too short"
        cleared = f"{self.to_clear} min" if self.to_clear is not None else "more than a week"
        return [
            f"at {traffic.canary:g} requests/min (baseline {traffic.baseline:g}{clumps}) {seen} to see {rates}, {times_or_so(self.power)}; "
            f"a watch of {self.watch:g} min sees it with a chance of {percent(self.chance_to_see, 0)}",
            f"a release as good as the baseline is cleared (worse by less than {points(design.tolerated.difference)}) after {cleared}; "
            f"a watch of {self.watch:g} min clears it with a chance of {percent(self.chance_to_clear, 0)}, else it ends inconclusive and pauses",
        ]


def power_statement(design: Design, traffic: Traffic, watch: float, power: float = 0.9, interval: float = 60.0) -> Statement:
    """What a watch of ``watch`` minutes at this traffic can prove."""
    traffic = replace(traffic, clump=max(traffic.clump, design.clump))
    if traffic.canary <= 0 or traffic.baseline <= 0:
        return Statement(design, traffic, power, watch, None, None, 0.0, 0.0)
    too_short = watch * 60.0 < LEAST_INTERVALS * interval
    return Statement(
        design,
        traffic,
        power,
        watch,
        minutes_needed(design, traffic, power, design.detect, harm=True, interval=interval),
        minutes_needed(design, traffic, power, design.expected, harm=False, interval=interval),
        0.0 if too_short else chance(design, traffic, watch, design.detect, harm=True),
        0.0 if too_short else chance(design, traffic, watch, design.expected, harm=False),
    )


def require_power(name: str, statement: Statement, override: str | None = None) -> Statement:
    """``statement`` if its canary would see the harm it is meant to find, or if a person's reason overrides; else ValidationError with the remedies."""
    if statement.can_see or override:
        return statement
    design, traffic = statement.design, statement.traffic
    if traffic.canary <= 0 or traffic.baseline <= 0:
        side = "canary" if traffic.canary <= 0 else "baseline"
        message, remedy = f"{name}: the {side} gets no requests, so nothing can be proved", f"Send traffic to the {side}"
    else:
        longer = f"watch for {statement.to_see} min" if statement.to_see is not None else "watch a canary with more traffic"
        message = f"{name}: {statement.lines()[0]}"
        remedy = f"Let it {longer}, raise its share of the traffic, or raise detect above {percent(design.detect)}"
    raise ValidationError(
        message,
        hint=f"{remedy}. To go on all the same: -e \"override='why'\"",
        context={"metric": name, "watch_minutes": statement.watch, "needed_minutes": statement.to_see, "chance": round(statement.chance_to_see, 4)},
    )
