# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb ``approve``: somebody stands behind a plan for a time, or every approval of it is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.approvals import person
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.plans import recorded_differences
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.plans import find_plan
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import ApprovalRequest, Store

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.verbs import VerbRequest

DAY_SECONDS = 86400.0
WAYS = ("give", "revoke")


def approve_plan(store: Store, request: VerbRequest) -> dict[str, Any]:
    """Approve ``request.plan`` for ``request.expires`` seconds, or with the argument ``revoke`` take all approvals back."""
    way = request.argument or "give"
    if way not in WAYS:
        raise ValidationError(f"argument: there is no {way!r}", hint=f"One of: {', '.join(WAYS)}", context={"option": "argument", "value": way})
    if not request.plan:
        raise ValidationError("plan is missing", hint="Give its hash, as fraisier.deploy.plan prints it: -e plan=HASH", context={"option": "plan"})
    plan = find_plan(store, request.plan)
    what = f"plan {plan['hash'][:12]}: {plan['document']['kind']} {plan['version']} of {plan['fraise']} in {plan['environment']}"
    seconds = DAY_SECONDS if request.expires is None else request.expires
    asked = ApprovalRequest(plan["hash"], request.user, request.run, request.reason, seconds)
    if request.check:
        return {"changed": True, "plan": plan["hash"], "msg": f"{request.user} would {'revoke the approvals of' if way == 'revoke' else 'approve'} {what}"}
    if way == "revoke":
        told = store.plans.revoke(asked)
        return {"changed": True, "plan": plan["hash"], "msg": f"{told['revoked']} approvals revoked by {request.user} of {what}"}
    drift = recorded_differences(plan["document"], store.recorded_versions(plan["fraise"], plan["environment"]), resumed=plan["applied_at"] is not None)
    told = store.plans.approve(asked)
    own = "; the same person made the plan, so it counts only where fraise_approve_own is true" if person(request.user) == person(plan["user_name"]) else ""
    msg = f"Approved by {request.user} until {told['expires_at']:%Y-%m-%d %H:%M:%S} UTC, {what}{own}"
    answer = {"changed": True, "plan": plan["hash"], "expires_at": told["expires_at"], "msg": msg}
    if drift:
        follows = "a deployment that applies it will be refused unless that is set right; make a new plan with fraisier.deploy.plan"
        answer["warnings"] = [f"What was last heard is not what the plan was made for: {'; '.join(drift)}. So {follows}"]
    return answer
