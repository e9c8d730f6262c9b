# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts of errors, canary against baseline, safe to look at as often as one likes. Pure functions on a small state that is plain JSON.

**What is tested.** In each interval the canary has n requests and x errors, the baseline m and y. With p and q for their true error rates, two claims are
tested at once, each with its own margin (ratio r, difference d):

- *harm*: refute "p <= r q + d". Refuted, the canary is worse by more than the minimal effect: roll back.
- *safety*: refute "p >= r q + d". Refuted, the canary is not worse by more than what is tolerated: promote.

**How.** For a ratio s other than r let a = s (n r + m) / (r (n s + m)) and b = (n r + m) / (n s + m): how much likelier an error is to fall on the canary,
and on the baseline, if the true ratio is s and not r. Then n r (a - 1) + m (b - 1) = 0, and e = a^x b^y exp(-n d (a - 1)) has a mean of at most 1 under the
claim:

    E a^X b^Y = (1 + p (a - 1))^n (1 + q (b - 1))^m <= exp(n p (a - 1) + m q (b - 1)) <= exp(n d (a - 1))

for Bernoulli and for Poisson counts, whatever q is, also when rates and traffic change from interval to interval. So the product of e over intervals is a
nonnegative supermartingale under the claim, and so is a mixture of such products over several s. By Ville's inequality it ever reaches 1/alpha with a
probability of at most alpha: every look may be the last one, no look costs anything.

**Sources.** Ville 1939. Robbins, "Statistical methods related to the law of the iterated logarithm", Annals of Mathematical Statistics 41 (1970): mixtures.
Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49 (2021). Turner, Ly, Grünwald,
"Generic E-variables for exact sequential k-sample tests that allow for optional stopping", JSPI 230 (2024): two streams of Bernoulli trials. Lindon, Malek,
"Anytime-valid inference for multinomial count data", NeurIPS 2022: counts of canaries, conditional on their sum.

