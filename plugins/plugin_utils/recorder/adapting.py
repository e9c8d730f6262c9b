# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches whose width adapts while the deployment runs: which hosts are next, and how their batch went. Loaded when a plan has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.adaptive import Bounds, Pace, next_width
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import BAD

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.opening import OpenDeployment


@dataclass
class Adapting:
    """``width`` and ``why`` of the batch that is next; ``took``: host to its seconds; ``usual``: those of healthy batches."""

    bounds: Bounds
    width: int
    why: str = "the first"
    took: dict[str, float] = field(default_factory=dict)
    usual: list[float] = field(default_factory=list)


def adapting(current: OpenDeployment) -> Adapting:
    """What is known so far; the first question makes the plan's one batch of all hosts into none, to be filled batch by batch."""
    known: Adapting | None = current.adapting
    if known is not None:
        return known
    given = current.plan["adaptive"]
    bounds = Bounds(int(given["first"]), int(given["least"]), int(given["most"]))
    begun = current.adapting = Adapting(bounds, bounds.first)
    current.plan["groups"] = []
    return begun


def next_batch(current: OpenDeployment) -> dict[str, Any] | None:
    """Cut the next batch off the hosts that are left: the data of the event that says so, None when none is left."""
    state = adapting(current)
    _take_stock(current, state)
    begun = {host for group in current.plan["groups"] for host in group}
    left = [host for host in current.plan["hosts"] if host not in begun]
    if not left:
        return None
    batch = left[: state.width]
    current.plan["groups"].append(batch)
    return {"batch": len(current.plan["groups"]), "width": len(batch), "hosts": batch, "left": len(left) - len(batch), "reason": state.why}


def note_pace(current: OpenDeployment, request: Mapping[str, Any]) -> None:
    """A host has shifted: how long it took to be healthy. One in which nothing changed says nothing."""
    seconds = (request.get("timings") or {}).get("verify")
    if request["step"] == "activate" and request["outcome"] == "ok" and isinstance(seconds, (int, float)):
        adapting(current).took[str(request["host"])] = float(seconds)


def _take_stock(current: OpenDeployment, state: Adapting) -> None:
    """What the batch that has ended means for the next one."""
    if not current.plan["groups"]:
        return
    batch = current.plan["groups"][-1]
    failed = sum(current.progress.hosts[host].state in BAD for host in batch)
    pace = Pace([state.took[host] for host in batch if host in state.took], failed)
    before = state.width
    state.width, state.why = next_width(state.bounds, len(batch), pace, state.usual)
    if state.width >= before:
        state.usual += pace.seconds
