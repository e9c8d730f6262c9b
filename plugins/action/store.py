# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.plugin_utils.actions import FraisierAction
from ansible_collections.fraisier.deploy.plugins.plugin_utils.maintenance_reports import (
    backup_report,
    check_message,
    check_report,
    maintenance_request,
    prune_diff,
    prune_report,
    restore_report,
)
from ansible_collections.fraisier.deploy.plugins.plugin_utils.plan_reports import plan_report, plans_report
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import call
from ansible_collections.fraisier.deploy.plugins.plugin_utils.reports import report_lines
from ansible_collections.fraisier.deploy.plugins.plugin_utils.status_report import status_report

MIGRATION_SECONDS = 120.0
PRUNE_SECONDS = 3600.0
REPORTS = {"plan": plan_report, "plans": plans_report, "check": check_report, "prune": prune_report, "backup": backup_report, "restore": restore_report}
CARE = ("backup", "prune", "restore")
CALLS = 6
"""A backup or a restore runs so many programs, one after the other, each with the time limit."""


class ActionModule(FraisierAction):
    """Asks the store a question through the recorder, and shows the answer as a table."""

    SPEC = {
        "query": {
            "type": "str",
            "required": True,
            "choices": ["backup", "check", "deployment", "fleet", "grants", "history", "migrate", "plan", "plans", "prune", "restore", "sql", "status"],
        },
        "fraise": {"type": "str"},
        "fraise_environment": {"type": "str"},
        "deployment": {"type": "str"},
        "plan": {"type": "str"},
        "limit": {"type": "int", "default": 20},
        "answers": {"type": "dict"},
        "role": {"type": "str"},
        "keep_days": {"type": "int", "default": 365},
        "keep": {"type": "int", "default": 50},
        "path": {"type": "str"},
        "verify": {"type": "bool", "default": True},
        "replace": {"type": "bool", "default": False},
        "time_limit": {"type": "float", "default": 3600},
        "show": {"type": "bool", "default": True},
    }
    _requires_connection = False

    def speaks_first(self):
        return True

    def act(self, arguments, task_vars):
        query = arguments["query"]
        if query == "migrate" and self._task.check_mode:
            query = "check"
        answer = call(
            "query",
            timeout=_patience(arguments, query),
            query=query,
            fraise=arguments.get("fraise"),
            environment=arguments.get("fraise_environment"),
            deployment=arguments.get("deployment"),
            plan=arguments.get("plan"),
            limit=arguments["limit"],
            **({"role": arguments.get("role")} if query == "grants" else {}),
            **(maintenance_request(arguments, task_vars, check=bool(self._task.check_mode)) if query in CARE else {}),
        )["answer"]
        if query == "status":
            lines = status_report(answer, arguments.get("answers"))
        elif query == "history" and not answer and arguments.get("fraise"):
            lines = [f"No deployments of {arguments['fraise']} in the store yet"]
        else:
            lines = REPORTS[query](answer) if query in REPORTS else report_lines(query, answer)
        if arguments["show"]:
            self.say(*lines)
        result = {"changed": bool(query == "migrate" and answer["applied"]), "answer": answer, "lines": lines}
        if arguments["query"] == "check" and not answer["ok"]:
            result |= {"failed": True, "msg": check_message(answer)}
        if query == "prune":
            result["changed"] = bool(answer["deployments"] or answer["plans"] or answer["events"])
            if self._task.diff:
                result["diff"] = prune_diff(answer)
        if query in ("backup", "restore"):
            result["changed"] = not answer["check"]
        return result


def _patience(arguments, query):
    """Seconds for the recorder's answer."""
    if query in ("backup", "restore"):
        return MIGRATION_SECONDS + CALLS * arguments["time_limit"]
    return PRUNE_SECONDS if query == "prune" else MIGRATION_SECONDS
