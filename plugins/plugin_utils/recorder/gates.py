# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates: may this batch go, how did it go, is a step over, what is to be undone? What only some plans have is loaded when a plan has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.during import begin_step, end_step
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.obedience import Obedience, moved
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.opening import OpenDeployment
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.plans import hold_to_plan
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.questions import Questions, Reply


class Gates(Questions):
    """The part of the recorder's operations that answers gates of the open deployment."""

    clock: Callable[[], float]
    obedience: Obedience

    def emit(
        self, event_type: str, data: dict[str, Any], host: str | None = None, done: Callable[[], None] | None = None, deployment: str | None = None
    ) -> None:
        """Record an event of the open deployment."""
        raise NotImplementedError

    def _open(self) -> OpenDeployment:
        raise NotImplementedError

    def _require_controller(self) -> None:
        raise NotImplementedError

    def _op_gate(self, request: dict[str, Any], reply: Reply) -> None:
        current, at = self._open(), request["at"]
        self._require_controller()
        none_left = goes_on = False
        if not request.get("again"):
            if at == "during":
                goes_on = self._begin_step(current, request["step"])
            elif at == "before":
                none_left = not self._begin_batch(current)
        if self.settings.get("required") and self.sink.away and current.lease is not None:
            current.progress.halted = current.progress.halted or f"the store is away and fraisier_store_required is set ({self.sink.away})"
        waiting = None if none_left else self.obedience.hold(current, at)
        if waiting is not None:
            # What was said when the step began need not be said at each look.
            reply({"ok": True, **waiting, "known": goes_on and current.waits.holding == "step", "told": self.obedience.heard()})
            return
        promoted = at == "during" and end_step(current)
        decision = current.progress.may_go()
        halts, current.halt_told = not decision.go and not current.halt_told, current.halt_told or not decision.go
        if at == "after":
            self.obedience.batch_ended(current)
        answer = {
            "go": decision.go,
            "reason": decision.reason,
            "failed_hosts": decision.failed,
            "batch": current.batches_seen,
            "batches": current.batches,
            "undo": current.progress.begin_undo() if at == "settle" else {},
            "last_good": current.progress.last_good,
        }
        if current.plan.get("adaptive") and at in ("before", "after"):
            answer["hosts"] = [] if none_left else (current.plan["groups"] or [[]])[-1]
        told = {"halts": halts, "promoted": promoted, "over": current.waits.step is None, "moved": moved(current), "told": self.obedience.heard()}
        self.emit("gate.decided", {"at": at, "hosts": request.get("hosts"), **answer}, None, lambda: reply({"ok": True, **answer, **told}))

    def _begin_batch(self, current: OpenDeployment) -> bool:
        """The next batch is about to go; False when its width adapts and no host is left for one."""
        if current.plan.get("adaptive") and current.progress.may_go().go:
            from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.adapting import next_batch

            batch = next_batch(current)
            if batch is None:
                return False
            self.emit("batch.sized", batch)
        current.batches_seen += 1
        hold_to_plan(current)
        self._check_staged(current)
        return True

    def _begin_step(self, current: OpenDeployment, step: dict[str, Any]) -> bool:
        """A step begins, if there is anything to watch in it; whether it had begun before and goes on."""
        if step.get("watches"):
            from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.watching import begin_watch

            if not begin_watch(current):
                return False
        began = begin_step(current, step, self.clock())
        if began is not None:
            self.emit("deployment.validating" if step.get("watches") else "gate.waiting", began)
        return began is None

    def _check_staged(self, current: OpenDeployment) -> None:
        """What was staged is known by its digest now: a release in quarantine goes no further, under whatever name."""
        admission = current.admission
        passed = admission.staged(current.checks) if current.progress.may_go().go else []
        if passed:
            self.emit("override.used", {"by": admission.user, "reason": admission.override, "passed": passed})
        if admission.refusal is not None:
            current.progress.halted = current.progress.halted or f"{admission.refusal.message} ({admission.refusal.code})"
