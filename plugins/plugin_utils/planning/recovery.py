# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment that was cut off leaves behind, and what is safer then: to finish it or to undo it. Pure functions and values, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.naming import named
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import Progress

FINISH, UNDO = "finish", "undo"
GOOD_END = {FINISH: "success", UNDO: "rolled_back"}
"""How a recovery ends when it goes as it was decided."""
CUT_OFF = ("interrupted", "pending", "in_progress", "paused", "validating")


@dataclass(frozen=True)
class PastHost:
    """One host in the record of a deployment. ``touched``: its release may have been switched; ``back``: it went back since, and said so.

    ``before``: the version that it served when the deployment met it (None: nothing), when ``known``.
    """

    touched: bool = False
    back: bool = False
    before: str | None = None
    known: bool = False


@dataclass(frozen=True)
class Past:
    """A deployment as the record has it. ``halted``: why a gate said no, "" when none did; ``passed``: hosts of batches that a later batch followed.

    ``undecided``: a recovery that was cut off before it had decided, so what it would have recovered speaks for itself.
    """

    identifier: str
    id: str
    number: int
    version: str
    status: str
    whole: bool = True
    resumes: str | None = None
    halted: str = ""
    undecided: bool = False
    plan: dict[str, Any] = field(default_factory=dict)
    hosts: Mapping[str, PastHost] = field(default_factory=dict)
    passed: frozenset[str] = frozenset()

    @property
    def unsettled(self) -> bool:
        """Whether it may have left hosts on a version that nobody answers for."""
        if self.status in (*CUT_OFF, "rollback_failed"):
            return True
        return self.status in ("failed", "aborted") and any(host.touched and not host.back for host in self.hosts.values())

    @property
    def settles(self) -> bool:
        """Whether everything before it is settled by it: it reached every host, or it took back what an earlier one had left."""
        return (self.status == "success" and (self.whole or self.resumes is not None)) or (self.status == "rolled_back" and self.resumes is not None)


def unsettled_chain(newest_first: Sequence[Past]) -> list[Past]:
    """The deployments that still need a recovery, newest first. One that failed without a trace hides none that came before it."""
    chain = []
    for past in newest_first:
        if past.settles:
            break
        if past.unsettled:
            chain.append(past)
    return chain


def origins(chain: Sequence[Past]) -> dict[str, PastHost]:
    """Each host that the chain touched, with what it served before the oldest deployment of the chain that touched it."""
    found: dict[str, PastHost] = {}
    for past in reversed(chain):
        for name, host in past.hosts.items():
            if host.touched and (name not in found or not found[name].known):
                found[name] = host
    return found


@dataclass(frozen=True)
class HostFacts:
    """What a host answered. ``staged``: the releases it has; ``cut_off``: its open journal {from, to}, or None."""

    answered: bool = False
    serving: str | None = None
    healthy: bool = False
    staged: tuple[str, ...] = ()
    cut_off: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Recovery:
    """What will be done: ``how`` (finish, undo, or refuse) and ``reason``, one line with the facts that decided. ``touched``: each such host, resolved."""

    how: str
    reason: str
    touched: dict[str, PastHost] = field(default_factory=dict)


def decide(
    wish: str | None, version: str, halted: str, recorded: Mapping[str, PastHost], facts: Mapping[str, HostFacts], last_good: str | None = None
) -> Recovery:
    """Finish or undo the deployment of ``version``. ``recorded``: the hosts it touched; ``facts``: the answer of each host of this run.

    Without a wish: finish only when it had not been halted, every touched host is well on the version and all others have it at hand; else undo when
    each touched host has a known release to go back to; else finish.
    """
    touched = _with_evidence(version, recorded, facts, last_good)
    stuck = _cannot_return(touched, facts)
    if wish == FINISH:
        return Recovery(FINISH, "finish was asked for", touched)
    if wish == UNDO:
        if stuck:
            return Recovery("refuse", f"undo is not possible: {stuck}. Run it again with -e recover=finish", touched)
        return Recovery(UNDO, f"undo was asked for; {_way_back(touched)}", touched)
    if not touched:
        return Recovery(UNDO, "no host had been changed, so nothing has to go back", touched)
    doubt = f"it had been halted ({halted})" if halted else _doubt(version, touched, facts)
    if not doubt:
        return Recovery(FINISH, f"every host that was changed ({named(touched)}) is well on {version}, and every other one has it at hand", touched)
    if not stuck:
        return Recovery(UNDO, f"{doubt}; {_way_back(touched)}", touched)
    return Recovery(FINISH, f"{doubt}, but going back is not possible: {stuck}", touched)


