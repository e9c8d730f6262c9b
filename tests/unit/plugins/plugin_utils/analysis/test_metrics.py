# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.counts import Design, Margin
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.latencies import Shift
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.metrics import Bands, bands_from, metric_from, metrics_from
from ansible_collections.fraisier.deploy.plugins.plugin_utils.analysis.thresholds import Limits


def test_a_name_is_enough_and_the_defaults_are_those_of_the_contract():
    metric = metric_from({"name": "errors"})
    assert metric.judge == Design()
    assert (metric.failure_limit, metric.error_limit, metric.inconclusive_limit) == (0, 4, 0)
    assert (metric.dry_run, metric.critical, metric.weight, metric.power) == (False, True, 1.0, 0.9)


def test_every_option_of_counts_is_read():
    metric = metric_from(
        {
            "name": "errors",
            "judge": "counts",
            "source": {"prometheus": "http://prometheus:9090"},
            "expected": "2 %",
            "detect": 0.05,
            "minimal_effect": {"ratio": 1.5, "difference": "0.1 %"},
            "tolerance": {"difference": "1%"},
            "alpha": "0.05",
            "power": 0.8,
            "clump": 20,
            "dry_run": "yes",
            "critical": False,
            "weight": 2,
            "failure_limit": "1",
            "error_limit": 0,
            "inconclusive_limit": 3,
        }
    )
    assert metric.judge == Design(0.02, 0.05, Margin(1.5, pytest.approx(0.001)), Margin(1.0, 0.01), 0.05, 20.0)
    assert metric.source == {"prometheus": "http://prometheus:9090"}
    assert (metric.dry_run, metric.critical, metric.weight, metric.power) == (True, False, 2.0, 0.8)
    assert (metric.failure_limit, metric.error_limit, metric.inconclusive_limit) == (1, 0, 3)


def test_ranks_and_thresholds_have_options_of_their_own():
    ranks = metric_from({"name": "latency", "judge": "ranks", "minimal_effect": {"difference": 0.05}, "tolerance": {"ratio": 2}})
    assert ranks.judge == Shift(Margin(1.0, 0.05), Margin(2.0, 0.0))
    assert metric_from({"name": "queue", "judge": "threshold", "ceiling": "100", "floor": -5}).judge == Limits(100.0, -5.0)


def test_what_must_be_seen_is_twice_the_expected_rate_where_errors_are_usual():
    assert metric_from({"name": "errors", "expected": "3 %"}).judge.detect == pytest.approx(0.06)
    assert metric_from({"name": "errors", "expected": "0.2 %"}).judge.detect == 0.01


@pytest.mark.parametrize(
    ("given", "option"),
    [
        ("errors", "canary_metrics[0]"),
        ({}, "canary_metrics[0].name"),
        ({"name": " "}, "canary_metrics[0].name"),
        ({"name": "e", "judge": "guess"}, "canary_metrics[0].judge"),
        ({"name": "e", "alhpa": 0.01}, "canary_metrics[0].alhpa"),
        ({"name": "e", "ceiling": 3}, "canary_metrics[0].ceiling"),
        ({"name": "e", "alpha": 0}, "canary_metrics[0].alpha"),
        ({"name": "e", "alpha": 0.5}, "canary_metrics[0].alpha"),
        ({"name": "e", "power": 1}, "canary_metrics[0].power"),
        ({"name": "e", "clump": 0}, "canary_metrics[0].clump"),
        ({"name": "e", "expected": "0 %"}, "canary_metrics[0].expected"),
        ({"name": "e", "expected": math.nan}, "canary_metrics[0].expected"),
        ({"name": "e", "detect": 1}, "canary_metrics[0].detect"),
        ({"name": "e", "detect": "101 %"}, "canary_metrics[0].detect"),
        ({"name": "e", "expected": "2 %", "detect": "1 %"}, "canary_metrics[0].detect"),
        ({"name": "e", "minimal_effect": 1.2}, "canary_metrics[0].minimal_effect"),
        ({"name": "e", "minimal_effect": {"factor": 2}}, "canary_metrics[0].minimal_effect.factor"),
        ({"name": "e", "minimal_effect": {"ratio": 0.9}}, "canary_metrics[0].minimal_effect.ratio"),
        ({"name": "e", "minimal_effect": {"ratio": 10}}, "canary_metrics[0].minimal_effect"),
        ({"name": "e", "minimal_effect": {"difference": "2 %"}}, "canary_metrics[0].minimal_effect"),
        ({"name": "e", "tolerance": {"difference": 0}}, "canary_metrics[0].tolerance"),
        ({"name": "e", "tolerance": {"difference": "5 %"}}, "canary_metrics[0].tolerance"),
        ({"name": "l", "judge": "ranks", "tolerance": {"ratio": 1}}, "canary_metrics[0].tolerance"),
        ({"name": "l", "judge": "ranks", "minimal_effect": {"difference": -1}}, "canary_metrics[0].minimal_effect.difference"),
        ({"name": "q", "judge": "threshold"}, "canary_metrics[0]"),
        ({"name": "q", "judge": "threshold", "ceiling": 1, "floor": 2}, "canary_metrics[0]"),
        ({"name": "q", "judge": "threshold", "ceiling": "high"}, "canary_metrics[0].ceiling"),
        ({"name": "e", "weight": 0}, "canary_metrics[0].weight"),
        ({"name": "e", "weight": True}, "canary_metrics[0].weight"),
        ({"name": "e", "failure_limit": 1.5}, "canary_metrics[0].failure_limit"),
        ({"name": "e", "error_limit": -1}, "canary_metrics[0].error_limit"),
        ({"name": "e", "dry_run": "perhaps"}, "canary_metrics[0].dry_run"),
        ({"name": "e", "source": "prometheus"}, "canary_metrics[0].source"),
    ],
)
def test_what_cannot_work_is_refused_by_option_with_a_remedy(given, option):
    with pytest.raises(ValidationError) as refused:
        metric_from(given)
    assert refused.value.message.startswith(f"{option}:")
    assert refused.value.context["option"] == option
    assert refused.value.hint


def test_a_misspelt_option_is_told_the_right_one():
    with pytest.raises(ValidationError, match="Did you mean alpha"):
        metric_from({"name": "e", "alhpa": 0.01})


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"name": "errors"}, "is no list"),
        ("errors", "is no list"),
        ([{"name": "a"}, {"name": "a"}], "canary_metrics[1].name"),
        ([{"name": "a", "dry_run": True}], "no metric that decides"),
        ([], "no metric that decides"),
        ([{"name": "a"}, {"name": "b", "alpha": 7}], "canary_metrics[1].alpha"),
    ],
)
def test_a_list_that_cannot_decide_is_refused(entries, told):
    with pytest.raises(ValidationError) as refused:
        metrics_from(entries)
    assert told in refused.value.message


def test_bands_have_defaults_and_an_order():
    assert bands_from({}) == Bands(95.0, 75.0)
    assert bands_from({"pass": 60}) == Bands(60.0, 60.0)
    for given in ({"pass": 50, "marginal": 60}, {"pass": 101}, {"fail": 3}, [95]):
        with pytest.raises(ValidationError):
            bands_from(given)
