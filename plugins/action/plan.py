# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.plugin_utils.actions import FraisierAction
from ansible_collections.fraisier.deploy.plugins.plugin_utils.plan_reports import plan_report
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import call


class ActionModule(FraisierAction):
    """Makes a plan of what the hosts of this run answered in check mode, writes it down and shows it."""

    SPEC = {"show": {"type": "bool", "default": True}}
    _requires_connection = False

    def act(self, arguments, task_vars):
        plan = call("plan", write=not self._task.check_mode)["plan"]
        lines = plan_report(plan)
        if not plan["written"]:
            lines.append("Check mode: the plan was not written down")
        elif not plan["made"]:
            lines.append(f"This plan was there already, made by {plan['user_name']}")
        if arguments["show"]:
            self.say(*lines)
        # A plan is a row of ours and changes no host.
        told = {key: plan[key] for key in ("document", "expected_seconds", "obstacles")}
        return {"changed": False, "plan": plan["hash"], **told, "lines": lines}
