# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads of a balancer's answer."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.progress_lines import progress_line

BASE: dict[str, Any] = {"balancer": "lb1", "changed": True, "timings": {"drain": 1.24, "ready": 2.0}}


@pytest.mark.parametrize(
    ("result", "line"),
    [
        ({"step": "drain", "ended": "drained"}, "lb1: drained (1.2 s)"),
        ({"step": "drain", "ended": "drained", "changed": False}, "lb1: drained already"),
        ({"step": "drain", "ended": "limit", "in_flight": 3}, "lb1: limit reached, 3 in flight after 1.2 s"),
        ({"step": "drain", "check_mode": True}, "lb1: would be drained"),
        ({"step": "undrain", "ended": "ready"}, "lb1: in service again (2.0 s)"),
        ({"step": "undrain", "ended": "ready", "changed": False}, "lb1: in service"),
        ({"step": "undrain", "ended": "left out", "changed": False}, "lb1: stays out of service, where somebody else put it"),
        ({"step": "weight", "server": {"weight": 10}}, "lb1: gets 10 % of its weight"),
        ({"step": "weight", "server": {"weight": 10}, "weighted": ["web1", "web2"]}, "lb1: web1, web2 get 10 % of the full weight"),
        ({"step": "weight", "server": {"weight": 10}, "weighted": ["w"], "changed": False}, "lb1: w gets 10 % of the full weight, as before"),
        ({"failed": True, "msg": "lb1: HAProxy is away [X]\nmore"}, "lb1: HAProxy is away [X]"),
    ],
)
def test_one_line_for_each_balancer(result: dict[str, Any], line: str) -> None:
    told = {**BASE, **result}
    assert progress_line("fraisier.deploy.traffic", "web1", told, "ok") == f"  web1  {line}"
    both = progress_line("fraisier.deploy.traffic", "web1", {"results": [told, {**told, "skipped": True}, told]}, "ok")
    assert both.splitlines() == [f"  web1  {line}"] * 2


def test_a_look_is_worth_no_line() -> None:
    assert progress_line("fraisier.deploy.traffic", "web1", {**BASE, "changed": False}, "ok") == ""
