# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running deployment knows of its hosts, and what follows from it: may a batch go, who must be undone, how did it end. No I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.naming import NAMED_AT_LENGTH, named
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.traffic import TRAFFIC_STEPS, traffic_failed

BAD = ("failed", "reverted", "unreachable")
STAGED_ONLY = "prepared only"
"""How the reason begins of a run that was to go no further, as with --tags prepare: nobody aborted it."""
MAY_SERVE_NEW = ("active", "failed", "unreachable")


@dataclass
class HostProgress:
    """One host of a deployment.

    ``state``: pending, staged, active, reverted (went back by itself), failed, unreachable, undone, undo_failed. ``step``: the last step that
    was tried. ``before``: the version it served when the deployment met it (None: nothing). ``serving``: the version it answered last.
    ``error``: what it said last of any step, ``failure``: of those that go forward.
    ``resumed``: an earlier deployment that this one goes on with may have switched it; ``before`` is then what that one met.
    """

    name: str
    state: str = "pending"
    step: str = ""
    before: str | None = None
    serving: str | None = None
    known: bool = False
    shifted: bool = False
    changed: bool = False
    error: dict[str, Any] | None = None
    failure: dict[str, Any] | None = None
    resumed: bool = False


@dataclass
class Decision:
    """A gate's answer: ``go`` on or not; ``reason`` is one line for a person."""

    go: bool
    reason: str = ""
    failed: list[str] = field(default_factory=list)


