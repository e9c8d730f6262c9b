# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collector that prometheus_client asks at each scrape."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ansible_collections.fraisier.deploy.monitoring.export.families import families
from ansible_collections.fraisier.deploy.monitoring.export.reading import Reader

log = logging.getLogger("fraisier.exporter")


class StoreCollector(Collector):
    """Figures from the store, read at each scrape: none is kept here, so a restart loses none.

    Without the store a scrape has ``fraisier_up 0`` and nothing else: a figure that is not known is absent, not old and not 0.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._problem: str | None = None
        self.answered = False

    def describe(self) -> Iterable[Metric]:
        """The names, for scrapes that ask for some of them only (``?name[]=``)."""
        return [_up(False), *families({})]

    def collect(self) -> Iterable[Metric]:
        """All families; ``answered`` tells afterwards whether the store gave them."""
        reading = self._reader.read()
        self.answered = reading.rows is not None
        self._tell(reading.problem)
        yield _up(self.answered)
        if reading.rows is not None:
            yield from families(reading.rows)

    def _tell(self, problem: str | None) -> None:
        """Log a trouble when it begins or changes, and its end: not once for each scrape."""
        if problem != self._problem:
            if problem:
                log.warning("%s", problem)
            else:
                log.info("The store answers again")
        self._problem = problem


def _up(answered: bool) -> Metric:
    return GaugeMetricFamily("fraisier_up", "Whether the store answered this scrape: 1 or 0", value=float(answered))
