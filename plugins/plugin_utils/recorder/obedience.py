# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a running deployment obeys its operators: looks for their commands in the store, applies them to its progress, and says what became of each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.orders import NOT_OBEYED
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.waits import DAY_SECONDS, Pause
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.opening import OpenDeployment
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.sink import Job, Sink

LOOK_SECONDS = 1.0
"""Between two looks for commands; half of it while a gate waits, so that it obeys within two seconds."""


class Emit(Protocol):
    """How an event of the deployment is recorded."""

    def __call__(self, event_type: str, data: dict[str, Any]) -> None: ...


class Obedience:
    """The commands of one run's deployment. Belongs to the recorder's main thread."""

    def __init__(self, sink: Sink, emit: Emit, clock: Callable[[], float]) -> None:
        self._sink, self._emit, self._clock = sink, emit, clock
        self._seen: set[str] = set()
        self._heard: list[str] = []
        self._asking = False
        self._next_look = 0.0

    def look(self, current: OpenDeployment | None) -> None:
        """Ask the store for new commands when that is due, and end a pause whose time is over."""
        if current is None or current.closed or current.progress.lease_lost:
            return
        now = self._clock()
        self._expire(current, now)
        if current.identity is None or self._asking or self._sink.away or now < self._next_look:
            return
        self._asking = True
        self._next_look = now + (LOOK_SECONDS / 2 if current.waits.holding else LOOK_SECONDS)
        deployment = current.identity.id

        def done(answer: Any, failure: FraisierError | None) -> None:
            self._asking = False
            # A store that is away or busy is asked again at the next look.
            if failure is None and not current.closed:
                for command in answer["commands"]:
                    self._take(current, command, answer["now"])

        self._sink.ask(Job(lambda store: store.commands.waiting(deployment), done))

    def hold(self, current: OpenDeployment, at: str) -> dict[str, Any] | None:
        """What a gate answers that must wait, or nothing when it need not. The first answer of a pause makes the deployment a paused one."""
        waits, now = current.waits, self._clock()
        self._expire(current, now)
        if at == "after" or current.closed or current.identity is None or not current.progress.may_go().go:
            waits.holding = ""
            return None
        before, pause = waits.holding, waits.pause
        begins = pause is not None and pause.began_at is None
        found = waits.look(at, current.batches_seen, current.batches, now)
        if found is None:
            return None
        current.waited = True
        if begins and pause is not None:
            self._emit("deployment.paused", {"reason": found.reason, "command": pause.command})
            self._obeyed(pause.command, f"paused {_place(current, at)}")
        elif found.kind == "bake" and before != "bake":
            self._emit("gate.waiting", {"at": at, "batch": current.batches_seen, "reason": found.reason})
        return {"wait": True, "reason": found.reason, "left": round(max(0.0, found.ends_at - now), 3)}

    def heard(self) -> list[str]:
        """What operators did since this was asked last, for the terminal of who deploys. An abort is told by the gate that halts for it."""
        told, self._heard = self._heard, []
        return told

    def batch_ended(self, current: OpenDeployment) -> None:
        """The gate after a batch: from now on it is watched, if anything in it changed, here or in the run that was cut off before its next batch."""
        current.waits.batch_ended(moved(current), self._clock())

    def _expire(self, current: OpenDeployment, now: float) -> None:
        pause = current.waits.pause
        if pause is None or now < pause.ends_at:
            return
        if pause.then == "abort":
            self._end_pause(current, f"{pause.text}: its time is over, so the deployment is aborted")
            current.progress.abort(f"aborted, for a pause ended without a word ({pause.text})", leave=False)
        else:
            self._end_pause(current, f"{pause.text}: its time is over")

    def _end_pause(self, current: OpenDeployment, why: str) -> None:
        """Take the pause away; one that no gate has met yet was not obeyed."""
        pause, current.waits.pause, current.waits.holding = current.waits.pause, None, ""
        if pause is not None and pause.began_at is not None:
            self._emit("deployment.resumed", {"reason": why, **_watched(current)})
        elif pause is not None:
            self._obeyed(pause.command, f"{NOT_OBEYED}it ended before a gate was reached; {why}")

    def _obeyed(self, command: str, outcome: str) -> None:
        self._emit("command.obeyed", {"command": command, "outcome": outcome})

    def _take(self, current: OpenDeployment, command: dict[str, Any], store_clock: datetime) -> None:
        """Apply one command, once: until its outcome is stored, the store shows it again."""
        if command["id"] in self._seen:
            return
        self._seen.add(command["id"])
        verb = {"pause": self._pause, "resume": self._resume, "promote": self._promote, "abort": self._abort}.get(command["verb"])
        if verb is None:
            self._obeyed(command["id"], f"{NOT_OBEYED}this version of the collection knows no {command['verb']}")
        else:
            verb(current, command, store_clock)

    def _pause(self, current: OpenDeployment, command: dict[str, Any], store_clock: datetime) -> None:
        if current.waits.pause is not None or current.progress.halted:
            reason = "it is halted" if current.progress.halted else "it is paused already"
            self._obeyed(command["id"], f"{NOT_OBEYED}{reason}")
            return
        # The clocks of this machine and of the store may differ: only the seconds that are left are taken over.
        left = (command["expires_at"] - store_clock).total_seconds() if command["expires_at"] else DAY_SECONDS
        ends = (command["expires_at"] or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M:%S UTC") if command["expires_at"] else "a day has gone by"
        text = f"paused by {_said(command)}"
        current.waits.pause = Pause(command["id"], text, self._clock() + left, ends, command["argument"] or "resume")

    def _resume(self, current: OpenDeployment, command: dict[str, Any], _store_clock: datetime) -> None:
        pause = current.waits.pause
        if pause is None:
            self._obeyed(command["id"], f"{NOT_OBEYED}it was not paused")
            return
        self._heard.append(f"resumed by {_said(command)}")
        held = f"after {self._clock() - pause.began_at:.0f} s" if pause.began_at is not None else "before a gate was reached"
        self._end_pause(current, f"resumed by {_said(command)}")
        self._obeyed(command["id"], f"goes on, {held}")

    def _promote(self, current: OpenDeployment, command: dict[str, Any], _store_clock: datetime) -> None:
        watched = _watched(current)
        paused, during = current.waits.holding == "pause", current.waits.step is not None
        left = current.waits.skip(self._clock())
        if left is None:
            self._obeyed(command["id"], f"{NOT_OBEYED}nothing was being waited for")
            return
        why = f"promoted by {_said(command)}"
        self._heard.append(why)
        self._emit("deployment.resumed" if paused else "gate.promoted", {"reason": why, **watched})
        self._obeyed(command["id"], f"goes on, {left:.0f} s before the end of the {'pause' if paused else 'step' if during else 'wait between batches'}")

    def _abort(self, current: OpenDeployment, command: dict[str, Any], _store_clock: datetime) -> None:
        leave = command["argument"] == "leave"
        why_not = current.progress.abort(f"aborted by {_said(command)}", leave=leave)
        if why_not:
            self._obeyed(command["id"], f"{NOT_OBEYED}{why_not}")
            return
        self._end_pause(current, f"aborted by {_said(command)}")
        self._obeyed(
            command["id"],
            "no further host is shifted; " + ("the hosts stay as they are" if leave else "what has changed will be undone, from its next gate on"),
        )


def moved(current: OpenDeployment) -> bool:
    """Whether anything changed in the batch that was begun last, here or in the run that was cut off before its next batch."""
    groups, number = current.plan["groups"], current.batches_seen - 1
    names = groups[number] if 0 <= number < len(groups) else []
    entries = [current.progress.hosts[name] for name in names if name in current.progress.hosts]
    return any(entry.changed or entry.resumed for entry in entries) and not current.progress.passed_before(names)


def _watched(current: OpenDeployment) -> dict[str, bool]:
    """For the event of a pause that ends: a deployment that was watched is watched again."""
    return {"validating": True} if current.waits.step is not None and current.waits.step.slice_left is not None else {}


def _place(current: OpenDeployment, at: str) -> str:
    """Where a gate is, for a person."""
    if at == "during" and current.waits.step is not None:
        return f"during {current.waits.step.text}"
    return f"before batch {current.batches_seen}" if at == "before" else "before it settles"


def _said(command: dict[str, Any]) -> str:
    return f"{command['user_name']}: {command['reason']}" if command["reason"] else str(command["user_name"])
