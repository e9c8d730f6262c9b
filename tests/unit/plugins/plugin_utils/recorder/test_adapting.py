# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches that are cut while the deployment runs, from what the hosts before took."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import Progress
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.adapting import next_batch, note_pace
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.admission import Admission
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.opening import OpenDeployment
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.shaping import shape_of

HOSTS = [f"web{number}" for number in range(1, 13)]
REQUEST: dict[str, Any] = {"kind": "deploy", "fraise": "shop_api", "environment": "test", "strategy": "rolling", "batches": [1, 4], "adaptive": True}


@pytest.fixture
def current() -> OpenDeployment:
    """A deployment of twelve hosts in batches from 1 to 4, none begun."""
    plan = {"hosts": HOSTS, "groups": [HOSTS], **shape_of(REQUEST, len(HOSTS), first=lambda: False)}
    progress = Progress.start("2.0", "1.0", HOSTS, 2)
    return OpenDeployment("2.0", plan, progress, None, None, Admission(REQUEST), request=REQUEST)


def shift(current: OpenDeployment, hosts: list[str], seconds: float, outcome: str = "ok") -> None:
    for host in hosts:
        current.progress.record(host, "activate", outcome, {"version": "2.0", "previous": "1.0"}, None, True)
        note_pace(current, {"host": host, "step": "activate", "outcome": outcome, "timings": {"verify": seconds}})


def batch(current: OpenDeployment) -> list[str]:
    told = next_batch(current)
    return list(told["hosts"]) if told else []


def test_ansible_gets_one_batch_and_the_record_the_bounds(current: OpenDeployment) -> None:
    assert current.plan["batches"] == [12]
    assert current.plan["adaptive"] == {"first": 1, "least": 1, "most": 4, "batches": 12}


def test_batches_grow_and_every_host_is_in_one_of_them(current: OpenDeployment) -> None:
    seen = []
    while hosts := batch(current):
        seen.append(hosts)
        shift(current, hosts, 2.0)
    assert [len(hosts) for hosts in seen] == [1, 2, 3, 4, 2]
    assert [host for hosts in seen for host in hosts] == HOSTS
    assert current.plan["groups"] == seen
    assert current.batches == 5


def test_slow_hosts_halve_the_next_batch_and_do_not_count_as_usual(current: OpenDeployment) -> None:
    for _batch in range(3):
        shift(current, batch(current), 2.0)
    slow = batch(current)
    assert len(slow) == 4
    shift(current, slow, 9.0)
    told = next_batch(current)
    assert told is not None
    assert (told["width"], told["reason"]) == (2, "half, for hosts took 9.0 s to be healthy, 2.0 s is usual")
    assert 9.0 not in current.adapting.usual


def test_a_failure_within_the_budget_halves_too(current: OpenDeployment) -> None:
    for _batch in range(3):
        shift(current, batch(current), 2.0)
    hosts = batch(current)
    shift(current, hosts[:3], 2.0)
    shift(current, hosts[3:], 2.0, "reverted")
    told = next_batch(current)
    assert told is not None
    assert (told["width"], told["reason"]) == (2, "half, for 1 of 4 hosts failed")


def test_a_recovery_takes_the_bounds_of_the_plan_that_was_cut_off(current: OpenDeployment) -> None:
    again = shape_of({**REQUEST, "kind": "recover", "batches": current.plan["batches"], "adaptive": current.plan["adaptive"]}, 12, first=lambda: False)
    assert again == {"strategy": "rolling", "batches": [12], "adaptive": current.plan["adaptive"]}


def test_a_canary_that_goes_back_does_not_adapt() -> None:
    back = shape_of({**REQUEST, "strategy": "canary", "kind": "rollback"}, 5, first=lambda: False)
    assert back == {"strategy": "canary", "batches": [1, 4]}


def test_one_host_has_nothing_to_adapt() -> None:
    assert shape_of(REQUEST, 1, first=lambda: False) == {"strategy": "rolling", "batches": [1]}
