# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs of runs, interleaved, and the table that comes of them: build/bench.json is a list of {name, value, unit, bound, ok, runs}."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.testbed.fleet import Fleet, open_fleet

RESULTS = Path(__file__).resolve().parents[2] / "build" / "bench.json"


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds that ``work`` took."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


class Bench:
    """Collects figures; ``ok`` is whether a figure keeps its bound (None: a figure without one)."""

    def __init__(self) -> None:
        self.figures: list[dict[str, object]] = []

    def add(self, name: str, values: list[float], unit: str, bound: float | None) -> None:
        """Add one figure: the median of ``values``."""
        value = statistics.median(values)
        ok = None if bound is None else value <= bound
        self.figures.append({"name": name, "value": round(value, 4), "unit": unit, "bound": bound, "ok": ok, "runs": [round(number, 4) for number in values]})

    def ratio(self, name: str, ours: Callable[[int], object], reference: Callable[[int], object], *, runs: int, bound: float) -> None:
        """Run both in turn, each first in every second pair, and add the median of the pairs' ratios, so that a machine that slows down slows both."""
        ours(0)
        reference(0)
        pairs = []
        for number in range(1, runs + 1):
            taken = {work: seconds(lambda: work(number)) for work in ((ours, reference) if number % 2 else (reference, ours))}  # noqa: B023
            pairs.append((taken[ours], taken[reference]))
        self.add(name, [mine / other for mine, other in pairs], "ratio", bound)
        self.add(f"{name}: ours", [mine for mine, _other in pairs], "s", None)
        self.add(f"{name}: reference", [other for _mine, other in pairs], "s", None)

    def write(self) -> None:
        """Write build/bench.json and print the table."""
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        before = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
        measured = {figure["name"] for figure in self.figures}
        merged = [figure for figure in before if figure["name"] not in measured] + self.figures
        RESULTS.write_text(json.dumps(merged, indent=1), encoding="utf-8")
        for figure in self.figures:
            verdict = {True: "ok", False: "OVER", None: ""}[figure["ok"]]  # type: ignore[index]
            print(f"{figure['name']:<70} {figure['value']:>10} {figure['unit']:<6} bound {figure['bound']} {verdict} runs {figure['runs']}")


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """The table of this session."""
    collected = Bench()
    yield collected
    collected.write()
    over = [figure["name"] for figure in collected.figures if figure["ok"] is False]
    if over:
        pytest.fail(f"over the bound: {', '.join(map(str, over))}")


@pytest.fixture(scope="session")
def ten_hosts() -> Iterator[Fleet]:
    """Ten hosts of their own."""
    opened = open_fleet(10)
    yield opened
    opened.close()
