# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the judges cry wolf, how often and when they see harm, beside plain tests; and the Mann-Whitney test beside scipy's. Fixed seeds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis import counts, latencies
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.counts import Design, Margin
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.power import Traffic, power_statement
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.ranks import mann_whitney
from tests.bench import streams
from tests.bench.conftest import Bench
from tests.bench.streams import NEVER, Streams

RUNS = 2000
FISHERS = 500
"""So many runs are judged by Fisher's test."""
CHECKED = 8
"""So many runs of each row are also judged by the code itself, minute by minute."""
FALSE_ALARMS, MISSED = 1.0, 10.0
"""Percent of the runs, at the most."""
SMALL, EQUAL, LARGE, LARGE_EQUAL = (20, 180), (20, 20), (200, 1800), (200, 200)
TABLE = Path(__file__).resolve().parents[2] / "build" / "judges.md"
HEAD = (
    "| error rate, baseline -> canary | requests/min, canary / baseline; minutes | limit 99 % | Fisher, once | Fisher, each minute | e-process, not widened "
    "| **ours: rolled back** | median minutes | ours: cleared | ours: pauses |",
    "|---|---|---|---|---|---|---|---|---|---|",
)
GOOD = [(0.0001, SMALL), (0.001, SMALL), (0.005, SMALL), (0.02, SMALL), (0.1, SMALL), (0.3, SMALL), (0.02, EQUAL), (0.001, LARGE), (0.02, LARGE)]
BAD = [
    (0.001, 0.01, SMALL, 60, MISSED),
    (0.001, 0.01, EQUAL, 60, None),
    (0.001, 0.03, SMALL, 10, None),
    (0.001, 0.03, SMALL, 60, MISSED),
    (0.001, 0.05, SMALL, 10, MISSED),
    (0.02, 0.04, SMALL, 60, None),
    (0.001, 0.01, LARGE, 30, MISSED),
    (0.02, 0.04, LARGE, 30, MISSED),
]
CLUMPS = [(rate, traffic, clump) for traffic in (SMALL, LARGE, LARGE_EQUAL) for rate, clump in ((0.001, 50), (0.005, 50), (0.02, 50), (0.02, 5), (0.1, 50))]


@pytest.fixture(scope="module")
def table() -> Iterator[list[str]]:
    """Rows for docs/analysis.md, printed and written to build/judges.md."""
    rows: list[str] = []
    yield rows
    text = "\n".join([*HEAD, *rows])
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text(text + "\n", encoding="utf-8")
    print(f"\n{text}\n")


def design_for(baseline: float, canary: float | None = None) -> Design:
    """As one would configure a service with this rate: ten times as many errors must be seen where there are few, twice as many where there are some."""
    detect = max(0.01, 2 * baseline) if canary is None else min(canary, max(0.01, 2 * baseline))
    return Design(expected=baseline, detect=detect, tolerated=Margin(1.0, detect - baseline))


def judged_by_the_code(made: Streams, run: int, design: Design, history: np.ndarray | None) -> int:
    """The minute at which the code rolls back this run."""
    state = counts.Counts()
    for errors in [] if history is None else history[run]:
        state = counts.learn(state, made.baseline_requests, float(errors))
    for minute in range(made.canary.shape[1]):
        canary, baseline = (made.requests, float(made.canary[run, minute])), (made.baseline_requests, float(made.baseline[run, minute]))
        state = counts.add(state, design, canary, baseline)
        if counts.finding(state, design).harmful:
            return minute + 1
    return NEVER


def row(table: list[str], name: str, made: Streams, design: Design, history: np.ndarray | None = None) -> tuple[float, float]:
    """One line of the table; the percent of runs that ours rolls back, and clears."""
    harm, clear = streams.ours(made, design, history=history)
    plain, _ = streams.ours(made, design, widened=False, history=history)
    for run in range(CHECKED):
        assert judged_by_the_code(made, run, design, history) == harm[run]
    looks = streams.fisher(made, FISHERS)
    stopped = (harm < NEVER) & (harm <= clear)
    cleared = (clear < NEVER) & (clear < harm)
    alarmed = 100.0 * (harm < NEVER).mean()  # also those that had been cleared before
    minutes = f"{np.median(harm[stopped]):.0f}" if stopped.mean() > 0.01 else ""
    others = [100.0 * streams.limit(made).mean(), 100.0 * looks[:, -1].mean(), 100.0 * looks.any(1).mean(), 100.0 * (plain < NEVER).mean()]
    shares = [f"{share:.1f}" for share in others] + [
        f"**{alarmed:.1f}**",
        minutes,
        f"{100.0 * cleared.mean():.1f}",
        f"{100.0 * (~stopped & ~cleared).mean():.1f}",
    ]
    table.append(f"| {name} | {made.requests} / {made.baseline_requests}; {made.canary.shape[1]} | {' | '.join(shares)} |")
    return float(alarmed), float(100.0 * cleared.mean())


