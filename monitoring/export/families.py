# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the store's rows to metric families: names, help texts and labels are a contract with dashboards and alerts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

Rows = Sequence[Mapping[str, Any]]

CODES = ("reason", "error_type")
"""Labels whose values are error codes."""
ERROR_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True)
class Family:
    """A metric: ``rows`` names its rows among the store's figures; ``name`` is without ``_total``, which the client adds to counters."""

    kind: type[CounterMetricFamily] | type[GaugeMetricFamily] | type[HistogramMetricFamily]
    name: str
    help: str
    rows: str
    labels: tuple[str, ...]


FAMILIES = (
    Family(
        CounterMetricFamily,
        "fraisier_deployments",
        "Deployments that ended, rollbacks that were asked for among them",
        "deployments",
        ("fraise", "environment", "provider", "strategy", "status", "fraise_type"),
    ),
    Family(
        CounterMetricFamily, "fraisier_deployment_errors", "Deployments that ended with an error, by its code", "deployment_errors", ("provider", "error_type")
    ),
    Family(
        CounterMetricFamily,
        "fraisier_rollbacks",
        "Deployments that were undone, by the error code that led to it, and rollbacks that an operator asked for",
        "rollbacks",
        ("provider", "reason"),
    ),
    Family(CounterMetricFamily, "fraisier_health_checks", "Health checks of hosts within deployments", "health_checks", ("provider", "check_type", "status")),
    Family(
        HistogramMetricFamily,
        "fraisier_deployment_duration_seconds",
        "Time from opening to closing a deployment",
        "deployment_durations",
        ("provider", "status"),
    ),
    Family(
        HistogramMetricFamily,
        "fraisier_health_check_duration_seconds",
        "Time that a health check took, its attempts together",
        "health_check_durations",
        ("provider", "check_type"),
    ),
    Family(GaugeMetricFamily, "fraisier_active_deployments", "Deployments that run now", "active_deployments", ("provider",)),
    Family(
        GaugeMetricFamily,
        "fraisier_owed_hosts",
        "Hosts that were left out and must still be brought to what the fleet has",
        "owed_hosts",
        ("fraise", "environment"),
    ),
    Family(
        GaugeMetricFamily,
        "fraisier_mixed_fleet",
        "Whether hosts are recorded on different versions: 1 or 0",
        "mixed_fleet",
        ("fraise", "environment"),
    ),
    Family(
        GaugeMetricFamily,
        "fraisier_locked",
        "Whether a person or an undo keeps deployments away until somebody unlocks: 1 or 0",
        "locked",
        ("fraise", "environment"),
    ),
)


def families(figures: Mapping[str, Rows]) -> Iterator[Metric]:
    """Every family with its samples, always in the same order. ``figures`` are Store.metrics_rows; without them the families are empty."""
    for family in FAMILIES:
        metric = family.kind(family.name, family.help, labels=family.labels)
        rows = figures.get(family.rows, ())
        if isinstance(metric, HistogramMetricFamily):
            for labels, row in sorted(((_labels(family, row), row) for row in rows), key=itemgetter(0)):
                metric.add_metric(labels, buckets=_buckets(row), sum_value=float(row["sum"]))
        else:
            for labels, value in sorted(_sums(family, rows).items()):
                metric.add_metric(labels, value)
        yield metric


def _sums(family: Family, rows: Rows) -> dict[tuple[str, ...], float]:
    """Values by labels, added up where rows came to bear the same labels."""
    sums: dict[tuple[str, ...], float] = {}
    for row in rows:
        labels = _labels(family, row)
        sums[labels] = sums.get(labels, 0.0) + float(row["value"])
    return sums


def _labels(family: Family, row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(_code(str(row[name])) if name in CODES else str(row[name]) for name in family.labels)


def _code(value: str) -> str:
    """An error code in lower case; whatever is none becomes ``other``, for each new value of a label is a new time series."""
    code = value.lower()
    return code if ERROR_CODE.fullmatch(code) else "other"


def _buckets(row: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Upper bounds as Prometheus writes them (``5.0``), each with the number of values up to it."""
    bounds = [(str(float(bound)), float(count)) for bound, count in sorted(row["buckets"].items())]
    return [*bounds, ("+Inf", float(row["count"]))]
