# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line for a person from what a balancer answered. Pure."""

from __future__ import annotations

from typing import Any


def traffic_lines(result: dict[str, Any], outcome: str) -> list[str]:
    """A line for each balancer that was asked; none for a mere look."""
    items = result.get("results")
    told = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else [result]
    return [line for line in (_line(item, outcome) for item in told if not item.get("skipped")) if line]


def _line(item: dict[str, Any], outcome: str) -> str:
    balancer, step, timings = item.get("balancer"), item.get("step"), item.get("timings") or {}
    if item.get("failed"):
        words = (str(item.get("msg", "")).strip().splitlines() or [""])[0][:200]
        return words if words.startswith(f"{balancer}:") else f"{balancer or 'balancer'}: {words}"
    if outcome == "failed" and "results" not in item and not step:
        return ""
    if step == "drain":
        return f"{balancer}: {_drained(item, timings)}"
    if step == "undrain":
        return f"{balancer}: {_ready(item, timings)}"
    if step == "weight":
        weight = (item.get("server") or {}).get("weight")
        would = "would get" if item.get("check_mode") else "gets"
        if item.get("weighted"):
            would = "would get" if item.get("check_mode") else "get" if len(item["weighted"]) > 1 else "gets"
            names = ", ".join(item["weighted"])
            return f"{balancer}: {names} {would} {weight} % of the full weight" + ("" if item.get("changed") else ", as before")
        return f"{balancer}: {would} {weight} % of its weight" if item.get("changed") else f"{balancer}: has {weight} % of its weight already"
    return ""


def _drained(item: dict[str, Any], timings: dict[str, Any]) -> str:
    if item.get("check_mode"):
        return "would be drained" if item.get("changed") else "is drained already"
    took = f"{float(timings.get('drain') or 0):.1f} s"
    if item.get("ended") == "limit":
        return f"limit reached, {item.get('in_flight')} in flight after {took}"
    return f"drained ({took})" if item.get("changed") else "drained already"


def _ready(item: dict[str, Any], timings: dict[str, Any]) -> str:
    if item.get("check_mode"):
        return "would be in service" if item.get("changed") else "is in service"
    if item.get("ended") == "left out":
        return "stays out of service, where somebody else put it"
    return f"in service again ({float(timings.get('ready') or 0):.1f} s)" if item.get("changed") else "in service"
