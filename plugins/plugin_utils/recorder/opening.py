# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a deployment comes into being: its version, its plan, its lock and its row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.batches import allowance, split
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import Progress
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.recovery import take_over
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.waits import Waits, bake_seconds
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.admission import Admission
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.debts import catchup, empty_plan, owes, unreachable_budget
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.plans import AppliedPlan, admit_plan, chosen_plan
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.recovering import Takeover, look_back, to_recover
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.rollbacks import require_known, rollback_target
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.shaping import shape_of, watch_of
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Lease, Opened, OpenRequest, Store


@dataclass
class OpenDeployment:
    """The deployment of this run. ``lease`` and ``identity`` are None in check mode, which writes nothing."""

    version: str
    plan: dict[str, Any]
    progress: Progress
    identity: Opened | None
    lease: Lease | None
    admission: Admission
    closed: bool = False
    batches_seen: int = 0
    owes: bool = True
    recorded: Mapping[str, str | None] = field(default_factory=dict)
    cut_off: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    checks: dict[str, dict[str, Any]] = field(default_factory=dict)
    request: dict[str, Any] = field(default_factory=dict)
    applied: AppliedPlan | None = None
    takeover: Takeover | None = None
    waits: Waits = field(default_factory=Waits)
    opened_at: float = 0.0
    usual_seconds: float | None = None
    waited: bool = False
    halt_told: bool = False
    bad_looks: dict[str, int] = field(default_factory=dict)
    adapting: Any = None

    @property
    def batches(self) -> int:
        """How many batches there are, or so far when their width adapts."""
        return len(self.plan["groups"] if self.plan.get("adaptive") else self.plan["batches"])


def open_in_store(store: Store, request: dict[str, Any], hosts: list[str], run: str, lease_seconds: float, admission: Admission) -> dict[str, Any]:
    """In the store's thread: find the version of a rollback, plan, and (but for check mode) take the lock and write the deployment."""
    fraise, environment = request["fraise"], request["environment"]
    applied = chosen_plan(store, request)
    digest = takeover = None
    if request["kind"] == "recover":
        request, takeover = to_recover(store, request, hosts)
        if takeover is None:
            return {"version": "", "plan": empty_plan(""), "identity": None, "good": None, "nothing": True, "told": request["told"]}
    version = request.get("version") or (applied.document["version"] if applied else "")
    if request["kind"] == "catchup":
        wanted = catchup(store, request, hosts)
        if not wanted.hosts:
            return {"version": wanted.version, "plan": empty_plan(wanted.version), "identity": None, "good": wanted.version, "nothing": True}
        version, digest, hosts = wanted.version, wanted.digest, wanted.hosts
    if not version:
        if request["kind"] != "rollback":
            raise ValidationError("version is missing", hint="Give it with -e version=1.4.2")
        version = rollback_target(store, fraise, environment)
    elif request["kind"] == "rollback" and not admission.override:
        require_known(store, fraise, environment, version)
    takeover = takeover or look_back(store, request, hosts, version)
    admission.version = version
    # Before the lock is asked for: whoever would wait for it is told at once, and check mode is told, too.
    admission.judge(store.admissions.facts(fraise, environment, version))
    shape = shape_of(request, len(hosts), first=lambda: not store.recorded_versions(fraise, environment))
    widths = shape["batches"]
    plan = {
        "version": version,
        "hosts": hosts,
        **shape,
        "groups": split(hosts, widths),
        "max_failed": allowance(len(hosts), request["max_failed"], "rolling_max_failed"),
        "max_unreachable": unreachable_budget(request, len(hosts)),
        "pause_seconds": bake_seconds(request.get("pause") or 0),
        **watch_of(request),
    }
    if digest is not None:
        plan["digest"] = digest
    use = admit_plan(store, applied, request, plan)
    if request.get("check"):
        if request["kind"] == "recover":
            store.require_unlocked(fraise, environment)
        good = store.last_good(fraise, environment)
        told = {"version": version, "plan": plan, "identity": None, "good": good.version if good else None}
        return {**told, "applied": applied, "takeover": takeover}
    opened = store.open_deployment(
        OpenRequest(
            run=run,
            owner=str(uuid7()),
            owner_name=request["owner_name"],
            fraise=fraise,
            fraise_type=request["fraise_type"],
            environment=environment,
            kind=request["kind"],
            version=version,
            provider=request["provider"],
            strategy=request["strategy"],
            reason=request.get("reason") or "",
            user=request["user"],
            hosts=hosts,
            plan=plan,
            options=request.get("options") or {},
            lease_seconds=lease_seconds,
            at=datetime.now(UTC),
            applies=use,
            scope=request.get("scope") or "whole",
            resumes=takeover.resumes if takeover else None,
            must_follow=takeover.must_follow if takeover else None,
            override=admission.override,
        ),
        admission.judge,
    )
    told = {"version": version, "plan": plan, "identity": opened, "good": opened.previous_version, "applied": applied}
    return {**told, "owes": owes(store, request, version), "takeover": takeover}


def opened(request: dict[str, Any], admission: Admission, answer: dict[str, Any]) -> OpenDeployment:
    """The deployment that :func:`open_in_store` made; one that goes on with an earlier one knows what that one had changed."""
    plan = answer["plan"]
    identity: Opened | None = answer["identity"]
    current = OpenDeployment(
        version=answer["version"],
        plan=plan,
        progress=Progress.start(answer["version"], answer["good"], plan["hosts"], plan["max_failed"], plan["max_unreachable"]),
        identity=identity,
        lease=identity.lease if identity else None,
        admission=admission,
        request=request,
        applied=answer["applied"],
        owes=answer.get("owes", True),
        takeover=answer.get("takeover"),
        waits=Waits(float(plan["pause_seconds"])),
    )
    if current.takeover is not None and request["kind"] != "recover":
        take_over(current.progress, current.takeover.touched, current.takeover.passed)
    return current
