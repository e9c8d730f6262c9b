# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are left behind: the budget for them, what a deployment's end says of them, catching up. And hosts that are not as recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError, NotFoundError, ValidationError
from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import shorten_line
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.batches import allowance
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import BAD
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.sink import Job, Sink
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.opening import OpenDeployment

REASON_LENGTH = 300


def unreachable_budget(request: dict[str, Any], hosts: int) -> int:
    """How many of ``hosts`` hosts may be unreachable. Catching up goes for hosts that may still be away: any number of them."""
    return hosts if request["kind"] == "catchup" else allowance(hosts, request.get("max_unreachable") or 0, "rolling_max_unreachable")


# -- catching up ------------------------------------------------------------------------------------------------------------------------------


@dataclass
class CatchUp:
    """What catching up would do: bring ``hosts`` to ``version``, whose digest is ``digest`` where a host has told it."""

    version: str
    digest: str | None
    hosts: list[str] = field(default_factory=list)


def catchup(store: Store, request: dict[str, Any], hosts: list[str]) -> CatchUp:
    """Of the run's ``hosts`` those that owe, with ``new_hosts`` also those that nobody ever deployed to.

    Raises NotFoundError when the fleet has nothing yet, ValidationError when another version than the fleet's is asked for.
    """
    fraise, environment = request["fraise"], request["environment"]
    fleet = store.last_good(fraise, environment)
    if fleet is None:
        raise NotFoundError(
            f"{fraise} in {environment} has no deployment of all hosts that ended in success: there is nothing to catch up with",
            hint="Run the playbook fraisier.deploy.deploy",
        )
    asked = request.get("version")
    if asked and asked != fleet.version:
        raise ValidationError(
            f"version: {asked} is not what the fleet has ({fleet.version}, by {fleet.deployment})",
            hint="Catching up takes no version; another one is brought with fraisier.deploy.deploy",
            context={"option": "version", "value": asked},
        )
    wanted = {row["host"] for row in store.owed_hosts(fraise, environment)}
    if request.get("new_hosts"):
        wanted |= set(hosts) - set(store.recorded_versions(fraise, environment))
    return CatchUp(fleet.version, fleet.digest, [host for host in hosts if host in wanted])


def empty_plan(version: str) -> dict[str, Any]:
    """A plan for no host."""
    return {"version": version, "hosts": [], "batches": [], "groups": [], "max_failed": 0, "max_unreachable": 0}


def nothing_owed(answer: dict[str, Any]) -> dict[str, Any]:
    """A deployment that is none, for no host owes anything: nothing was locked or written."""
    empty = dict.fromkeys(("id", "identifier", "number", "token"))
    return {**empty, "version": answer["version"], "last_good": answer["good"], "plan": answer["plan"], "told": answer.get("told")}


# -- the end of a deployment ------------------------------------------------------------------------------------------------------------------


def owes(store: Store, request: dict[str, Any], version: str) -> bool:
    """Whether a host that this deployment leaves behind is behind the fleet: not when a part of it is brought to a version of its own."""
    if request.get("scope", "whole") == "whole":
        return True
    fleet = store.last_good(request["fraise"], request["environment"])
    return fleet is not None and fleet.version == version


def at_close(current: OpenDeployment, status: str) -> dict[str, Any]:
    """For the closing event: ``owed`` (host to why it was left behind) and ``reached`` (hosts on the version). Both empty unless it is a success."""
    if status != "success":
        return {"owed": {}, "reached": []}
    entries = current.progress.hosts.values()
    return {
        "owed": {entry.name: _reason(entry.state, entry.error or {}) for entry in entries if entry.state in BAD and current.owes},
        "reached": [entry.name for entry in entries if entry.state == "active"],
    }


def _reason(state: str, error: dict[str, Any]) -> str:
    """One line: the state the host was left in, and the error."""
    text = f"{state}: {error.get('code') or ''} {error.get('message') or ''}"
    return str(shorten_line(text.rstrip(": "), REASON_LENGTH))


# -- hosts that are another than recorded -----------------------------------------------------------------------------------------------------


def learn_recorded(sink: Sink, current: OpenDeployment, fraise: str, environment: str) -> None:
    """Ask what each host was last heard to serve, after the opening has been answered: no host call waits for it."""

    def done(answer: Any, failure: FraisierError | None) -> None:
        if failure is None:
            current.recorded, current.cut_off = answer

    def ask(store: Store) -> tuple[Any, dict[str, Any]]:
        return store.recorded_versions(fraise, environment), {row["host"]: row for row in store.cut_off_hosts(fraise, environment)}

    sink.ask(Job(ask, done))


def drift(current: OpenDeployment, request: dict[str, Any]) -> dict[str, Any] | None:
    """{recorded, answers} when the host that has just staged serves another version than the record says.

    And ``cut_off``, when it is the version that a deployment was bringing to it when it was cut off: then nobody else changed the host.
    """
    release = request.get("release") or {}
    if request["step"] != "stage" or request["outcome"] not in ("ok", "unchanged") or "current" not in release:
        return None
    recorded = current.recorded.get(request["host"])
    if recorded is None or release["current"] == recorded:
        return None
    cut_off = current.cut_off.get(request["host"])
    known = {"cut_off": cut_off["deployment"]} if cut_off and cut_off["version"] == release["current"] else {}
    return {"recorded": recorded, "answers": release["current"], **known}
