# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans and approvals for people. Pure: values in, lines out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.plans import SHORTEST_PREFIX, step_text
from ansible_collections.fraisier.deploy.plugins.plugin_utils.reports import moment, shown_steps, table

DIGEST_LETTERS = 12


def plan_report(plan: Mapping[str, Any]) -> list[str]:
    """One plan whole: what would run on each host, what it takes, its hash, and who approved it."""
    document = plan["document"]
    batches = document["batches"]
    total = sum(len(group) for group in batches)
    widths = ", ".join(str(len(group)) for group in batches)
    budgets = ", ".join(f"{name} {value}" for name, value in document["budgets"].items())
    lines = [
        f"Plan {plan['hash'][:SHORTEST_PREFIX]}: {document['kind']} {document['version']} on {total} hosts of {document['fraise']} in "
        f"{document['environment']}, {document['strategy']}, batches of {widths}, {budgets}"
    ]
    rows = []
    for number, group in enumerate(batches, start=1):
        for host in group:
            entry = document["hosts"][host]
            current = entry["current"]
            target = _content(document["version"], entry["target_digest"])
            rows.append((number, host, _content(current["version"], current["digest"]), target, shown_steps(entry["steps"])))
    lines += table(("BATCH", "HOST", "CURRENT", "TARGET", "RUNS"), rows)
    after = enumerate(document.get("after") or [], start=1)
    lines += [f"After batch {number}: {', '.join(step_text(step) for step in steps)}" for number, steps in after if steps]
    lines += _shape_lines(document)
    unknown = [host for host, entry in document["hosts"].items() if entry["target_digest"] is None]
    if unknown:
        lines.append(f"What {document['version']} holds is not known before it is fetched, on {len(unknown)} hosts: give source.archive.sha256, or a tag")
    lines.append(_expectation(plan.get("expected_seconds")))
    lines += _story(plan) + _approval_lines(plan)
    lines += [f"In its way now: {obstacle['what']} [{obstacle['code']}]" for obstacle in plan.get("obstacles") or []]
    lines.append(f"Hash: {plan['hash']}")
    return lines


def _shape_lines(document: Mapping[str, Any]) -> list[str]:
    """What the batches above do not show: that they adapt, and that there is a watch."""
    adaptive, watch = document.get("adaptive"), document.get("watch")
    lines = []
    if adaptive:
        lines.append(
            f"Batches adapt: {adaptive['first']} first, {adaptive['first']} more after a healthy one, at most {adaptive['most']}, half after a bad one"
        )
    if watch:
        lines.append(f"After the last batch: watched for {watch['seconds']:g} s, a look every {watch['interval']:g} s")
    return lines


def _content(version: str | None, digest: str | None) -> str:
    if version is None:
        return "nothing"
    kind, _colon, value = str(digest or "").partition(":")
    return f"{version} ({kind}:{value[:DIGEST_LETTERS]})" if value else f"{version} (content not known)"


def _expectation(seconds: float | None) -> str:
    if seconds is None:
        return "Expected duration: not known, for no deployment here has succeeded yet that brought a new version"
    return f"Expected duration: about {seconds:.0f} s, from the deployments that succeeded before"


def _story(plan: Mapping[str, Any]) -> list[str]:
    """Who made a plan that is written down, and which deployment applied it."""
    if not plan.get("made_at"):
        return []
    reason = f": {plan['reason']}" if plan.get("reason") else ""
    lines = [f"Made by {plan['user_name']} at {moment(plan['made_at'])} UTC{reason}"]
    applied = _applied(plan)
    return [*lines, f"Applied by {applied}"] if applied else lines


def _applied(plan: Mapping[str, Any]) -> str:
    if plan.get("deployment"):
        return f"{plan['deployment']} {plan['status']}"
    return "a deployment no longer recorded" if plan.get("applied_at") else ""


def _approval_lines(plan: Mapping[str, Any]) -> list[str]:
    if not plan.get("approvals"):
        return []
    rows = [(entry["user_name"], _state(entry, plan["now"]), moment(entry["approved_at"]), entry["reason"]) for entry in plan["approvals"]]
    return table(("APPROVED BY", "STATE", "AT (UTC)", "REASON"), rows)


def _state(approval: Mapping[str, Any], now: Any) -> str:
    if approval["revoked_at"]:
        return "revoked"
    end = "until" if _time(approval["expires_at"]) > _time(now) else "expired"
    return f"{end} {moment(approval['expires_at'])}"


def _time(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))


def plans_report(plans: list[dict[str, Any]]) -> list[str]:
    """The newest plans, a line each."""
    if not plans:
        return ["No plans in the store"]
    rows = []
    for plan in plans:
        standing = [entry["user_name"] for entry in plan["approvals"] if _state(entry, plan["now"]).startswith("until")]
        rows.append(
            (
                plan["hash"][:SHORTEST_PREFIX],
                plan["fraise"],
                plan["environment"],
                plan["kind"],
                plan["version"],
                plan["user_name"],
                moment(plan["made_at"]),
                ", ".join(standing),
                _applied(plan),
            )
        )
    return table(("PLAN", "FRAISE", "ENVIRONMENT", "KIND", "VERSION", "MADE BY", "MADE (UTC)", "APPROVED BY", "APPLIED BY"), rows)
