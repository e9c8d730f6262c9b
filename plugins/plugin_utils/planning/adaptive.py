# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How wide the next batch is when the width adapts: additive growth after a healthy batch, half after a slow or failed one (AIMD). Pure functions.

The rule is that of TCP's congestion avoidance: Chiu and Jain, "Analysis of the increase and decrease algorithms for congestion avoidance", 1989.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

MOST_BATCHES = 100
"""A fleet is never cut into more: the narrowest batch is as wide as that asks for."""
SLOW_FACTOR, SLOW_SECONDS = 1.5, 1.0
"""A batch is slow whose hosts took longer than this many times the usual and so many seconds more."""


@dataclass(frozen=True)
class Bounds:
    """Hosts: the ``first`` batch and what is added to a healthy one, the ``least`` and the ``most`` of any."""

    first: int
    least: int
    most: int

    def to_dict(self) -> dict[str, Any]:
        """For a plan."""
        return dict(vars(self))


@dataclass(frozen=True)
class Pace:
    """What is known of a batch that has ended: seconds until each host that changed was healthy, and how many hosts failed."""

    seconds: Sequence[float]
    failed: int = 0


def bounds_of(widths: Sequence[int], hosts: int) -> Bounds:
    """The bounds that the widths of ``rolling_batches`` give: the first of them, and the widest."""
    least = max(1, math.ceil(hosts / MOST_BATCHES))
    most = max(least, *widths)
    return Bounds(min(most, max(least, widths[0])), least, most)


def next_width(bounds: Bounds, width: int, pace: Pace, usual: Sequence[float]) -> tuple[int, str]:
    """(hosts of the next batch, why), after a batch of ``width``. ``usual``: the seconds of hosts in healthy batches before it."""
    if pace.failed:
        return max(bounds.least, width // 2), f"half, for {pace.failed} of {width} hosts failed"
    if pace.seconds and usual:
        took, known = median(pace.seconds), median(usual)
        if took > SLOW_FACTOR * known + SLOW_SECONDS:
            return max(bounds.least, width // 2), f"half, for hosts took {took:.1f} s to be healthy, {known:.1f} s is usual"
    wider = min(bounds.most, width + bounds.first)
    return wider, "the widest that is allowed" if wider == bounds.most else f"{bounds.first} more, for the batch before was healthy"
