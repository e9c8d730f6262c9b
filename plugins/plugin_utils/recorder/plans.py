# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a plan of what hosts answered in check mode, and holding a deployment to the plan that it applies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DeploymentError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.approvals import without_a_plan
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.naming import named
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.plans import (
    check_prefix,
    drifted,
    expected_seconds,
    host_differences,
    plan_document,
    plan_hash,
    planned_step,
    static_differences,
    static_part,
)
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import PlanRequest, PlanUse, Store

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.opening import OpenDeployment


@dataclass
class AppliedPlan:
    """The plan that a deployment carries out. ``resumed``: it was begun before. ``held``: the hosts have been compared with it."""

    use: PlanUse
    document: dict[str, Any]
    resumed: bool
    held: bool = False
    drift: dict[str, Any] | None = None


def find_plan(store: Store, given: str) -> dict[str, Any]:
    """The plan whose hash begins with ``given``; ValidationError when the row is not what its hash says."""
    found = store.plans.find(check_prefix(given))
    if plan_hash(found["document"]) != found["hash"]:
        raise ValidationError(f"Plan {found['hash'][:12]} was altered in the store: its hash is another now", hint="Make a new plan with fraisier.deploy.plan")
    return found


def chosen_plan(store: Store, request: dict[str, Any]) -> AppliedPlan | None:
    """The plan that an opening names. NotApprovedError when there must be one: only a deployment that changes hosts forward needs approvals."""
    needed = int(request.get("approvals") or 0)
    if not request.get("plan"):
        if needed > 0 and request["kind"] == "deploy" and not request.get("check"):
            raise without_a_plan(needed)
        return None
    found = find_plan(store, str(request["plan"]))
    use = PlanUse(found["hash"], needed if found["document"]["kind"] == "deploy" else 0, bool(request.get("approve_own")))
    return AppliedPlan(use, found["document"], found["applied_at"] is not None)


def admit_plan(store: Store, applied: AppliedPlan | None, request: dict[str, Any], plan: dict[str, Any]) -> PlanUse | None:
    """Compare what this run would do with the plan, and see that it may be applied, before anything is locked or written."""
    if applied is None:
        return None
    differences = static_differences(applied.document, static_part(request, plan))
    if differences:
        raise drifted(applied.use.hash, differences)
    store.plans.admit(applied.use)
    plan["applies"] = applied.use.hash
    return applied.use


def planned_for(current: OpenDeployment, request: dict[str, Any]) -> dict[str, Any] | None:
    """What a host's staging must agree with, when a plan is applied."""
    return planned_step(current.applied.document, str(request["host"])) if current.applied and request["step"] == "stage" else None


def hold_to_plan(current: OpenDeployment) -> None:
    """Before the first batch: halt when what the hosts answered is not what the plan was made for. Nothing live has changed by then."""
    applied = current.applied
    if applied is None or applied.held:
        return
    applied.held = True
    checks = {host: steps["stage"] for host, steps in current.checks.items() if "stage" in steps}
    differences = host_differences(applied.document, checks, resumed=applied.resumed)
    if not differences:
        return
    error = drifted(applied.use.hash, differences)
    applied.drift = error.to_dict()
    current.progress.halted = current.progress.halted or f"{error.code}: {error.message}"
    for host, entry in current.progress.hosts.items():
        own = [difference for difference in differences if difference.host == host]
        if own and entry.error is None:
            entry.error = drifted(applied.use.hash, own).to_dict()


def make_plan(store: Store, current: OpenDeployment, run: str, write: bool) -> dict[str, Any]:
    """In the store's thread: the plan of an opening in check mode, written down unless ``write`` is false; with ``expected_seconds`` as of now."""
    request = current.request
    if current.identity is not None:
        raise ValidationError("A plan is made in check mode: this deployment is open and may change hosts", hint="Use the playbook fraisier.deploy.plan")
    checks = {host: current.checks.get(host, {}).get("stage") or {} for host in current.plan["hosts"]}
    unknown = [host for host, check in checks.items() if check.get("outcome") not in ("ok", "unchanged")]
    if unknown:
        raise DeploymentError(
            f"No plan can be made: {named(unknown)} cannot be deployed to or did not answer",
            hint="See their messages above; --limit plans for the other hosts",
            context={"hosts": unknown},
        )
    fraise, environment = request["fraise"], request["environment"]
    good = store.last_good(fraise, environment)
    document = plan_document(static_part(request, current.plan), checks, good.deployment if good else None)
    seconds = expected_seconds(store.plans.durations(fraise, environment), len(current.plan["groups"]))
    current.admission.staged(current.checks)
    told: dict[str, Any] = {"hash": plan_hash(document), "document": document, "made": False, "written": False, "approvals": []}
    if write:
        wanted = PlanRequest(
            hash=told["hash"],
            document=document,
            fraise=fraise,
            fraise_type=request["fraise_type"],
            environment=environment,
            version=current.version,
            expected_seconds=seconds,
            reason=request.get("reason") or "",
            user=request["user"],
            run=run,
        )
        told |= {**store.plans.make(wanted), "document": document, "written": True}
    # Not of the plan: whether it may be applied is asked again when it is.
    return {**told, "expected_seconds": seconds, "obstacles": current.admission.met}
