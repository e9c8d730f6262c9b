# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clumps: how much more counts of errors scatter from interval to interval than independent errors would. Pure functions.

Independent errors make Poisson counts: their variance is their mean, and the index of dispersion (variance over mean) is 1. When one failure makes 50
errors it is 50, and 50 errors say no more than one. The index is Pearson's chi-square over its degrees of freedom (McCullagh and Nelder, Generalized Linear
Models, 1989, section 4.5), with the covariance of neighbouring intervals added (Newey and West 1987), so that a failure that lasts over three intervals is
one clump, too. It is used only where it, or the index without neighbours, lies clearly above 1: more than 2.33 standard errors, where sqrt((2 + 1/mean) /
intervals) is the standard error for Poisson counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LAGS = 2
"""A clump may spread over this many intervals more than the one it began in."""
CLEARLY = 2.33
LAG_BIAS, LAG_SCATTER = 0.8, 1.36
"""Mean and variance of max(0, 2 N), N normal: what a neighbour's covariance adds by chance, times the root of the intervals and times the intervals."""


@dataclass(frozen=True)
class Stream:
    """Sums over the intervals of one side, enough to tell its rate and its index of dispersion. Intervals without requests do not count."""

    intervals: int = 0
    requests: float = 0.0
    errors: float = 0.0
    squares: float = 0.0
    """Sum of errors² / requests."""
    products: tuple[tuple[float, float, float], ...] = field(default=((0.0, 0.0, 0.0),) * LAGS)
    """For each lag: sums of the three parts of the product of two residuals."""
    recent: tuple[tuple[float, float], ...] = ()
    """The newest intervals as (requests, errors), newest first, at most LAGS."""

    @property
    def rate(self) -> float:
        """Errors per request; 0 without requests."""
        return self.errors / self.requests if self.requests else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "intervals": self.intervals,
            "requests": self.requests,
            "errors": self.errors,
            "squares": self.squares,
            "products": [list(sums) for sums in self.products],
            "recent": [list(interval) for interval in self.recent],
        }


def stream_from(stored: Mapping[str, Any]) -> Stream:
    """The stream that ``to_dict`` wrote."""
    return Stream(
        stored["intervals"],
        stored["requests"],
        stored["errors"],
        stored["squares"],
        tuple((cross, mixed, root) for cross, mixed, root in stored["products"]),
        tuple((requests, errors) for requests, errors in stored["recent"]),
    )


def observe(stream: Stream, requests: float, errors: float) -> Stream:
    """``stream`` with one interval more."""
    if requests <= 0:
        return stream
    products = list(stream.products)
    for lag, (earlier_requests, earlier_errors) in enumerate(stream.recent):
        cross, mixed, root = products[lag]
        shared = math.sqrt(requests * earlier_requests)
        cross += errors * earlier_errors / shared
        mixed += errors * earlier_requests / shared + earlier_errors * requests / shared
        products[lag] = (cross, mixed, root + shared)
    return Stream(
        stream.intervals + 1,
        stream.requests + requests,
        stream.errors + errors,
        stream.squares + errors * errors / requests,
        tuple(products),
        ((float(requests), float(errors)), *stream.recent)[:LAGS],
    )


def dispersion(stream: Stream) -> float:
    """Index of dispersion, 1 unless it is clearly above."""
    if stream.intervals < 2 or stream.errors <= 0:
        return 1.0
    rate, freedom = stream.rate, stream.intervals - 1
    alone = (stream.squares / rate - stream.errors) / freedom
    index = alone
    for cross, mixed, root in stream.products:
        index += max(0.0, 2.0 * (cross - rate * mixed + rate * rate * root) / rate / freedom)
    scatter = 2.0 + stream.intervals / stream.errors
    clear = alone - 1.0 > CLEARLY * math.sqrt(scatter / freedom)
    clear |= index - 1.0 > (LAGS * LAG_BIAS + CLEARLY * math.sqrt(scatter + LAGS * LAG_SCATTER)) / math.sqrt(freedom)
    return max(1.0, index) if clear else 1.0