@dataclass
class Progress:
    """The state machine of one deployment, fed with step outcomes by :meth:`record`."""

    version: str
    last_good: str | None
    max_failed: int
    hosts: dict[str, HostProgress]
    max_unreachable: int = 0
    halted: str = ""
    lease_lost: bool = False
    aborted: str = ""
    leaves: bool = False
    settled: bool = False
    shift_began: bool = False
    targets: dict[str, str | None] = field(default_factory=dict)
    inspected: dict[str, str | None] = field(default_factory=dict)
    unwell: set[str] = field(default_factory=set)
    undoing: bool = False
    unequal: str = ""
    passed: frozenset[str] = frozenset()

    @classmethod
    def start(cls, version: str, last_good: str | None, hosts: list[str], max_failed: int, max_unreachable: int = 0) -> Progress:
        """A deployment in which nothing has happened yet."""
        return cls(version, last_good, max_failed, {name: HostProgress(name) for name in hosts}, max_unreachable)

    def record(
        self,
        host: str,
        step: str,
        outcome: str,
        release: dict[str, Any] | None,
        error: dict[str, Any] | None,
        changed: bool | None = None,
        health: str = "",
    ) -> None:
        """Take in one step's outcome: ok, unchanged, failed, reverted or unreachable.

        ``changed`` is None when the host could not say; ``health`` is the status that its checks gave, if they were asked.
        """
        entry = self.hosts.setdefault(host, HostProgress(host))
        if step in TRAFFIC_STEPS:
            if outcome not in ("ok", "unchanged"):
                traffic_failed(entry, step, error, settled=self.settled)
                if step == "weight":
                    self._share_not_set(str((error or {}).get("message")))
            return
        entry.step = step
        release = release or {}
        if step in ("activate", "revert"):
            # What a host answered before this step proves nothing after it.
            self.inspected.pop(host, None)
            self.unwell.discard(host)
        if step == "stage":
            self._staged(entry, outcome, release)
        elif step == "activate":
            self._activated(entry, outcome, release, changed)
        elif step == "revert":
            entry.state = "undone" if outcome in ("ok", "unchanged") else "undo_failed"
        elif step == "inspect" and outcome in ("ok", "unchanged"):
            self.inspected[host] = release.get("version")
            (self.unwell.add if health == "unhealthy" else self.unwell.discard)(host)
        if "version" in release and step != "stage":
            entry.serving = release["version"]
        if error is not None:
            entry.error = error
            if step not in ("revert", "inspect"):
                entry.failure = error

    def _share_not_set(self, why: str) -> None:
        """It is the whole canary's share that is not what was asked for, whichever host's step it was."""
        if self.settled:
            self.unequal = f"; the canary's share of the traffic is still in force, for it could not be set back: {why}"
        else:
            self.halted = self.halted or f"the canary's share of the traffic could not be set: {why}"

    def _staged(self, entry: HostProgress, outcome: str, release: dict[str, Any]) -> None:
        if outcome in ("ok", "unchanged"):
            entry.state = "staged"
            entry.serving = release.get("current")
            if not (entry.resumed and entry.known):
                entry.before, entry.known = entry.serving, True
        else:
            entry.state = "unreachable" if outcome == "unreachable" else "failed"

    def _activated(self, entry: HostProgress, outcome: str, release: dict[str, Any], changed: bool | None) -> None:
        self.shift_began = True
        entry.changed = changed is not False
        if outcome in ("ok", "unchanged"):
            entry.state, entry.shifted = "active", True
            if entry.changed and "previous" in release and not (entry.known and (entry.resumed or entry.before == self.version)):
                entry.before, entry.known = release["previous"], True
        elif outcome == "reverted":
            entry.state = "reverted"
        else:
            # What a host did whose answer never came is not known: it counts as shifted until it has been asked.
            entry.state = "unreachable" if outcome == "unreachable" else "failed"
            entry.shifted = changed is not False

    def did_not_hold(self, host: str, reason: str, error: dict[str, Any]) -> None:
        """A host on which the release was well and is not any more: all go back, whatever the budget."""
        self.hosts[host].error = self.hosts[host].failure = error
        self.halted = self.halted or reason

    def note_failure(self, host: str, error: dict[str, Any], *, spoken: bool = False) -> bool:
        """A failure outside any step, before the hosts settle. Returns whether it counts.

        ``spoken``: of a task that tells its step's outcome itself, which is not to be hidden once the host has shifted.
        """
        entry = self.hosts.get(host)
        if entry is None or self.settled or entry.state not in (("pending", "staged") if spoken else ("pending", "staged", "active")):
            return False
        entry.state, entry.error, entry.failure = "failed", error, error
        return True

    def left_out(self) -> list[str]:
        """Unreachable hosts that the deployment goes on without; none when there are more of them than ``max_unreachable``."""
        away = [entry.name for entry in self.hosts.values() if entry.state == "unreachable"]
        return away if len(away) <= self.max_unreachable else []

    def failed_hosts(self) -> list[str]:
        """Hosts that count against ``max_failed``: unreachable ones, too, unless they are left out."""
        spared = set(self.left_out())
        return [entry.name for entry in self.hosts.values() if entry.state in BAD and entry.name not in spared]

    def may_go(self) -> Decision:
        """Whether the next batch may go; over budget halts the deployment for good."""
        if self.lease_lost:
            self.halted = self.halted or "the lock went to another deployment (LEASE_LOST)"
        failed = self.failed_hosts()
        stranded = [entry.name for entry in self.hosts.values() if (entry.error or {}).get("code") == "ROLLBACK_FAILED"]
        if not self.halted and stranded:
            self.halted = f"neither the new nor the old version is healthy on {named(stranded)}"
        if not self.halted and len(failed) > self.max_failed:
            self.halted = f"{len(failed)} of {len(self.hosts)} hosts failed ({named(failed)}), allowed: {self.max_failed}"
        return Decision(go=not self.halted, reason=self.halted, failed=failed)

    def to_undo(self) -> dict[str, str | None]:
        """Host to the version it must go back to (None: nothing served before). Empty when the deployment was not halted or may not act any more."""
        if not self.halted or self.lease_lost or self.leaves:
            return {}
        targets: dict[str, str | None] = {}
        for entry in self.hosts.values():
            if entry.resumed and entry.known and entry.state not in ("undone", "undo_failed"):
                targets[entry.name] = entry.before
            elif not (entry.shifted or entry.resumed) or entry.state not in MAY_SERVE_NEW:
                continue
            elif entry.state == "active" and not entry.changed:
                # It served the new version before we came: a run that was cut off left it so, unless that version is the good one.
                if self.last_good is None or self.last_good == self.version:
                    continue
                targets[entry.name] = self.last_good
            else:
                targets[entry.name] = entry.before if entry.known else self.last_good
        return targets

    def passed_before(self, hosts: list[str]) -> bool:
        """Whether the deployment that this one goes on with had got past the gate of these hosts, and they are still as it left them."""
        return bool(hosts) and all(name in self.passed and self.hosts[name].state == "active" and not self.hosts[name].changed for name in hosts)

    def begin_undo(self) -> dict[str, str | None]:
        """Hand out the targets of the undo; from then on each of these hosts must prove that it is back."""
        self.targets = self.to_undo()
        self.settled = True
        return self.targets

    def abort(self, text: str, *, leave: bool) -> str:
        """An operator ends the deployment: nothing more is shifted, and what was is undone unless ``leave``. Returns why that cannot be, or nothing."""
        if self.lease_lost:
            return "the lock went to another deployment, which changes the hosts now"
        if self.settled:
            return "the last gate was passed already"
        if self.halted and not leave:
            return f"it is halted and undone already: {self.halted}"
        self.aborted, self.leaves = text, leave
        self.halted = f"{text} (it was halted before: {self.halted})" if self.halted else text
        return ""

    def outcome(self) -> tuple[str, str]:
        """(status, reason) at the end, of contracts.md's statuses; the reason tells what the balancers were left with, too."""
        status, reason = self._outcome()
        return status, f"{reason}{self.unequal}"

    def _outcome(self) -> tuple[str, str]:
        states = [entry.state for entry in self.hosts.values()]
        if self.lease_lost:
            return "failed", self.halted or "the lock went to another deployment (LEASE_LOST)"
        decision = self.may_go()
        if not decision.go:
            left = self._not_back()
            if left:
                return "rollback_failed", f"{decision.reason}; not proved to be back: {named(left, NAMED_AT_LENGTH)}"
            turned = self.undoing or any(state in ("undone", "reverted") for state in states)
            if self.aborted:
                return "aborted", f"{decision.reason}; {self._left_so() if self.leaves else 'undone' if turned else 'no host had changed'}"
            return ("rolled_back" if turned else "failed"), decision.reason
        undone = [entry.name for entry in self.hosts.values() if entry.state in ("undone", "undo_failed")]
        if undone:
            worst = "rollback_failed" if any(self.hosts[name].state == "undo_failed" for name in undone) else "rolled_back"
            return worst, f"reverted without a halt: {named(undone)}"
        if not self.shift_began and "staged" in states:
            return "aborted", f"{STAGED_ONLY}: no batch was shifted in this run"
        if not self.shift_began and "pending" in states:
            return "aborted", "nothing was done: no host was staged or shifted in this run (are --tags and --skip-tags spelt right?)"
        waiting = [entry.name for entry in self.hosts.values() if entry.state in ("pending", "staged")]
        if waiting:
            return "aborted", f"not every host was shifted in this run: {named(waiting)}"
        if "active" not in states:
            behind = [entry.name for entry in self.hosts.values() if entry.state in BAD]
            return ("rolled_back" if "reverted" in states else "failed"), f"no host reached {self.version}: {named(behind)}"
        return "success", self._within_budget(decision.failed)

    def _within_budget(self, failed: list[str]) -> str:
        """What a success leaves behind, in words; empty when every host reached the version."""
        told = [f"within budget, but failed: {named(failed)}"] if failed else []
        away = self.left_out()
        if away:
            told.append(f"left out as unreachable: {named(away, NAMED_AT_LENGTH)}")
        return "; ".join(told)

    def _left_so(self) -> str:
        serving = [entry for entry in self.hosts.values() if entry.shifted and entry.state == "active"]
        return f"the hosts stay as they are, {len(serving)} of {len(self.hosts)} on {self.version}"

    def _not_back(self) -> list[str]:
        """Hosts that were to go back and did not prove it. What is still to be undone is worked out once, not for each of ten thousand."""
        owed = self.to_undo()
        return [entry.name for entry in self.hosts.values() if self._is_not_back(entry, owed)]

    def _is_not_back(self, entry: HostProgress, owed: dict[str, str | None]) -> bool:
        if entry.state == "undo_failed":
            return True
        if entry.name in self.targets:
            return entry.name in self.unwell or entry.name not in self.inspected or self.inspected[entry.name] != self.targets[entry.name]
        return entry.name in owed
