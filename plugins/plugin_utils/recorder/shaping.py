# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a plan that a strategy decides: which batches, and what comes between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.batches import batch_widths
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.waits import bake_seconds

CANARY_KINDS = ("deploy",)
"""What repairs or goes back is not tried out first."""


WATCHED_KINDS = ("deploy",)
"""Going back is not watched: there would be nothing to go back to."""
MOST_LOOKS = 120


def watch_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """{watch: {seconds, interval, failures, looks}} of a plan whose hosts are watched after the last batch, else nothing.

    There are at most 120 looks: a longer watch looks less often. Raises ValidationError that names the option and the value.
    """
    if request.get("watch_of_plan"):
        return {"watch": request["watch_of_plan"]}
    seconds = bake_seconds(request.get("watch") or 0, "fraise_watch", "a time to watch for")
    interval = bake_seconds(request.get("watch_interval", 10), "fraise_watch_interval", "a time between two looks")
    failures = int(request.get("watch_failures", 2))
    if not 1 <= failures <= MOST_LOOKS:
        hint = f"Give after how many bad looks in a row a deployment is undone, 1 to {MOST_LOOKS}"
        raise ValidationError(f"fraise_watch_failures: {failures} is not possible", hint=hint, context={"option": "fraise_watch_failures", "value": failures})
    if not interval:
        raise ValidationError("fraise_watch_interval: 0 is no time", hint="Give seconds, such as 10", context={"option": "fraise_watch_interval", "value": 0})
    if not seconds or request["kind"] not in WATCHED_KINDS:
        return {}
    interval = min(seconds, max(interval, seconds / MOST_LOOKS))
    return {"watch": {"seconds": seconds, "interval": interval, "failures": failures, "looks": math.ceil(seconds / interval) + 1}}


def _adaptive(widths: list[int], hosts: int, request: Mapping[str, Any]) -> dict[str, Any]:
    """One batch of all hosts for Ansible, which the recorder cuts while it runs."""
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.adaptive import bounds_of

    given = request["adaptive"]
    bounds = given if isinstance(given, Mapping) else bounds_of(widths, hosts).to_dict()
    return {"batches": [hosts], "adaptive": {**bounds, "batches": math.ceil(hosts / int(bounds["least"]))}}


def shape_of(request: Mapping[str, Any], hosts: int, *, first: Callable[[], bool]) -> dict[str, Any]:
    """{strategy, batches} of a plan for ``hosts`` hosts; of a canary ``after``, too: the steps after each batch.

    ``first``: whether nothing was ever deployed, which only a canary asks. A recovery goes on with the shape of what was cut off: its request brings it.
    """
    strategy = str(request["strategy"])
    if request.get("after"):
        return {"strategy": strategy, "batches": batch_widths(hosts, request["batches"]), "after": request["after"]}
    if strategy != "canary" or request["kind"] not in CANARY_KINDS:
        widths = batch_widths(hosts, request["batches"])
        adapts = strategy == "rolling" and request.get("adaptive") and hosts > 1
        return {"strategy": strategy, **(_adaptive(widths, hosts, request) if adapts else {"batches": widths})}
    # Only a canary pays for the import.
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.canary import DEFAULT_STEPS, read_canary

    canary = read_canary(request.get("steps") or DEFAULT_STEPS, hosts, weights=bool(request.get("weights")), first=first())
    return {"strategy": strategy, "batches": canary.batches, "after": [[step.to_dict() for step in steps] for steps in canary.after]}
