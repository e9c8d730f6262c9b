# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a plan that a strategy decides: which batches, and what comes between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.batches import batch_widths

CANARY_KINDS = ("deploy",)
"""What repairs or goes back is not tried out first."""


def shape_of(request: Mapping[str, Any], hosts: int, *, first: bool) -> dict[str, Any]:
    """{strategy, batches} of a plan for ``hosts`` hosts; of a canary ``after``, too: the steps after each batch. ``first``: nothing was ever deployed.

    A recovery goes on with the shape of what was cut off, which its request brings along.
    """
    strategy = str(request["strategy"])
    if request.get("after"):
        return {"strategy": strategy, "batches": batch_widths(hosts, request["batches"]), "after": request["after"]}
    if strategy != "canary" or request["kind"] not in CANARY_KINDS:
        return {"strategy": strategy, "batches": batch_widths(hosts, request["batches"])}
    # Only a canary pays for the import.
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.canary import DEFAULT_STEPS, read_canary

    canary = read_canary(request.get("steps") or DEFAULT_STEPS, hosts, weights=bool(request.get("weights")), first=first)
    return {"strategy": strategy, "batches": canary.batches, "after": [[step.to_dict() for step in steps] for steps in canary.after]}
