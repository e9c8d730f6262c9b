# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Going on where an earlier deployment was cut off: as ``recover``, or as a deployment of the same version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.naming import NAMED_AT_LENGTH, named
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import Progress
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.recovery import (
    GOOD_END,
    UNDO,
    HostFacts,
    Past,
    PastHost,
    Recovery,
    begin,
    decide,
    origins,
)
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store

OPTIONS_OF_PLAN = {
    "strategy": "strategy",
    "after": "after",
    "adaptive": "adaptive",
    "watch_of_plan": "watch",
    "batches": "batches",
    "max_failed": "max_failed",
    "max_unreachable": "max_unreachable",
    "pause": "pause_seconds",
}
"""What a recovery is opened with, by what the plan that was cut off calls it."""


@dataclass
class Takeover:
    """What this deployment goes on with: the unsettled deployments (newest first) and the hosts they touched. ``recovery``: what was decided, if asked."""

    chain: list[Past]
    touched: dict[str, PastHost]
    recovery: Recovery | None = None
    passed: frozenset[str] = field(default_factory=frozenset)
    must_follow: int | None = None

    @property
    def resumes(self) -> str:
        """The deployment that this one resumes."""
        return self.chain[0].identifier

    @property
    def halted(self) -> str:
        """Why the newest of them had been halted, "" when it was not: one that went on after a halt has overruled it."""
        return next((past.halted for past in self.chain if not past.undecided), "")


def look_back(store: Store, request: dict[str, Any], hosts: list[str], version: str) -> Takeover | None:
    """What a request that brings ``version`` goes on with; None for a deployment that begins anew. Asks the store, changes nothing."""
    if request["kind"] not in ("deploy", "rollback"):
        return None
    number = store.newest_number(request["fraise"], request["environment"])
    chain = store.unsettled(request["fraise"], request["environment"])
    if not chain or chain[0].version != version:
        return None
    touched = origins(chain)
    # Who deploys to a part of the fleet must not settle what he does not reach.
    return None if _left_out(touched, request, hosts) else _takeover(chain, touched, number)


def _takeover(chain: list[Past], touched: dict[str, PastHost], number: int) -> Takeover:
    passed: frozenset[str] = frozenset()
    for past in chain:
        if past.version != chain[0].version:
            break
        passed |= past.passed
    return Takeover(chain, touched, passed=passed, must_follow=number)


def _left_out(touched: Mapping[str, PastHost], request: dict[str, Any], hosts: list[str]) -> list[str]:
    """Touched hosts that the inventory has and this run has not."""
    group = set(request.get("group") or hosts)
    return [name for name in touched if name in group and name not in hosts]


def to_recover(store: Store, request: dict[str, Any], hosts: list[str]) -> tuple[dict[str, Any], Takeover | None]:
    """The request of a recovery with version, batches and budget of the deployment that was cut off; when none was, ``told`` in it says so."""
    fraise, environment = request["fraise"], request["environment"]
    number = store.newest_number(fraise, environment)
    chain = store.unsettled(fraise, environment)
    if not chain:
        newest = next(iter(store.history(fraise, environment, limit=1)), None)
        told = f"the newest deployment, {newest['identifier']}, ended {newest['status']}" if newest else "it was never deployed"
        return {**request, "told": f"Nothing needs a recovery for {fraise} in {environment}: {told}"}, None
    touched = origins(chain)
    left_out = _left_out(touched, request, hosts)
    if left_out:
        raise ValidationError(
            f"{chain[0].identifier} changed hosts that are not in this run: {named(left_out, NAMED_AT_LENGTH)}",
            hint="Recover without --limit, for the fleet must end on one version",
            context={"option": "--limit", "hosts": left_out},
        )
    plan = chain[0].plan
    same: dict[str, Any] = {name: plan[key] for name, key in OPTIONS_OF_PLAN.items() if key in plan}
    return {**request, **same, "version": chain[0].version}, _takeover(chain, touched, number)


def facts_of(check: Mapping[str, Any] | None) -> HostFacts:
    """What the recorder kept of a host's inspection, as facts for a decision."""
    if not check or check.get("outcome") not in ("ok", "unchanged"):
        return HostFacts()
    release = check.get("release") or {}
    return HostFacts(
        answered=True,
        serving=release.get("version"),
        healthy=check.get("health") != "unhealthy",
        staged=tuple(str(name) for name in check.get("releases") or []),
        cut_off=check.get("interrupted") or None,
    )


def decide_recovery(takeover: Takeover, wish: str | None, version: str, progress: Progress, checks: Mapping[str, Any]) -> Recovery:
    """Decide, and let ``progress`` follow."""
    facts = {name: facts_of((checks.get(name) or {}).get("inspect")) for name in progress.hosts}
    recovery = decide(wish, version, takeover.halted, takeover.touched, facts, progress.last_good)
    begin(progress, recovery, takeover.passed)
    takeover.recovery = recovery
    return recovery


def settled_events(takeover: Takeover, by: str) -> list[dict[str, Any]]:
    """What the record of each settled deployment is told: {deployment: its UUID, data}."""
    recovery = takeover.recovery
    data = {"how": "recovered" if recovery else "resumed", "by": f"{by} ({recovery.how})" if recovery else by}
    return [{"deployment": past.id, "data": data} for past in takeover.chain]


def ended_well(takeover: Takeover, status: str) -> bool:
    """Whether what was cut off is settled by a deployment that ended with ``status``: all on the version, or all back."""
    if takeover.recovery is not None:
        return status == GOOD_END.get(takeover.recovery.how) or status == GOOD_END[UNDO]
    return status in GOOD_END.values()
