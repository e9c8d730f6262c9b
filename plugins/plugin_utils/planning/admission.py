# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a deployment may begin: what stands in its way, and what a person's override passes. Pure: rows and the clock are arguments."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DeploymentLockedError, FraisierError, FrozenError, ReleaseQuarantinedError

if TYPE_CHECKING:  # most runs have no window, and each would pay for the import of time zones
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.freezes import Freeze

PERSON, UNDO, REPEATED_UNDO = "person", "undo", "repeated_undo"
STOPPED_BY = {
    "deploy": (PERSON, UNDO, REPEATED_UNDO),
    "catchup": (PERSON, UNDO, REPEATED_UNDO),
    "rollback": (PERSON,),
    "recover": (),
}
"""Kind of deployment -> the kinds of holds that stop it. What repairs passes what was placed because something had to be repaired."""
FROZEN_KINDS = ("deploy", "catchup")
QUARANTINED_KINDS = ("deploy", "rollback")
"""Not a catch-up: it brings what the fleet runs already."""
OVERRIDE = "to pass it once all the same, add -e \"override='why'\""


@dataclass(frozen=True)
class Facts:
    """What the store knows for an admission.

    ``holds``: rows {identifier, kind, fraise, environment, reason, placed_by, placed_at, expires_at, deployment}, not lifted. ``quarantines``: rows
    {version, digest, reason, error_code, placed_at, deployment}, not lifted. ``digests``: every digest under which the version was ever staged.
    """

    now: datetime
    holds: Sequence[Mapping[str, Any]] = ()
    quarantines: Sequence[Mapping[str, Any]] = ()
    digests: Collection[str] = field(default_factory=tuple)


def obstacles(kind: str, fraise: str, environment: str, version: str, facts: Facts, freezes: Sequence[Freeze]) -> list[FraisierError]:
    """Everything that refuses this deployment, the most personal first: holds, freezes, quarantine."""
    found: list[FraisierError] = [locked(hold, facts) for hold in stopping_holds(kind, facts)]
    if kind in FROZEN_KINDS:
        found += [frozen(fraise, environment, freeze) for freeze in freezes]
    if kind in QUARANTINED_KINDS:
        found += [quarantined(fraise, environment, version, row) for row in quarantined_by_version(version, facts)[:1]]
    return found


def decide(found: Sequence[FraisierError], override: str) -> list[dict[str, Any]]:
    """Raise the first obstacle, naming the others too; with an override: what it passes, as {code, what}."""
    if found and not override:
        first, others = found[0], found[1:]
        if others:
            first.message = f"{first.message.rstrip('.')}. Besides: {'; '.join(error.message for error in others)}"
        # A lock of the fraise and one of its whole environment are lifted one by one.
        keys = list(dict.fromkeys(unlocking(error.context["fraise"]) for error in found if error.context.get("hold")))
        if len(keys) > 1:
            first.hint = f"Lift them with {', and with '.join(keys)}; {OVERRIDE}"
        first.context["obstacles"] = [error.code for error in found]
        raise first
    return [{"code": error.code, "what": error.message} for error in found]


def stopping_holds(kind: str, facts: Facts) -> list[Mapping[str, Any]]:
    """The holds that stop a deployment of this kind now; a person's first, then the newest."""
    stopped_by = STOPPED_BY[kind]
    active = [hold for hold in facts.holds if hold["kind"] in stopped_by and (hold["expires_at"] is None or hold["expires_at"] > facts.now)]
    return sorted(active, key=lambda hold: (hold["kind"] != PERSON, -hold["placed_at"].timestamp()))


def locked(hold: Mapping[str, Any], facts: Facts) -> DeploymentLockedError:
    """Who holds it, since when, why, and how to lift it."""
    where = f"{hold['fraise']} in {hold['environment']}" if hold["fraise"] else f"All of {hold['environment']}"
    until = f" until {moment(hold['expires_at'])}" if hold["expires_at"] else ""
    return DeploymentLockedError(
        f"{where} is locked by {hold['placed_by']} since {moment(hold['placed_at'])}{until}: {hold['reason']}",
        hint=f"Lift it with {unlocking(hold['fraise'])}; {OVERRIDE}",
        recoverable=False,
        context={
            "hold": hold["identifier"],
            "kind": hold["kind"],
            "fraise": hold["fraise"],
            "environment": hold["environment"],
            "placed_by": hold["placed_by"],
            "since": hold["placed_at"].isoformat(),
            "until": hold["expires_at"].isoformat() if hold["expires_at"] else None,
            "reason": hold["reason"],
            "held_for_seconds": round((facts.now - hold["placed_at"]).total_seconds()),
        },
    )


def unlocking(fraise: str | None) -> str:
    """The command that lifts the locks of a fraise, or those of all of its environment."""
    return f"ansible-playbook fraisier.deploy.unlock {f'-e fraise={fraise} ' if fraise else ''}-e \"reason='why'\""


def frozen(fraise: str, environment: str, freeze: Freeze) -> FrozenError:
    """Which window, why, until when."""
    return FrozenError(
        f"{fraise} in {environment} is frozen: {freeze.describe()}",
        hint=f"Deploy after that; {OVERRIDE}. A rollback is never frozen",
        context={
            "window": freeze.window.name,
            "option": freeze.window.option,
            "reason": freeze.window.reason,
            "since": freeze.since.isoformat(),
            "until": freeze.until.isoformat(),
            "until_utc": freeze.until.astimezone(UTC).isoformat(),
        },
    )


def quarantined_by_version(version: str, facts: Facts) -> list[Mapping[str, Any]]:
    """Quarantine rows of this version, the newest first as given.

    None when something else was staged under its name, too: which of them is meant is known after staging only.
    """
    rows = [row for row in facts.quarantines if row["version"] == version]
    bad = {row["digest"] for row in rows}
    return rows if None in bad or set(facts.digests) <= bad else []


def quarantined_by_digest(version: str, digests: Collection[str], rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Quarantine rows of what the hosts have staged, whatever it is called now."""
    return [row for row in rows if row["digest"] in digests or (row["digest"] is None and row["version"] == version)]


def quarantined(fraise: str, environment: str, version: str, row: Mapping[str, Any]) -> ReleaseQuarantinedError:
    """Since when, by which deployment, why."""
    name = f"{fraise} {version}" if row["version"] == version else f"{fraise} {version}, which is {row['version']} under another name,"
    by = f" by {row['deployment']}" if row["deployment"] else ""
    return ReleaseQuarantinedError(
        f"{name} is quarantined in {environment} since {moment(row['placed_at'])}{by}: {row['reason']}",
        hint=f"Correct the release and deploy it under a new version; {OVERRIDE}",
        context={
            "version": row["version"],
            "digest": row["digest"],
            "since": row["placed_at"].isoformat(),
            "deployment": row["deployment"],
            "reason": row["reason"],
            "error_code": row["error_code"],
        },
    )


def moment(value: datetime) -> str:
    """To the second, in UTC."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
