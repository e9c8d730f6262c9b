# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations that actions ask of the recorder: open, intent, outcome, gate, close, operate, query. One open deployment a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    DatabaseError,
    DeploymentError,
    DeploymentLockedError,
    FencedError,
    FraisierError,
    LeaseLostError,
    NoOpenDeploymentError,
    ValidationError,
)
from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.batches import allowance, batch_widths
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.waits import bake_seconds
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder import comparing, debts
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.admission import Admission
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.closing import closing_answer, closing_data
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.gates import Gates
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.leases import NEVER, LeaseKeeper
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.obedience import Obedience
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.opening import OpenDeployment, open_in_store, opened
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.plans import make_plan, planned_for
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.questions import Reply
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.recovering import decide_recovery, ended_well, settled_events
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.sink import Job, Sink
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Event, Store

SURE_OF_LEASE = ("intent", "gate", "close")
"""Operations after which something changes, or is said for good: no answer on a lease that may be another's."""


SPEAK_FOR_THEMSELVES = ("fraisier.deploy.release", "fraisier.deploy.traffic")
"""Actions that tell the outcome of their step."""


class Operations(Gates):
    """Answers the socket. Every method gets the request and a ``reply`` that may be called now or once something is safe in the store."""

    def __init__(self, settings: dict[str, Any], sink: Sink, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings, self.sink, self.clock = settings, sink, clock
        self.run: str = settings["run"]
        self.current: OpenDeployment | None = None
        self.keeper: LeaseKeeper | None = None
        self.over = ""
        self._numbers = 0
        self.obedience = Obedience(sink, self.emit, clock)

    def handle(self, request: dict[str, Any], reply: Reply) -> None:
        """Route one request; what is wrong with it is answered, never raised."""
        operation = str(request.get("op"))
        method = getattr(self, f"_op_{operation}", None)
        try:
            if method is None:
                hint = "The recorder and the actions are of different versions: install the collection again"
                raise ValidationError(f"Unknown operation {operation}", hint=hint)
            if self.keeper is not None and operation in SURE_OF_LEASE and not self.keeper.sure():
                self.keeper.make_sure(lambda: self.handle(request, reply))
                return
            method(request, reply)
        except FraisierError as error:
            reply({"ok": False, "error": error.to_dict()})
        except Exception as exception:  # one bad request must not end the recorder of a whole deployment
            text = f"Unexpected error in the recorder: {type(exception).__name__}: {exception}"
            reply({"ok": False, "error": FraisierError(text, category="INTERNAL", hint="Please report this").to_dict()})

    def emit(
        self, event_type: str, data: dict[str, Any], host: str | None = None, done: Callable[[], None] | None = None, deployment: str | None = None
    ) -> None:
        """Record an event of the open deployment (or of ``deployment``, an earlier one's UUID); in check mode only ``done`` happens."""
        current = self.current
        if current is None or current.identity is None:
            if done:
                done()
            return
        self._submit(event_type, data, host, deployment or current.identity.id, done)

    def _submit(
        self, event_type: str, data: dict[str, Any], host: str | None = None, deployment: str | None = None, done: Callable[[], None] | None = None
    ) -> None:
        self._numbers += 1
        event = Event(
            run=self.run,
            source="recorder",
            seq=self._numbers,
            at=datetime.now(UTC),
            type=event_type,
            deployment=deployment,
            host=host,
            data=data,
        )
        self.sink.submit(event, done)

    # -- open ---------------------------------------------------------------------------------------------------------------------------------

    def _op_open(self, request: dict[str, Any], reply: Reply) -> None:
        if self.current is not None and not self.current.closed:
            hint = "One playbook run brings one fraise to one version; start another run for the next"
            raise DeploymentError("A deployment is open in this run already", hint=hint)
        hosts = list(request["hosts"])
        batch_widths(len(hosts), request["batches"])
        allowance(len(hosts), request["max_failed"], "rolling_max_failed")
        debts.unreachable_budget(request, len(hosts))
        bake_seconds(request.get("pause") or 0)
        admission = Admission(request)

        def ask(store: Store) -> dict[str, Any]:
            return open_in_store(store, request, hosts, self.run, float(self.settings["lease"]), admission)

        def done(answer: Any, failure: FraisierError | None) -> None:
            if failure is not None:
                self._refused(request, failure)
                reply({"ok": False, "error": failure.to_dict()})
                return
            if answer.get("nothing"):
                reply({"ok": True, "deployment": debts.nothing_owed(answer)})
                return
            self._opened(request, admission, answer)
            reply({"ok": True, "deployment": self.describe()})
            debts.learn_recorded(self.sink, self._open(), request["fraise"], request["environment"])
            comparing.compare(self.sink, self, self._open(), self.clock())

        self.sink.ask(Job(ask, done))

    def _opened(self, request: dict[str, Any], admission: Admission, answer: dict[str, Any]) -> None:
        self.current = opened(request, admission, answer)
        self.keeper = LeaseKeeper(self.current, self.settings, self.sink.ask, self.emit, self.clock)
        # The run may have ended while the store was still opening.
        if self.over == "gone":
            self.controller_gone()
        elif self.over == "ended":
            self.run_ended()

    def _refused(self, request: dict[str, Any], failure: FraisierError) -> None:
        """A deployment that was refused is recorded too: who wanted what, and why not. A lock that is waited for and a store that is away are no refusals."""
        waited_for = isinstance(failure, DeploymentLockedError) and not failure.context.get("hold")
        if request.get("check") or waited_for or isinstance(failure, DatabaseError):
            return
        keys = ("fraise", "environment", "kind", "version", "plan", "hosts", "user", "owner_name", "reason")
        self._submit("deployment.refused", {**{key: request.get(key) for key in keys}, "error": failure.to_dict()})

    def _op_plan(self, request: dict[str, Any], reply: Reply) -> None:
        """The plan of this run's opening in check mode."""
        current = self._open()

        def done(answer: Any, failure: FraisierError | None) -> None:
            reply({"ok": False, "error": failure.to_dict()} if failure else {"ok": True, "plan": answer})

        current.closed = True
        self.sink.ask(Job(lambda store: make_plan(store, current, self.run, bool(request.get("write"))), done))

    def describe(self) -> dict[str, Any]:
        """The open deployment as actions return it."""
        current = self._open()
        identity = current.identity
        return {
            "id": identity.id if identity else None,
            "identifier": identity.identifier if identity else None,
            "number": identity.number if identity else None,
            "version": current.version,
            "resumes": current.takeover.resumes if current.takeover else None,
            "last_good": current.progress.last_good,
            "token": current.lease.token if current.lease else None,
            "plan": current.plan,
        }

    def require_none_open(self) -> None:
        """Refuse what would keep the store from the open deployment of this run."""
        if self.current is not None and not self.current.closed:
            raise DeploymentError("A deployment is open in this run", hint="Look after the store in a playbook run of its own")

    def _open(self) -> OpenDeployment:
        if self.current is None:
            hint = "Start with the action fraisier.deploy.deployment and state=open, as the playbook fraisier.deploy.deploy does"
            raise NoOpenDeploymentError("No deployment is open in this run", hint=hint)
        return self.current

    # -- steps --------------------------------------------------------------------------------------------------------------------------------

    def _op_intent(self, request: dict[str, Any], reply: Reply) -> None:
        if self.current is None:
            reply({"ok": True, "step_id": None, "fence": None, "digest": None})
            return
        current = self.current
        if request["step"] != "inspect":
            self._require_controller()
            if current.progress.lease_lost:
                hint = "Look at the playbook fraisier.deploy.status, then deploy again"
                raise LeaseLostError("Another deployment has taken the lock; this one changes nothing more", hint=hint)
        step_id = str(uuid7())
        lease = current.lease
        fence = {"token": lease.token, "owner": lease.owner, "owner_name": current.request["owner_name"]} if lease else None
        data = {"step_id": step_id, **{key: request.get(key) for key in ("step", "version", "attempt")}}
        data["target"] = data.pop("version")
        data["batch"] = next((number for number, group in enumerate(current.plan["groups"], start=1) if request["host"] in group), None)
        answer = {"ok": True, "step_id": step_id, "fence": fence, "planned": planned_for(current, request), "digest": current.plan.get("digest")}
        self.emit("step.intent", data, request["host"], lambda: reply(answer))

    def _require_controller(self) -> None:
        """Workers outlive their controller for a moment: what they ask then must not count as a gate that was passed, or begin another step."""
        if self.over == "gone":
            raise DeploymentError("The run was interrupted; this deployment changes nothing more", hint="Run the playbook fraisier.deploy.recover")

    def _op_outcome(self, request: dict[str, Any], reply: Reply) -> None:
        if self.current is None:
            reply({"ok": True})
            return
        host, step = request["host"], request["step"]
        health = str((request.get("health") or {}).get("status") or "")
        self.current.progress.record(host, step, request["outcome"], request.get("release"), request.get("error"), request.get("changed"), health)
        if step == "verify" and self.current.plan.get("watch"):
            from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.watching import take_look

            take_look(self.current, request)
        if self.current.plan.get("adaptive"):
            from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.adapting import note_pace

            note_pace(self.current, request)
        kept = {key: request.get(key) for key in ("changed", "outcome", "release", "error", "options", "releases", "interrupted")}
        self.current.checks.setdefault(host, {})[step] = {**kept, "health": health}
        if (request.get("error") or {}).get("code") == FencedError.code and self.keeper is not None:
            self.keeper.give_up(FencedError(f"{host} refused: {request['error'].get('message')}"))
        keys = ["step_id", "step", "outcome", "changed", "release", "health", "timings", "error", *(["traffic"] if request.get("traffic") else [])]
        drift = debts.drift(self.current, request)
        if drift and not drift.get("cut_off"):
            self.emit("host.drifted", drift, host)
        self.emit("step.outcome", {key: request.get(key) for key in keys}, host, lambda: reply({"ok": True, "drift": drift}))

    def observe(self, event: Event) -> None:
        """A task that failed before its action could speak (an undefined variable, refused options) counts as that host's failure."""
        current = self.current
        if current is None or current.closed or event.host is None or event.type not in ("task.failed", "task.unreachable"):
            return
        if current.progress.lease_lost:
            return  # refusing to go on is no failure of a host
        message = str(event.data.get("message", ""))
        error = {"code": "DEPLOYMENT_ERROR", "category": "UNKNOWN", "message": message, "hint": f"See the task {event.data.get('name')}"}
        if current.progress.note_failure(event.host, error, spoken=event.data.get("action") in SPEAK_FOR_THEMSELVES):
            told = {"step_id": str(uuid7()), "step": "task", "outcome": "failed", "changed": False, "error": error}
            self.emit("step.outcome", told, event.host)

    # -- recover ------------------------------------------------------------------------------------------------------------------------------

    def _op_recover(self, request: dict[str, Any], reply: Reply) -> None:
        """Decide from what the hosts answered whether what was cut off is finished or undone."""
        current = self._open()
        if current.takeover is None or current.request["kind"] != "recover":
            raise ValidationError("There is nothing to recover in this run", hint="Run the playbook fraisier.deploy.recover")
        recovery = decide_recovery(current.takeover, request.get("wish"), current.version, current.progress, current.checks)
        told = {"how": recovery.how, "reason": recovery.reason, "resumes": current.takeover.resumes}
        self.emit("recovery.decided", told, None, lambda: reply({"ok": True, **told, "deployment": self.describe()}))

    # -- close --------------------------------------------------------------------------------------------------------------------------------

    def _op_close(self, request: dict[str, Any], reply: Reply) -> None:
        current = self._open()
        status, reason = current.progress.outcome()
        answer = {**closing_answer(current, status, reason), "deployment": self.describe()}
        self.close(status, reason, lambda: reply({"ok": True, **answer, "store_away": self.sink.away}))

    def close(self, status: str, reason: str, done: Callable[[], None] | None = None) -> None:
        """Write the outcome; the lock goes free with it when it is still ours."""
        current = self._open()
        if current.takeover is not None and current.identity is not None and ended_well(current.takeover, status):
            for told in settled_events(current.takeover, current.identity.identifier):
                self.emit("deployment.recovered", told["data"], deployment=told["deployment"])
        comparing.tell_slow(self, current, status, self.clock())
        self.emit("deployment.closed", closing_data(current, status, reason), None, done)
        current.closed = True

    def controller_gone(self) -> float:
        """The controller ended without closing: mark it, keep nothing alive, and say for how many seconds its workers may still act."""
        self.over = "gone"
        current = self.current
        if current is None or current.closed or current.lease is None:
            return 0.0
        self.emit("deployment.interrupted", {"reason": "the controller ended before the deployment was closed"})
        current.closed = True
        return max(0.0, (current.lease.expires_at - datetime.now(UTC)).total_seconds())

    def interrupted_line(self) -> str:
        """What a person should know who interrupts this run: what it leaves, and what to do; "" when nothing is left."""
        current = self.current
        if current is None or current.closed or current.identity is None:
            return ""
        return f"{current.identity.identifier} is interrupted where it is. Then: ansible-playbook fraisier.deploy.recover -e fraise={current.request['fraise']}"

    def run_ended(self) -> None:
        """The playbook ended in order, but its close play never ran: say so and let the lock go, for no worker is left."""
        self.over = "ended"
        current = self.current
        if current is not None and not current.closed:
            self.close("interrupted", "the playbook ended before its close play")

    # -- lease --------------------------------------------------------------------------------------------------------------------------------

    def keep_lease(self) -> float:
        """Look for commands and renew the lease when that is due; seconds until the next renewal."""
        self.obedience.look(self.current)
        return self.keeper.keep() if self.keeper is not None else NEVER
