# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read of the audit. Pure: answers in, lines out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.fraisier.deploy.plugins.plugin_utils.reports import moment, table

LONGEST_CELL = 60


def audit_report(query: str, answer: Mapping[str, Any]) -> list[str]:
    """The answer to one question as lines."""
    if query == "list":
        return _listed(answer)
    lines = [_walked(answer)]
    if not answer["ok"]:
        return lines
    if query in ("checkpoint", "prune") and answer.get("checkpoint"):
        made = answer["checkpoint"]
        would = "Would make a checkpoint" if answer["check"] else "Made a checkpoint" if made["made"] else "There was a checkpoint already"
        lines.append(f"{would} at row {made['position']}, hash {made['hash']}")
    if query == "prune":
        lines.append(f"Would forget {answer['would']} rows" if answer["check"] else f"Forgot {answer['removed']} rows")
    if query == "check":
        signed = ", its signature is true" if answer["signed"] else ""
        lines.append(f"Row {answer['head']['position']}, exported at {answer['head']['at']}, is in the chain{signed}")
    if query == "export" and "file" not in answer:
        lines.append(json.dumps(answer["head"]))
    if query == "export" and "file" in answer:
        lines.append(f"Row {answer['position']} with hash {answer['hash']} is in {answer['file']}")
    return lines


def audit_message(answer: Mapping[str, Any]) -> str:
    """What is wrong with the chain, in one sentence."""
    problem = answer["problem"]
    return f"The audit is not whole at position {problem['position']}: {problem['text']} ({problem['kind']})"


def _walked(answer: Mapping[str, Any]) -> str:
    seconds = f" in {answer['seconds']:.1f} s" if "seconds" in answer else ""
    if not answer["ok"]:
        return f"BROKEN after {answer['rows']} rows that are whole{seconds}: {audit_message(answer)}"
    if not answer["rows"]:
        return f"The audit has no rows; it ends at row {answer['position']}{seconds}"
    proved = answer["signatures"]
    if not answer["checkpoints"]:
        signatures = "no checkpoints"
    elif proved is None:
        signatures = f"{answer['checkpoints']} checkpoints, whose signatures were not looked at: no audit_key_file"
    else:
        signatures = f"{answer['checkpoints']} checkpoints, {proved} signatures proved"
    return f"The audit is whole: {answer['rows']} rows, {answer['first']} to {answer['position']}{seconds}; {signatures}"


def _listed(answer: Mapping[str, Any]) -> list[str]:
    rows = [
        (row["position"], moment(row["at"]), row["type"], row["event"], row["actor"], row["deployment"] or _pair(row), row["host"], _brief(row["data"]))
        for row in answer["rows"]
    ]
    return table(("ROW", "AT (UTC)", "TYPE", "EVENT", "WHO", "WHAT", "HOST", "SAYS"), rows)


def _pair(row: Mapping[str, Any]) -> str:
    return ":".join(name for name in (row["fraise"], row["environment"]) if name)


def _brief(data: Any) -> str:
    """The one thing of an event's data that a person looks for first."""
    if not isinstance(data, Mapping):
        return ""
    error = data.get("error")
    message = error.get("message") if isinstance(error, Mapping) else None
    said = message or data.get("reason") or data.get("outcome") or data.get("status") or data.get("playbook") or ""
    step = f"{data['step']}: " if data.get("step") and said else ""
    words = " ".join(f"{step}{said}".split())
    return words if len(words) <= LONGEST_CELL else f"{words[: LONGEST_CELL - 3]}..."
