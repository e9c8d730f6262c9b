# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line for a person from one result of our actions. Pure."""

from __future__ import annotations

from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import shorten_line
from ansible_collections.fraisier.deploy.plugins.plugin_utils.traffic_lines import traffic_lines

PREFIX = "fraisier.deploy."


def progress_line(action: str, host: str, result: dict[str, Any], outcome: str) -> str:
    """The line, or an empty text for what is not worth one."""
    if not action.startswith(PREFIX):
        return ""
    name = action[len(PREFIX) :]
    if name == "deployment" and "plan" in result and "needed" not in result:
        return f"  == {result.get('msg', '')}"
    if name == "gate" and outcome == "ok":
        return _gate(result)
    if name == "traffic":
        return "\n".join(f"  {host}  {line}" for line in traffic_lines(result, outcome))
    if name != "release":
        return ""
    return f"  {host}  {_step(result, outcome)}"


def _gate(result: dict[str, Any]) -> str:
    """A halt is told once, at the gate that decides it."""
    place = "before it settles" if result["at"] == "settle" else f"{result['at']} batch {result['batch']} of {result['batches']}"
    lines = [f"  == halted {place}: {result['reason']}"] if result["halts"] else []
    lines += [f"  == undoing {', '.join(result['undo'])}"] if result.get("undo") else []
    return "\n".join(lines)


def _step(result: dict[str, Any], outcome: str) -> str:
    if outcome == "unreachable":
        return f"unreachable: {_first_line(result.get('msg', ''))}"
    if outcome == "failed":
        back = (result.get("release") or {}).get("version")
        tail = f"; went back to {back or 'nothing'} by itself" if result.get("reverted") else ""
        return f"failed: {_first_line(result.get('msg', ''))}{tail}"
    if result.get("check_mode"):
        return _would(result)
    release = result.get("release") or {}
    step, version, changed = result.get("step"), release.get("version"), result.get("changed")
    took = f"{sum((result.get('timings') or {}).values()):.1f} s"
    if step == "stage":
        return f"staged {version} ({took})" if changed else f"has {version} already"
    if step == "activate":
        return f"serves {version}, was {release.get('previous') or 'nothing'}, {_health(result)} ({took})" if changed else f"serves {version} already"
    if step == "revert":
        return f"back on {version or 'nothing'}, {_health(result)}"
    if step == "retire":
        return f"removed {', '.join(result.get('pruned') or [])}" if result.get("pruned") else "nothing to remove"
    return f"answers {version or 'nothing'}, {_health(result)}"


def _would(result: dict[str, Any]) -> str:
    """What a step of check mode would have done."""
    release = result.get("release") or {}
    step, version, changed = result.get("step"), release.get("version"), result.get("changed")
    if step == "stage":
        return f"would stage {version}" if changed else f"has {version} already"
    if step == "activate":
        return f"would serve {version}, serves {release.get('current') or 'nothing'}" if changed else f"serves {version} already"
    if step == "revert":
        return f"would go back to {version or 'nothing'}"
    if step == "retire":
        return f"would remove {', '.join(result.get('pruned') or [])}" if result.get("pruned") else "nothing to remove"
    return f"answers {version or 'nothing'}, {_health(result)}"


def _health(result: dict[str, Any]) -> str:
    return str((result.get("health") or {}).get("status") or "health not asked")


def _first_line(text: Any) -> str:
    return str(shorten_line((str(text).strip().splitlines() or [""])[0], 160))