def rates(baseline: float, canary: float) -> str:
    return f"{100 * baseline:g} -> {100 * canary:g} %"


@pytest.mark.parametrize(("rate", "traffic"), GOOD)
def test_a_release_as_good_as_the_baseline_is_hardly_ever_rolled_back(bench: Bench, table: list[str], rate: float, traffic: tuple[int, int]) -> None:
    made = streams.independent(np.random.default_rng(1), RUNS, 60, traffic, (rate, rate))
    alarmed, _cleared = row(table, rates(rate, rate), made, design_for(rate))
    bench.add(f"judges: false alarms at {100 * rate:g} %, {traffic[0]}/{traffic[1]} a minute", [alarmed], "%", FALSE_ALARMS)


@pytest.mark.parametrize(("baseline", "canary", "traffic", "minutes", "missed"), BAD)
def test_a_worse_release_is_rolled_back(
    bench: Bench, table: list[str], baseline: float, canary: float, traffic: tuple[int, int], minutes: int, missed: float | None
) -> None:
    made = streams.independent(np.random.default_rng(2), RUNS, minutes, traffic, (baseline, canary))
    alarmed, cleared = row(table, rates(baseline, canary), made, design_for(baseline, canary))
    bench.add(f"judges: wrongly cleared {rates(baseline, canary)}, {traffic[0]}/{traffic[1]} a minute, {minutes} min", [cleared], "%", FALSE_ALARMS)
    bench.add(f"judges: missed {rates(baseline, canary)}, {traffic[0]}/{traffic[1]} a minute, {minutes} min", [100.0 - alarmed], "%", missed)


@pytest.mark.parametrize(("rate", "traffic", "clump"), CLUMPS)
def test_errors_that_come_in_clumps_are_no_false_alarms(bench: Bench, table: list[str], rate: float, traffic: tuple[int, int], clump: int) -> None:
    made = streams.clumped(np.random.default_rng(3), RUNS, 60, traffic, (rate, rate), clump)
    alarmed, _cleared = row(table, f"{rates(rate, rate)}, {clump} at once", made, design_for(rate))
    bench.add(f"judges: false alarms at {100 * rate:g} %, {traffic[0]}/{traffic[1]} a minute, {clump} at once", [alarmed], "%", FALSE_ALARMS)


@pytest.mark.parametrize("traffic", [SMALL, LARGE])
def test_neither_are_errors_of_which_half_come_alone(bench: Bench, table: list[str], traffic: tuple[int, int]) -> None:
    made = streams.clumped(np.random.default_rng(4), RUNS, 60, traffic, (0.01, 0.01), 50, singles=0.5)
    alarmed, _cleared = row(table, f"{rates(0.01, 0.01)}, half of them 50 at once", made, design_for(0.01))
    bench.add(f"judges: false alarms at 1 %, {traffic[0]}/{traffic[1]} a minute, half of them 50 at once", [alarmed], "%", FALSE_ALARMS)


def test_harm_is_seen_through_clumps(bench: Bench, table: list[str]) -> None:
    made = streams.clumped(np.random.default_rng(5), RUNS, 60, LARGE, (0.001, 0.02), 10)
    alarmed, _cleared = row(table, f"{rates(0.001, 0.02)}, 10 at once", made, design_for(0.001))
    bench.add("judges: missed 0.1 -> 2 %, 200/1800 a minute, 10 at once", [100.0 - alarmed], "%", MISSED)


@pytest.mark.parametrize("traffic", [SMALL, LARGE])
def test_what_comes_in_rare_clumps_is_easily_missed(bench: Bench, table: list[str], traffic: tuple[int, int]) -> None:
    """No bound: a canary that had no clump yet looks like a good one, to every judge."""
    made = streams.clumped(np.random.default_rng(11), RUNS, 60, traffic, (0.001, 0.01), 50)
    alarmed, _cleared = row(table, f"{rates(0.001, 0.01)}, 50 at once", made, design_for(0.001))
    history = streams.clumped(np.random.default_rng(12), RUNS, 480, traffic, (0.001, 0.001), 50).baseline
    row(table, f"{rates(0.001, 0.01)}, 50 at once, 8 hours of the baseline known", made, design_for(0.001), history)
    bench.add(f"judges: missed 0.1 -> 1 %, {traffic[0]}/{traffic[1]} a minute, 50 at once", [100.0 - alarmed], "%", None)


