# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which events belong into the audit, and under which type. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AUDIT_TYPES = (
    "configuration",
    "deployment",
    "health_check",
    "lock",
    "operator",
    "performance",
    "provider_error",
    "security",
    "system",
    "webhook",
)

_OWN_MODULES = ("fraisier.deploy.bare_metal",)
"""Modules of ours that change a host without a step of a deployment around them."""
_BY_NAME = {
    "command.obeyed": "operator",
    "deployment.refused": "security",
    "host.drifted": "configuration",
}
_BY_PREFIX = {
    "approval": "operator",
    "audit": "security",
    "configuration": "configuration",
    "deployment": "deployment",
    "gate": "deployment",
    "health": "health_check",
    "health_check": "health_check",
    "hold": "lock",
    "host": "deployment",
    "lease": "lock",
    "lock": "lock",
    "operator": "operator",
    "override": "security",
    "owed": "deployment",
    "performance": "performance",
    "plan": "deployment",
    "provider": "provider_error",
    "quarantine": "security",
    "recovery": "deployment",
    "security": "security",
    "step": "deployment",
    "store": "system",
    "webhook": "webhook",
}
_BY_CODE = {"FENCED": "lock", "LEASE_LOST": "lock", "HEALTH_CHECK_FAILED": "health_check"}


def audit_type(event: str, data: Mapping[str, Any]) -> str | None:
    """The audit's type of an event, or nothing for what only tells how a playbook goes (its plays, tasks of other collections).

    An event that nobody thought of here is audited as ``system``: too much is better than too little.
    """
    prefix = event.partition(".")[0]
    if prefix == "play":
        return None
    if prefix == "task":
        return _of_task(event, data)
    if event == "step.outcome":
        return _of_outcome(data)
    return _BY_NAME.get(event) or _BY_PREFIX.get(prefix, "system")


def _of_task(event: str, data: Mapping[str, Any]) -> str | None:
    if data.get("action") not in _OWN_MODULES:
        return None
    return "provider_error" if event in ("task.failed", "task.unreachable") else "deployment"


def _of_outcome(data: Mapping[str, Any]) -> str:
    error = data.get("error")
    code = str(error.get("code") or "") if isinstance(error, Mapping) else ""
    if code in _BY_CODE:
        return _BY_CODE[code]
    if code.startswith("PROVIDER_"):
        return "provider_error"
    return "health_check" if data.get("step") == "verify" else "deployment"