**Clumps.** Errors that come in clumps of about f (dispersion.py) count as 1/f error each: every log e is divided by f >= 1 before the mixture, as in quasi-
likelihood. For independent errors that keeps the guarantee exactly, whatever f the data suggest, since the mean of e^(1/f) is at most the mean of e to the
power 1/f, so whoever reaches 1/alpha with f reaches it without. For clumps it is an approximation, whose false alarms tests/bench/test_judges.py measures.
Since f can only be learnt from several intervals, no verdict is given before the baseline was seen for LEAST_INTERVALS of them; those before the deployment
count (``learn``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.dispersion import Stream, dispersion, observe, stream_from

LEAST_INTERVALS = 8
FACTORS = (1.5, 2.0, 3.0, 5.0, 9.0, 16.0, 32.0, 100.0)
"""The mixture: true ratios by so much beyond the claim share half of the weight; what the canary was designed to see has the other half."""


@dataclass(frozen=True)
class Margin:
    """A line between good and bad: ``ratio`` times the baseline's value plus ``difference``."""

    ratio: float = 1.0
    difference: float = 0.0

    def of(self, baseline: float) -> float:
        """The value of the canary that lies on the line."""
        return self.ratio * baseline + self.difference


TEN_PERCENT_MORE, ALMOST_DETECT = Margin(1.1, 0.0), Margin(1.0, 0.009)


@dataclass(frozen=True)
class Design:
    """What a test of counts shall tell: rates are errors per request."""

    expected: float = 0.001
    """The rate of a good release."""
    detect: float = 0.01
    """The rate that must not stay unseen."""
    minimal: Margin = TEN_PERCENT_MORE
    """Worse than this is harm."""
    tolerated: Margin = ALMOST_DETECT
    """Better than this is safe."""
    alpha: float = 0.01
    clump: float = 1.0
    """Errors are known to come about so many at once. More is found out; a clump that was never seen cannot be."""

    def alternatives(self, claim: Margin, *, harm: bool) -> tuple[float, ...]:
        """The ratios of the mixture, the one that this design is for last."""
        wanted = self.detect if harm else self.expected
        ratio = claim.ratio * wanted / claim.of(self.expected)
        aim = max(ratio, claim.ratio * 1.2) if harm else min(ratio, claim.ratio / 1.2)
        return (*(claim.ratio * factor if harm else claim.ratio / factor for factor in FACTORS), aim)


WEIGHTS = (*(0.5 / len(FACTORS) for _factor in FACTORS), 0.5)


@dataclass(frozen=True)
class Evidence:
    """Sums of log e for each ratio of the mixture, without the claim's difference; ``slopes`` is what one unit of difference takes off each."""

    logs: tuple[float, ...] = (0.0,) * len(WEIGHTS)
    slopes: tuple[float, ...] = (0.0,) * len(WEIGHTS)

    def value(self, difference: float, widening: float) -> float:
        """log of the e-value against "the canary is at this difference"."""
        terms = [(total - difference * slope) / widening for total, slope in zip(self.logs, self.slopes, strict=True)]
        most = max(terms)
        return most + math.log(sum(weight * math.exp(term - most) for weight, term in zip(WEIGHTS, terms, strict=True)))


NOTHING, NO_EVIDENCE = Stream(), Evidence()


@dataclass(frozen=True)
class Counts:
    """All that a test of counts remembers. ``history`` has the baseline's intervals, also those from before the deployment."""

    canary: Stream = NOTHING
    baseline: Stream = NOTHING
    history: Stream = NOTHING
    harm: Evidence = NO_EVIDENCE
    safety: Evidence = NO_EVIDENCE

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``counts_from`` reads them."""
        return {
            "canary": self.canary.to_dict(),
            "baseline": self.baseline.to_dict(),
            "history": self.history.to_dict(),
            "harm": {"logs": list(self.harm.logs), "slopes": list(self.harm.slopes)},
            "safety": {"logs": list(self.safety.logs), "slopes": list(self.safety.slopes)},
        }


def counts_from(stored: Mapping[str, Any]) -> Counts:
    """The state that ``to_dict`` wrote, in this process or in another one."""
    harm, safety = (Evidence(tuple(stored[side]["logs"]), tuple(stored[side]["slopes"])) for side in ("harm", "safety"))
    return Counts(stream_from(stored["canary"]), stream_from(stored["baseline"]), stream_from(stored["history"]), harm, safety)


def check(side: str, requests: float, errors: float) -> None:
    """Refuse numbers that cannot be counts of one interval."""
    if not (math.isfinite(requests) and math.isfinite(errors) and 0 <= errors <= requests):
        raise ValidationError(
            f"{side}: {errors:g} errors of {requests:g} requests cannot be",
            hint="Errors must be a part of the requests, both counted over the same interval on the same hosts",
            context={"side": side, "requests": str(requests), "errors": str(errors)},
        )


def learn(state: Counts, requests: float, errors: float) -> Counts:
    """``state`` with an interval of the baseline from before the deployment: it teaches how errors clump, and is no evidence."""
    check("baseline", requests, errors)
    return Counts(state.canary, state.baseline, observe(state.history, requests, errors), state.harm, state.safety)


def factors(claim: Margin, ratio: float, requests: float, baseline_requests: float) -> tuple[float, float]:
    """(a, b) of the module's text for one ratio of the mixture."""
    share = (requests * claim.ratio + baseline_requests) / (requests * ratio + baseline_requests)
    return ratio / claim.ratio * share, share


def _grown(evidence: Evidence, claim: Margin, ratios: Sequence[float], canary: tuple[float, float], baseline: tuple[float, float]) -> Evidence:
    logs, slopes = [], []
    for total, slope, ratio in zip(evidence.logs, evidence.slopes, ratios, strict=True):
        a, b = factors(claim, ratio, canary[0], baseline[0])
        logs.append(total + canary[1] * math.log(a) + baseline[1] * math.log(b))
        slopes.append(slope + canary[0] * (a - 1.0))
    return Evidence(tuple(logs), tuple(slopes))


def add(state: Counts, design: Design, canary: tuple[float, float], baseline: tuple[float, float]) -> Counts:
    """``state`` with one interval more; each side is (requests, errors). An interval in which one side had no request is evidence of nothing."""
    check("canary", *canary)
    check("baseline", *baseline)
    harm, safety = state.harm, state.safety
    if canary[0] and baseline[0]:
        harm = _grown(harm, design.minimal, design.alternatives(design.minimal, harm=True), canary, baseline)
        safety = _grown(safety, design.tolerated, design.alternatives(design.tolerated, harm=False), canary, baseline)
    return Counts(observe(state.canary, *canary), observe(state.baseline, *baseline), observe(state.history, *baseline), harm, safety)


@dataclass(frozen=True)
class Finding:
    """What the counts say so far. ``harm`` and ``safety`` are e-values: how many times 1 against chance; ``needed`` is what each must reach."""

    harm: float
    safety: float
    needed: float
    clump: float
    """By how much the test was widened: about so many errors come at once."""
    at_least: float | None
    """The canary's rate exceeds minimal.ratio times the baseline's by at least this, if that is above nothing; None: not shown."""
    at_most: float | None
    """The canary's rate exceeds tolerated.ratio times the baseline's by at most this; None: not shown."""
    ripe: bool
    """Seen for long enough that clumps would be known."""

    @property
    def harmful(self) -> bool:
        """Whether the canary is shown to be worse by more than the minimal effect."""
        return self.ripe and self.harm >= self.needed

    @property
    def safe(self) -> bool:
        """Whether the canary is shown to be not worse by more than what is tolerated."""
        return self.ripe and self.safety >= self.needed


def _bound(evidence: Evidence, goal: float, widening: float, low: float, high: float, *, rising: bool) -> float | None:
    """The difference between ``low`` and ``high`` at which the evidence is just ``goal``; None when it is not reached in between."""
    if evidence.value(high if rising else low, widening) < goal:
        return None
    for _step in range(50):
        middle = (low + high) / 2.0
        if (evidence.value(middle, widening) >= goal) == rising:
            high = middle
        else:
            low = middle
    return high if rising else low


def finding(state: Counts, design: Design) -> Finding:
    """What ``state`` shows under ``design``. Both bounds hold at all looks together with a confidence of 1 - alpha each."""
    widening = max(design.clump, dispersion(state.history), dispersion(state.canary))
    goal = -math.log(design.alpha)
    harm = state.harm.value(design.minimal.difference, widening)
    safety = state.safety.value(design.tolerated.difference, widening)
    seen = state.canary.requests > 0 and state.baseline.requests > 0
    return Finding(
        harm=math.exp(min(harm, 700.0)),
        safety=math.exp(min(safety, 700.0)),
        needed=1.0 / design.alpha,
        clump=widening,
        at_least=_bound(state.harm, goal, widening, 0.0, 1.0, rising=False) if seen else None,
        at_most=_bound(state.safety, goal, widening, 0.0, 1.0, rising=True) if seen else None,
        ripe=state.history.intervals >= LEAST_INTERVALS and state.canary.intervals >= 2,
    )