def test_who_knows_the_baseline_from_before_stops_sooner(bench: Bench, table: list[str]) -> None:
    rng = np.random.default_rng(6)
    made = streams.independent(rng, RUNS, 30, LARGE, (0.001, 0.01))
    history = rng.binomial(LARGE[1], 0.001, (RUNS, 30))
    row(table, f"{rates(0.001, 0.01)}, 30 minutes of the baseline known", made, design_for(0.001), history)
    harm, _ = streams.ours(made, design_for(0.001), history=history)
    bench.add("judges: minutes to stop 0.1 -> 1 %, 200/1800 a minute, baseline known", [float(np.median(harm))], "min", 5.0)


def test_the_power_statement_says_what_simulations_say(bench: Bench) -> None:
    """The chance that was promised for the watch, against the part of the runs in which it came true."""
    off = []
    for baseline, canary, traffic, watch in ((0.001, 0.01, SMALL, 60), (0.001, 0.01, EQUAL, 60), (0.02, 0.04, SMALL, 60), (0.001, 0.01, (5, 95), 180)):
        design = design_for(baseline, canary)
        statement = power_statement(design, Traffic(*traffic), watch)
        bad = streams.ours(streams.independent(np.random.default_rng(7), RUNS, watch, traffic, (baseline, canary)), design)[0]
        good = streams.ours(streams.independent(np.random.default_rng(8), RUNS, watch, traffic, (baseline, baseline)), design)[1]
        off += [abs(statement.chance_to_see - (bad < NEVER).mean()), abs(statement.chance_to_clear - (good < NEVER).mean())]
    bench.add("judges: power promised and seen differ by, worst of 8", [100.0 * float(max(off))], "%", 5.0)


def latency_runs(factor: float, runs: int, minutes: int = 60) -> list[tuple[int, int]]:
    """For each run the minutes at which harm and safety were shown; latencies are log-normal, a canary's ``factor`` times as long."""
    rng, found = np.random.default_rng(9), []
    for _ in range(runs):
        state, harm, safety = latencies.Latencies(), NEVER, NEVER
        for minute in range(1, minutes + 1):
            state = latencies.add(state, latencies.Shift(), (factor * rng.lognormal(0, 0.5, 20)).tolist(), rng.lognormal(0, 0.5, 180).tolist())
            harm = min(harm, minute if latencies.shown(state.harm, latencies.Shift()) else NEVER)
            safety = min(safety, minute if latencies.shown(state.safety, latencies.Shift()) else NEVER)
            if harm < NEVER:
                break
        found.append((harm, safety))
    return found


@pytest.mark.parametrize(("factor", "bound"), [(1.0, FALSE_ALARMS), (1.1, FALSE_ALARMS), (1.5, None)])
def test_latencies(bench: Bench, factor: float, bound: float | None) -> None:
    found = latency_runs(factor, 300)
    alarmed = 100.0 * sum(harm < NEVER for harm, _ in found) / len(found)
    if bound is not None:
        bench.add(f"judges: false alarms on latencies, {factor:g} times as long, 20/180 a minute", [alarmed], "%", bound)
    else:
        bench.add(f"judges: missed latencies {factor:g} times as long, 20/180 a minute", [100.0 - alarmed], "%", MISSED)
        bench.add(f"judges: minutes to stop latencies {factor:g} times as long", [float(harm) for harm, _ in found], "min", None)


def test_mann_whitney_equals_scipys_and_is_quick(bench: Bench) -> None:
    rng, worst, taken = np.random.default_rng(10), 0.0, []
    for _ in range(300):
        sizes = rng.integers(1, 30, 2)
        one, two = rng.normal(size=sizes[0]), rng.normal(0.3, size=sizes[1])
        for rounded in (False, True):
            first, second = (one.round(), two.round()) if rounded else (one, two)
            for alternative in ("greater", "less", "two-sided"):
                for method in ("asymptotic",) if rounded else ("asymptotic", "exact"):
                    with np.errstate(all="ignore"):
                        theirs = stats.mannwhitneyu(first, second, alternative=alternative, method=method)
                    mine = mann_whitney(first.tolist(), second.tolist(), alternative, method)
                    worst = max(worst, abs(mine.p - theirs.pvalue), abs(mine.u - theirs.statistic))
    bench.add("judges: Mann-Whitney, largest difference to scipy in 10^-12", [float(worst) * 1e12], "", 1.0)
    for _ in range(9):
        one, two = ([round(value, 4) for value in rng.lognormal(size=5000).tolist()] for _side in range(2))
        began = time.perf_counter()
        mann_whitney(one, two)
        taken.append(time.perf_counter() - began)
    bench.add("judges: Mann-Whitney of 2 x 5,000 values", taken, "s", 0.05)
