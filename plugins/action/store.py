# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.plugin_utils.actions import FraisierAction
from ansible_collections.fraisier.deploy.plugins.plugin_utils.plan_reports import plan_report, plans_report
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import call
from ansible_collections.fraisier.deploy.plugins.plugin_utils.reports import report_lines

MIGRATION_SECONDS = 120.0
PLAN_REPORTS = {"plan": plan_report, "plans": plans_report}


class ActionModule(FraisierAction):
    """Asks the store a question through the recorder, and shows the answer as a table."""

    SPEC = {
        "query": {"type": "str", "required": True, "choices": ["check", "deployment", "fleet", "history", "migrate", "plan", "plans", "sql", "status"]},
        "fraise": {"type": "str"},
        "fraise_environment": {"type": "str"},
        "deployment": {"type": "str"},
        "plan": {"type": "str"},
        "limit": {"type": "int", "default": 20},
        "answers": {"type": "dict"},
        "show": {"type": "bool", "default": True},
    }
    _requires_connection = False

    def act(self, arguments, task_vars):
        query = arguments["query"]
        if query == "migrate" and self._task.check_mode:
            query = "check"
        answer = call(
            "query",
            timeout=MIGRATION_SECONDS,
            query=query,
            fraise=arguments.get("fraise"),
            environment=arguments.get("fraise_environment"),
            deployment=arguments.get("deployment"),
            plan=arguments.get("plan"),
            limit=arguments["limit"],
        )["answer"]
        lines = PLAN_REPORTS[query](answer) if query in PLAN_REPORTS else report_lines(query, answer, arguments.get("answers"))
        if arguments["show"]:
            self.say(*lines)
        changed = bool(query == "migrate" and answer["applied"])
        return {"changed": changed, "answer": answer, "lines": lines}