def _with_evidence(version: str, recorded: Mapping[str, PastHost], facts: Mapping[str, HostFacts], last_good: str | None) -> dict[str, PastHost]:
    """``recorded`` and the hosts whose own journal tells of the version; what a host was before is taken from record, journal or the last good version."""
    touched = dict(recorded)
    for name, fact in facts.items():
        if fact.cut_off is not None and (name in touched or fact.cut_off.get("to") == version):
            known = touched.get(name)
            if known is None or not known.known:
                touched[name] = PastHost(touched=True, before=fact.cut_off.get("from"), known=True)
    for name, host in touched.items():
        if not host.known and last_good is not None and last_good != version:
            touched[name] = PastHost(touched=True, back=host.back, before=last_good, known=True)
    return touched


def _cannot_return(touched: Mapping[str, PastHost], facts: Mapping[str, HostFacts]) -> str:
    unknown = [name for name, host in touched.items() if not host.known]
    if unknown:
        return f"what {named(unknown)} served before is not known"
    for name, host in touched.items():
        fact = facts.get(name)
        if fact is not None and fact.answered and host.before not in (None, fact.serving, *fact.staged):
            return f"{name} has no release {host.before} any more"
    return ""


def _doubt(version: str, touched: Mapping[str, PastHost], facts: Mapping[str, HostFacts]) -> str:
    """The first fact that speaks against finishing, "" when there is none."""
    for name in touched:
        fact = facts.get(name, HostFacts())
        if not fact.answered:
            return f"{name} did not answer"
        if fact.cut_off is not None:
            return f"the activation on {name} was cut off"
        if fact.serving != version:
            return f"{name} serves {fact.serving or 'nothing'}, not {version}"
        if not fact.healthy:
            return f"{name} is not healthy on {version}"
    for name, fact in facts.items():
        if name not in touched and not fact.answered:
            return f"{name} did not answer"
        if name not in touched and version not in (fact.serving, *fact.staged):
            return f"{name} has no release {version} at hand"
    return ""


def _way_back(touched: Mapping[str, PastHost]) -> str:
    """To which versions the hosts go."""
    groups: dict[str, list[str]] = {}
    for name, host in touched.items():
        groups.setdefault(host.before or "nothing", []).append(name)
    told = [f"{named(names)} to {version}" for version, names in groups.items()]
    return f"going back: {', '.join(told)}" if told else "no host had been changed"


def take_over(progress: Progress, touched: Mapping[str, PastHost], passed: frozenset[str] = frozenset()) -> None:
    """Let ``progress`` go on where an earlier deployment was cut off: a halt now takes back what that one had changed, too."""
    progress.passed = passed
    for name, host in touched.items():
        entry = progress.hosts.get(name)
        if entry is not None:
            entry.before, entry.known, entry.resumed = host.before, host.known, True


def begin(progress: Progress, recovery: Recovery, passed: frozenset[str]) -> None:
    """Put a decision into ``progress``: finishing is a deployment that goes on, undoing one that is halted from the start."""
    if recovery.how == "refuse":
        progress.halted = recovery.reason
        return
    take_over(progress, recovery.touched, passed)
    if recovery.how == UNDO:
        progress.halted, progress.undoing = f"recovery by undo: {recovery.reason}", True
