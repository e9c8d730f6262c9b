# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read of the status: what runs where by the record and by the hosts' answers, what is in doubt, owed or locked. Pure: values in, lines out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.fraisier.deploy.plugins.plugin_utils.debt_lines import brief, remedy
from ansible_collections.fraisier.deploy.plugins.plugin_utils.hold_reports import held_word, hold_lines
from ansible_collections.fraisier.deploy.plugins.plugin_utils.reports import moment, shown_status, table

RUNNING = ("pending", "in_progress", "paused", "validating")


def status_report(answer: Mapping[str, Any], answers: Mapping[str, Any] | None = None) -> list[str]:
    """The answer to the query ``status`` as lines. ``answers``: each host that was asked now, with its inspection ({} when it gave none); None: none was."""
    held = hold_lines(answer.get("holds") or [], answer.get("quarantines") or [])
    if not answer["status"]:
        elsewhere = answer.get("elsewhere") or []
        known = f" of this environment; the store knows: {', '.join(elsewhere)}" if elsewhere else ""
        return [f"No deployments in the store{known}", *held]
    lines = table(
        ("FRAISE", "ENVIRONMENT", "VERSION", "HOSTS", "SINCE (UTC)", "LAST DEPLOYMENT", "LOCKED BY"),
        [_pair(row, answer.get("holds") or []) for row in answer["status"]],
    )
    unsettled = [_unsettled(row) for row in answer["status"] if row.get("unsettled")]
    return [*lines, "", *_hosts(answer, answers), *_debts(answer.get("owed") or []), *(["", *unsettled] if unsettled else []), *held]


def _pair(row: Mapping[str, Any], holds: list[Any]) -> tuple[object, ...]:
    return (
        row["fraise"],
        row["environment"],
        row["version"],
        f"{row['hosts_on_version']} of {row['hosts_total']}",
        moment(row["deployed_at"]),
        f"{row['last_version']} {shown_status(row['last_status'], row.get('last_status_reason'))}",
        row["lock_owner_name"] if row["locked"] else held_word(row, holds),
    )


def _unsettled(row: Mapping[str, Any]) -> str:
    what = ", ".join(row["unsettled"])
    return f"UNSETTLED {what}: finish or undo it with ansible-playbook fraisier.deploy.recover -e fraise={row['fraise']}"


def _hosts(answer: Mapping[str, Any], answers: Mapping[str, Any] | None) -> list[str]:
    pairs = {(row["fraise"], row["environment"]): row for row in answer["status"]}
    head = ["FRAISE", "HOST", "RECORDED", "STATE", "AS OF (UTC)"]
    rows = [
        [row["fraise"], row["host"], row["version"], _state(row, pairs.get((row["fraise"], row["environment"]), {})), moment(row["at"])]
        for row in answer["fleet"]
    ]
    if answers is not None:
        told = [_answered(row, answers, pairs.get((row["fraise"], row["environment"]), {}).get("version")) for row in answer["fleet"]]
        width = 3 if any(note for _answer, _agrees, note in told) else 2
        head += ["ANSWERS", "AGREES", "NOTE"][:width]
        rows = [[*row, *words[:width]] for row, words in zip(rows, told, strict=True)]
    return table(head, rows)


def _state(row: Mapping[str, Any], pair: Mapping[str, Any]) -> str:
    """The host's state in the deployment that last told what it serves. Where that one has ended, what did not get to be changed is just that."""
    if row.get("cut_off"):
        return f"cut off by {row['cut_off']}"
    newest = row.get("deployment") == pair.get("last_deployment")
    if newest and pair.get("last_status") in RUNNING:
        return str(row["state"])
    if row["state"] in ("pending", "staged"):
        return "unchanged"
    return str(row["state"]) if newest or row["state"] not in ("failed", "unreachable") else f"{row['state']} in {row['deployment']}"


def _answered(row: Mapping[str, Any], answers: Mapping[str, Any], fleet: str | None) -> tuple[str, str, str]:
    """What the host says it serves and how well, whether that is what the record says and the fleet has, and in words when it is not the latter."""
    answer = answers.get(row["host"])
    if answer is None:
        return "not asked", "", ""
    if not answer.get("release"):
        return "no answer", "NO", brief(" ".join(str(answer.get("msg") or "").split()))
    version = answer["release"].get("version")
    health = (answer.get("health") or {}).get("status")
    behind = fleet is not None and version != fleet
    agrees = version == row.get("version") and health != "unhealthy" and not behind
    note = f"answers {version or 'nothing'}, the fleet has {fleet}" if behind else ""
    return (version or "nothing") + (" (unhealthy)" if health == "unhealthy" else ""), "yes" if agrees else "NO", note


def _debts(owed: list[Mapping[str, Any]]) -> list[str]:
    if not owed:
        return []
    rows = [(row["fraise"], row["environment"], row["host"], row["version"], moment(row["since"]), brief(row["reason"])) for row in owed]
    remedies = [remedy(name) for name in sorted({str(row["fraise"]) for row in owed})]
    return ["", *table(("FRAISE", "ENVIRONMENT", "HOST", "OWES", "SINCE (UTC)", "WHY"), rows), *remedies]
