# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Mann-Whitney U test: do values of one sample tend to be larger than those of another? Pure functions.

Mann, Whitney, "On a test of whether one of two random variables is stochastically larger than the other", Annals of Mathematical Statistics 18 (1947). With
ties and many values: normal approximation with the variance corrected for ties and a continuity correction of a half. With few values: exact, by counting
all ways to split them over the two samples; ties included, since what is counted are sums of midranks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError

ALTERNATIVES = ("greater", "less", "two-sided")
METHODS = ("auto", "exact", "asymptotic")
EXACT_UP_TO = 8
"""Without ties, exact when the smaller sample has at most so many values and both together are countable."""
EXACT_PAIRS = 20_000
EXACT_TIED_UP_TO = 20
"""With ties, exact when both together have at most so many values."""


@dataclass(frozen=True)
class Ranks:
    """What the test says of sample one against sample two. ``u`` counts the pairs in which one is larger, ties half."""

    u: float
    p: float
    method: str
    size: int
    other_size: int

    @property
    def superiority(self) -> float:
        """Common-language effect size: the chance that a value of one is larger than a value of two; 0.5 is no difference."""
        return self.u / (self.size * self.other_size)

    @property
    def rank_biserial(self) -> float:
        """The same from -1 to 1; 0 is no difference."""
        return 2.0 * self.superiority - 1.0


def _numbers(name: str, values: Sequence[float]) -> list[float]:
    numbers = list(values)
    if not numbers or not all(map(math.isfinite, numbers)):
        what = "is empty" if not numbers else "holds values that are no finite numbers"
        raise ValidationError(f"the sample of the {name} {what}", hint="Leave out what was not measured, and ask again later when nothing was")
    return numbers


def _ranked(one: list[float], two: list[float]) -> tuple[int, list[int]]:
    """Twice the sum of the midranks of ``one`` in both together, and the sizes of the groups of equal values."""
    size = len(one)
    values = one + two
    order = sorted(range(len(values)), key=values.__getitem__)
    doubled, sizes, start, total = 0, [], 0, len(order)
    while start < total:
        value, end = values[order[start]], start + 1
        while end < total and values[order[end]] == value:
            end += 1
        if end - start == 1:
            if order[start] < size:
                doubled += 2 * end
        else:
            doubled += (start + 1 + end) * sum(1 for place in order[start:end] if place < size)
        sizes.append(end - start)
        start = end
    return doubled, sizes


@lru_cache(maxsize=64)
def _untied(size: int, other_size: int) -> tuple[int, ...]:
    """How many splits of distinct values have U = 0, 1, 2, ...: the Gaussian binomial coefficient, by multiplying and dividing polynomials."""
    top = size * other_size
    ways = [1] + [0] * top
    for step in range(1, size + 1):
        for place in range(top, other_size + step - 1, -1):
            ways[place] -= ways[place - other_size - step]
        for place in range(step, top + 1):
            ways[place] += ways[place - step]
    return tuple(ways)


def _tied(size: int, groups: Sequence[int]) -> dict[int, int]:
    """How many splits have which doubled sum of midranks in the first sample."""
    ways: list[dict[int, int]] = [{0: 1}] + [{} for _taken in range(size)]
    start = 0
    for group in groups:
        doubled = 2 * start + group + 1
        for taken in range(size, 0, -1):
            for some in range(1, min(group, taken) + 1):
                choices = math.comb(group, some)
                for total, count in ways[taken - some].items():
                    key = total + some * doubled
                    ways[taken][key] = ways[taken].get(key, 0) + count * choices
        start += group
    return ways[size]


def _exact(doubled: int, size: int, other_size: int, groups: Sequence[int], alternative: str) -> float:
    least = size * (size + 1)
    untied = max(groups) == 1
    splits = {least + 2 * u: count for u, count in enumerate(_untied(size, other_size))} if untied else _tied(size, groups)
    every = math.comb(size + other_size, size)
    if alternative != "less":
        above = sum(count for total, count in splits.items() if total >= doubled) / every
    if alternative != "greater":
        below = sum(count for total, count in splits.items() if total <= doubled) / every
    if alternative == "greater":
        return above
    return below if alternative == "less" else min(1.0, 2.0 * min(above, below))


def _normal(u: float, size: int, other_size: int, groups: Sequence[int], alternative: str) -> float:
    pairs, every = size * other_size, size + other_size
    ties = sum(group**3 - group for group in groups if group > 1)
    deviation = math.sqrt(pairs / 12.0 * ((every + 1) - ties / (every * (every - 1)))) if len(groups) > 1 else 0.0
    if deviation == 0.0:
        return 1.0
    reached = max(u, pairs - u) if alternative == "two-sided" else u if alternative == "greater" else pairs - u
    tail = 0.5 * math.erfc((reached - pairs / 2.0 - 0.5) / deviation / math.sqrt(2.0))
    return min(1.0, 2.0 * tail) if alternative == "two-sided" else tail


def mann_whitney(one: Sequence[float], two: Sequence[float], alternative: str = "greater", method: str = "auto") -> Ranks:
    """The test of ``one`` against ``two``; "greater" asks whether values of ``one`` tend to be larger. Refuses empty samples and what is no finite number."""
    if alternative not in ALTERNATIVES or method not in METHODS:
        allowed, given = (ALTERNATIVES, alternative) if alternative not in ALTERNATIVES else (METHODS, method)
        raise ValidationError(f"{given!r} is not known to the Mann-Whitney test", hint=f"Use one of {', '.join(allowed)}")
    first, second = _numbers("canary", one), _numbers("baseline", two)
    size, other_size = len(first), len(second)
    doubled, groups = _ranked(first, second)
    u = (doubled - size * (size + 1)) / 2.0
    if method == "auto":
        tied = len(groups) < size + other_size
        countable = size + other_size <= EXACT_TIED_UP_TO if tied else min(size, other_size) <= EXACT_UP_TO and size * other_size <= EXACT_PAIRS
        method = "exact" if countable else "asymptotic"
    judge = _exact(doubled, size, other_size, groups, alternative) if method == "exact" else _normal(u, size, other_size, groups, alternative)
    return Ranks(u, judge, method, size, other_size)
