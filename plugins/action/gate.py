# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.plugin_utils.actions import FraisierAction
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import call


class ActionModule(FraisierAction):
    """Asks the recorder whether the deployment may go on. A refusal is an answer, not a failure."""

    SPEC = {"at": {"type": "str", "required": True, "choices": ["after", "before", "settle"]}}
    _requires_connection = False

    def act(self, arguments, task_vars):
        answer = call("gate", at=arguments["at"], hosts=[str(host) for host in task_vars.get("ansible_play_batch", [])])
        keys = ("go", "reason", "failed_hosts", "batch", "batches", "undo", "last_good")
        return {"changed": False, "at": arguments["at"], **{key: answer[key] for key in keys}}
