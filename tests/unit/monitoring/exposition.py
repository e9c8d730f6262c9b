# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what the exporter wrote, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    """Every sample by its name and labels; a sample told twice is an error."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            if key in found:
                raise ValueError(f"told twice: {sample.name} {sample.labels}")
            found[key] = sample.value
    return found


def value(text: str, name: str, **labels: str) -> float:
    """The sum of all samples of ``name`` that bear these labels, among others; KeyError when there is none."""
    wanted = set(labels.items())
    fitting = [number for (found, pairs), number in samples(text).items() if found == name and wanted <= pairs]
    if not fitting:
        raise KeyError(f"{name} {labels}")
    return sum(fitting)


def counters(text: str) -> Mapping[tuple[str, frozenset[tuple[str, str]]], float]:
    """The samples that may only grow: counters, and the parts of histograms."""
    growing = {family.name for family in text_string_to_metric_families(text) if family.type in ("counter", "histogram")}
    endings = ("_total", "_bucket", "_count", "_sum")
    return {key: number for key, number in samples(text).items() if any(key[0] == f"{name}{ending}" for name in growing for ending in endings)}
