# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Latencies and other measured values, canary against baseline, safe to look at as often as one likes. Pure functions on a small state that is plain JSON.

Each interval brings two samples of new requests. The Mann-Whitney test (ranks.py) asks two questions of them, after the baseline's values were moved to the
line between good and bad (ratio times value plus difference): does the canary tend to lie above the line of the minimal effect (harm), and below the line
of what is tolerated (safety)? A p-value p of an interval becomes an e-value by

    e = (1 - p + p ln p) / (p (ln p)^2)

the mixture of all k p^(k - 1) with k from 0 to 1 (Vovk, Wang, "E-values: calibration, combination and applications", Annals of Statistics 49, 2021).
Intervals are independent, so the product of their e-values reaches 1/alpha with a probability of at most alpha, however often one looks (Ville 1939). An
interval's e is cut at the third root of 1/alpha, which only makes it smaller: one bad minute, whose requests all suffered from the same thing, decides
nothing, and neither do two.

It shows a shift that is there in each interval. A change of the slowest percent alone moves few ranks: watch a quantile with a ceiling for that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.counts import TEN_PERCENT_MORE, Margin
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.ranks import mann_whitney

SMALLEST = 1e-300
A_QUARTER_MORE = Margin(1.25, 0.0)


@dataclass(frozen=True)
class Shift:
    """What a test of latencies shall tell: bigger is worse."""

    minimal: Margin = TEN_PERCENT_MORE
    tolerated: Margin = A_QUARTER_MORE
    alpha: float = 0.01


@dataclass(frozen=True)
class Latencies:
    """All that a test of latencies remembers: sums of log e, and the pairs of values compared, of which so many were won by the canary's."""

    harm: float = 0.0
    safety: float = 0.0
    pairs: float = 0.0
    larger: float = 0.0
    intervals: int = 0

    @property
    def superiority(self) -> float:
        """The chance that a request of the canary takes longer than one of the baseline in the same interval; 0.5 is no difference."""
        return self.larger / self.pairs if self.pairs else 0.5

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``latencies_from`` reads them."""
        return {"harm": self.harm, "safety": self.safety, "pairs": self.pairs, "larger": self.larger, "intervals": self.intervals}


def latencies_from(stored: Mapping[str, Any]) -> Latencies:
    """The state that ``to_dict`` wrote."""
    return Latencies(**stored)


def shown(total: float, shift: Shift) -> bool:
    """Whether a sum of log e reaches 1/alpha; three intervals that were cut do, whatever rounding makes of thirds."""
    return total >= -math.log(shift.alpha) * (1.0 - 1e-12)


def evidence(p: float) -> float:
    """The e-value of a p-value."""
    p = max(p, SMALLEST)
    if p > 0.999:  # the formula is 0/0 at 1, where its limit is 1/2
        return 0.5
    log = math.log(p)
    return (1.0 - p + p * log) / (p * log * log)


def add(state: Latencies, shift: Shift, canary: Sequence[float], baseline: Sequence[float]) -> Latencies:
    """``state`` with the samples of one interval more. An interval in which a side has none is evidence of nothing; values that are no numbers are refused."""
    if not canary or not baseline:
        return state
    plain = mann_whitney(canary, baseline, method="asymptotic")
    slower = mann_whitney(canary, [shift.minimal.of(value) for value in baseline])
    faster = mann_whitney(canary, [shift.tolerated.of(value) for value in baseline], "less")
    most = -math.log(shift.alpha) / 3.0
    return Latencies(
        state.harm + min(most, math.log(evidence(slower.p))),
        state.safety + min(most, math.log(evidence(faster.p))),
        state.pairs + len(canary) * len(baseline),
        state.larger + plain.u,
        state.intervals + 1,
    )
