# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables and summaries for people: the plan, an outcome, history. Pure: values in, lines out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import shorten_line
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.plans import steps_to_run
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import STAGED_ONLY

FLEET_KEYS = ("fraise", "environment", "host", "version", "at")


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Left-aligned columns; empty cells show as a dash."""
    cells = [[str(cell) if cell not in (None, "") else "-" for cell in row] for row in rows]
    widths = [max(len(line[column]) for line in [list(head), *cells]) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in [list(head), *cells]]


def plan_lines(deployment: dict[str, Any], checks: dict[str, dict[str, Any]]) -> list[str]:
    """What a deployment would do, host by host, from the answers that check mode gave."""
    plan = deployment["plan"]
    batch_of = {host: number for number, group in enumerate(plan["groups"], start=1) for host in group}
    rows = []
    for host in plan["hosts"]:
        stage = checks.get(host, {}).get("stage") or {}
        current = _serving(stage)
        rows.append((batch_of[host], host, current, plan["version"], _would(stage, current, plan["version"])))
    widths = ", ".join(str(width) for width in plan["batches"])
    head = [f"Plan: {plan['version']} on {len(plan['hosts'])} hosts, batches of {widths}, hosts that may fail: {plan['max_failed']}. Nothing was changed."]
    return head + table(("BATCH", "HOST", "CURRENT", "TARGET", "WOULD RUN"), rows)


def _serving(step: dict[str, Any]) -> str | None:
    release = step.get("release") or {}
    return release.get("current")


def _would(stage: dict[str, Any], current: str | None, target: str) -> str:
    if not stage:
        return "not asked"
    if stage.get("outcome") in ("failed", "unreachable", "reverted"):
        return str(shorten_line(str((stage.get("error") or {}).get("message", "cannot be staged")), 80))
    return shown_steps(steps_to_run(bool(stage.get("changed")), current, target))


def shown_steps(steps: Sequence[str]) -> str:
    """The steps of a host as people read them."""
    return ", ".join({"retire": "retire old releases"}.get(step, step) for step in steps) or "nothing"


def outcome_lines(deployment: dict[str, Any], answer: dict[str, Any]) -> list[str]:
    """How a deployment ended, host by host."""
    rows = []
    for name, host in answer["hosts"].items():
        error = host.get("error") or {}
        note = shorten_line(f"{error.get('code')}: {error.get('message')}", 120) if error else ""
        serving = answer["inspected"].get(name, host["serving"])
        rows.append((name, host["state"], host["before"], serving, note))
    head = [f"{deployment['identifier']}: {deployment['version']} {_end(answer['status'], answer['reason'])}"]
    hosts = answer["hosts"].values()
    if answer["status"] == "success" and hosts and all(host["state"] == "active" and host.get("changed") is False for host in hosts):
        head.append(f"Nothing moved: {deployment['version']} is live on every host of this run already")
    return head + table(("HOST", "STATE", "BEFORE", "SERVES", "NOTE"), rows)


def shown_status(status: str, reason: str | None) -> str:
    """A status as people read it: a run that was to prepare only was not aborted."""
    return STAGED_ONLY if status == "aborted" and (reason or "").startswith(STAGED_ONLY) else status


def _end(status: str, reason: str | None) -> str:
    """A status and its reason, neither twice."""
    shown = shown_status(status, reason)
    return reason or shown if shown == STAGED_ONLY else f"{shown}: {reason}" if reason else shown


def report_lines(query: str, answer: Any) -> list[str]:
    """The answer to a query of the action ``store`` as lines."""
    if query == "history":
        return _history(answer)
    if query == "fleet":
        return table(("FRAISE", "ENVIRONMENT", "HOST", "VERSION", "SINCE"), [[row.get(key) for key in FLEET_KEYS] for row in answer])
    if query == "deployment":
        return _deployment(answer)
    if query in ("sql", "grants"):
        return str(answer["sql"]).splitlines()
    return _migrated(answer)


def moment(value: Any) -> str:
    """A time stamp in UTC, to the second."""
    if isinstance(value, str) and value:
        value = datetime.fromisoformat(value)
    return value.strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else ""


def _seconds(value: Any) -> str:
    return f"{float(value):.1f} s" if value is not None else ""


def _kind(row: dict[str, Any]) -> str:
    """The kind, and what a deployment went on with."""
    return f"{row['kind']} (of {row['resumes']})" if row.get("resumes") else str(row["kind"])


def _history(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return ["No deployments in the store"]
    cells = [
        (
            row["identifier"],
            _kind(row),
            row["previous_version"],
            row["version"],
            shown_status(row["status"], row["status_reason"]),
            moment(row["started_at"]),
            _seconds(row["duration_seconds"]),
            row["user_name"],
            row["status_reason"] or row["reason"],
        )
        for row in rows
    ]
    return table(("DEPLOYMENT", "KIND", "FROM", "TO", "STATUS", "STARTED (UTC)", "TOOK", "BY", "REASON"), cells)


def _deployment(row: dict[str, Any]) -> list[str]:
    before = f", before it {row['previous_version']}" if row.get("previous_version") else ""
    end = f" to {moment(row['finished_at'])}" if row.get("finished_at") else ""
    took = f", {_seconds(row['duration_seconds'])}" if row.get("duration_seconds") is not None else ""
    told = {
        "Reason": row.get("reason"),
        "By": ", on ".join(str(row[key]) for key in ("user_name", "owner_name") if row.get(key)),
        "Time (UTC)": f"{moment(row['started_at'])}{end}{took}" if row.get("started_at") else "",
        "Goes on with": row.get("resumes"),
        "Applies plan": row.get("applies") or (row.get("plan") or {}).get("applies"),
        "Override": row.get("override_reason"),
    }
    lines = [f"{row['identifier']}: {row.get('kind', 'deployment')} {row.get('version', '')}{before}: {_end(row['status'], row.get('status_reason'))}"]
    lines += [f"  {name}: {value}" for name, value in told.items() if value]
    hosts = [[host.get(key) for key in ("host", "state", "version_before", "version_after", "error_code", "error_message")] for host in row.get("hosts", [])]
    steps = [[step["host"], step["step"], step["outcome"], _seconds(step["duration_seconds"]), step["error_code"]] for step in row.get("steps", [])]
    lines += ["", *table(("HOST", "STATE", "BEFORE", "AFTER", "ERROR", "MESSAGE"), hosts)]
    lines += ["", *table(("HOST", "STEP", "OUTCOME", "TOOK", "ERROR"), steps)]
    orders = [_order(command) for command in row.get("commands", [])]
    return [*lines, "", *table(("VERB", "BY", "AT (UTC)", "REASON", "SETTLED (UTC)", "OUTCOME"), orders)] if orders else lines


def _order(command: dict[str, Any]) -> list[object]:
    """What an operator asked, and what became of it."""
    verb = f"{command['verb']} {command['argument']}" if command["verb"] == "abort" else command["verb"]
    return [verb, command["user_name"], moment(command["issued_at"]), command["reason"], moment(command["obeyed_at"]), command["outcome"]]


def _migrated(answer: dict[str, Any]) -> list[str]:
    schema = answer["schema"]
    applied = f"Migrated: {', '.join(answer['applied'])}" if answer["applied"] else "Nothing to migrate"
    return [f"Store: {schema['dialect']}, schema {schema['current'] or 'none'}, newest {schema['head']}", applied]
