# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that do not fit an option, told as the person knows it who typed them: by the variable, not by the option that the playbook maps it to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.validation import check_type_bool, check_type_dict, check_type_float, check_type_int

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError

VARIABLES: dict[str, dict[str, str]] = {
    "fraisier.deploy.audit": {"host": "audit_host", "query": "audit", "type": "audit_type"},
    "fraisier.deploy.deployment": {
        "adaptive": "rolling_adaptive",
        "approvals": "fraise_approvals",
        "approve_own": "fraise_approve_own",
        "batches": "rolling_batches",
        "environment_freezes": "fraise_environment_freezes",
        "freezes": "fraise_freezes",
        "lock_after_undo": "fraise_lock_after_undo",
        "max_failed": "rolling_max_failed",
        "max_unreachable": "rolling_max_unreachable",
        "new_hosts": "catchup",
        "pause": "rolling_pause",
        "provider": "fraise_provider",
        "steps": "canary_steps",
        "strategy": "fraise_strategy",
        "undo_limit": "fraise_undo_limit",
        "watch": "fraise_watch",
        "watch_failures": "fraise_watch_failures",
        "watch_interval": "fraise_watch_interval",
    },
    "fraisier.deploy.operate": {},
    "fraisier.deploy.store": {"query": "store"},
}
"""Action to option to the variable that our playbooks read it from, where that has another name."""
CHECKS = {"bool": check_type_bool, "dict": check_type_dict, "float": check_type_float, "int": check_type_int}
MEANT = {"bool": "true or false", "dict": "a mapping", "float": "a number", "int": "a whole number"}
SHOWN = {"bool": "true", "dict": "'{...}'", "float": "3600", "int": "20"}
SPECIAL = {"catchup": ("new, the only value that there is", "new")}
"""Variables of which the playbook makes something else: what they mean, and an example."""
LONGEST_SHOWN = 80


def require_fitting(action: str, spec: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
    """ValidationError for the first of the ``given`` options whose value is of another type than ``spec`` says, or none of its choices."""
    for option, value in given.items() if action in VARIABLES else ():
        rule = spec.get(option, {})
        if value is None or not rule:
            continue
        name = VARIABLES[action].get(option, option)
        name = name if name in variables else option
        shown = str(value)[:LONGEST_SHOWN]
        context = {"option": name, "value": shown}
        choices = rule.get("choices")
        if choices and value not in choices:
            raise ValidationError(f"{name}: there is no {shown!r}", hint=f"One of: {', '.join(sorted(choices))}", context=context)
        kind = str(rule.get("type"))
        if kind in CHECKS and not _fits(kind, value):
            meant, example = SPECIAL.get(name, (MEANT[kind], rule.get("default") or SHOWN[kind]))
            raise ValidationError(f"{name}: {shown!r} is not {meant}", hint=f"Write -e {name}={example}, for example", context=context)


def _fits(kind: str, value: Any) -> bool:
    try:
        CHECKS[kind](value)
    except (TypeError, ValueError):
        return False
    return True
