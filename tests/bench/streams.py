# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic streams of errors, and judges of many of them at once: arrays of (runs, minutes).

Ours is a copy in numpy, which test_judges.py holds against the code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.counts import LEAST_INTERVALS, WEIGHTS, Design, factors
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.dispersion import CLEARLY, LAG_BIAS, LAG_SCATTER, LAGS

NEVER = 10**6
Array = np.ndarray


@dataclass(frozen=True)
class Streams:
    """Errors per minute of both sides."""

    requests: int
    baseline_requests: int
    canary: Array
    baseline: Array


def independent(rng: np.random.Generator, runs: int, minutes: int, traffic: tuple[int, int], rates: tuple[float, float]) -> Streams:
    """Each request fails by itself; ``rates`` are (baseline, canary)."""
    shape = (runs, minutes)
    return Streams(*traffic, rng.binomial(traffic[0], rates[1], shape), rng.binomial(traffic[1], rates[0], shape))


def clumped(
    rng: np.random.Generator, runs: int, minutes: int, traffic: tuple[int, int], rates: tuple[float, float], clump: int, singles: float = 0.0
) -> Streams:
    """One failure makes ``clump`` requests in a row fail, into the next minutes if need be; a part ``singles`` of all errors comes alone."""
    sides = []
    for requests, rate in zip(traffic, reversed(rates), strict=True):
        wanted = rng.poisson(requests * rate * (1.0 - singles) / clump, (runs, minutes)) * clump
        alone = rng.poisson(requests * rate * singles, (runs, minutes))
        errors, waiting = np.zeros((runs, minutes)), np.zeros(runs)
        for minute in range(minutes):
            waiting += wanted[:, minute]
            errors[:, minute] = np.minimum(waiting, requests)
            waiting -= errors[:, minute]
        sides.append(np.minimum(errors + alone, requests))
    return Streams(*traffic, *sides)


def dispersions(errors: Array, requests: int) -> Array:
    """dispersion() after each minute."""
    count = np.arange(1, errors.shape[1] + 1)
    freedom = np.maximum(count - 1, 1)
    total = np.cumsum(errors, 1)
    with np.errstate(all="ignore"):
        rate = total / (count * requests)
        alone = (np.cumsum(errors**2 / requests, 1) / rate - total) / freedom
        index = alone
        for lag in range(1, LAGS + 1):
            cross, mixed = np.zeros(errors.shape), np.zeros(errors.shape)
            cross[:, lag:] = errors[:, lag:] * errors[:, :-lag] / requests
            mixed[:, lag:] = errors[:, lag:] + errors[:, :-lag]
            roots = np.maximum(count - lag, 0) * requests
            index = index + np.maximum(0.0, 2.0 * (np.cumsum(cross, 1) - rate * np.cumsum(mixed, 1) + rate**2 * roots) / rate / freedom)
        scatter = 2.0 + count / total
        clear = alone - 1.0 > CLEARLY * np.sqrt(scatter / freedom)
        clear |= index - 1.0 > (LAGS * LAG_BIAS + CLEARLY * np.sqrt(scatter + LAGS * LAG_SCATTER)) / np.sqrt(freedom)
    return np.where(clear & (count > 1) & (total > 0), np.maximum(index, 1.0), 1.0)


def evidence(streams: Streams, design: Design, *, harm: bool, widening: Array | float) -> Array:
    """log of the e-value after each minute."""
    claim = design.minimal if harm else design.tolerated
    terms = []
    for weight, ratio in zip(WEIGHTS, design.alternatives(claim, harm=harm), strict=True):
        a, b = factors(claim, ratio, streams.requests, streams.baseline_requests)
        log = np.cumsum(streams.canary * np.log(a) + streams.baseline * np.log(b) - streams.requests * claim.difference * (a - 1.0), 1)
        terms.append(np.log(weight) + log / widening)
    return np.logaddexp.reduce(np.array(terms), axis=0)


def first(hits: Array) -> Array:
    """The minute of the first hit in each run, from 1; NEVER without one."""
    return np.where(hits.any(1), hits.argmax(1) + 1, NEVER)


def ours(streams: Streams, design: Design, *, widened: bool = True, history: Array | None = None) -> tuple[Array, Array]:
    """Minutes at which each run is rolled back and cleared. ``history``: errors per minute of the baseline before the deployment."""
    before = 0 if history is None else history.shape[1]
    known = streams.baseline if history is None else np.hstack([history, streams.baseline])
    widening: Array | float = 1.0
    if widened:
        widening = np.maximum(dispersions(known, streams.baseline_requests)[:, before:], dispersions(streams.canary, streams.requests))
    goal, least = -np.log(design.alpha), max(2, LEAST_INTERVALS - before)
    found = []
    for harm in (True, False):
        hits = evidence(streams, design, harm=harm, widening=widening) >= goal
        hits[:, : least - 1] = False
        found.append(first(hits))
    return found[0], found[1]


def fisher(streams: Streams, runs: int, alpha: float = 0.01) -> Array:
    """Hits of Fisher's exact test (one-sided, and a ratio above 1.2) on the sums after each minute, for the first runs."""
    minutes = np.arange(1, streams.canary.shape[1] + 1)
    errors, others = np.cumsum(streams.canary[:runs], 1), np.cumsum(streams.baseline[:runs], 1)
    requests, baseline_requests = minutes * streams.requests, minutes * streams.baseline_requests
    p = hypergeometric_tail(errors, requests + baseline_requests, errors + others, np.broadcast_to(requests, errors.shape))
    return (p < alpha) & (errors / requests > 1.2 * others / baseline_requests)


def limit(streams: Streams, success: float = 0.99, minutes: int = 3) -> Array:
    """Runs in which the canary's rate of success was below a fixed limit in more than so many minutes."""
    return (1.0 - streams.canary / streams.requests < success).sum(1) > minutes


def hypergeometric_tail(least: Array, every: Array, marked: Array, drawn: Array) -> Array:
    """The chance of ``least`` or more marked ones among the drawn: as scipy's hypergeom.sf(least - 1, ...), which takes minutes for a table of ours."""
    term = np.exp(log_choose(marked, least) + log_choose(every - marked, drawn - least) - log_choose(every, drawn))
    total, count = term.copy(), least.astype(float)
    while (term > 1e-12 * total).any():
        term = term * np.maximum(marked - count, 0) * np.maximum(drawn - count, 0) / ((count + 1) * np.maximum(every - marked - drawn + count + 1, 1))
        total, count = total + term, count + 1
    return total


def log_choose(many: Array, some: Array) -> Array:
    """log of the binomial coefficient."""
    return special.gammaln(many + 1.0) - special.gammaln(some + 1.0) - special.gammaln(many - some + 1.0)
