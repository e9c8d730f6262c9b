# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time

from ansible_collections.fraisier.deploy.plugins.plugin_utils.actions import FraisierAction
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import call

POLL_SECONDS = 0.3


class ActionModule(FraisierAction):
    """Asks the recorder whether the deployment may go on. A refusal is an answer, not a failure."""

    SPEC = {"at": {"type": "str", "required": True, "choices": ["after", "before", "settle"]}}
    _requires_connection = False

    def act(self, arguments, task_vars):
        asked = {"at": arguments["at"], "hosts": [str(host) for host in task_vars.get("ansible_play_batch", [])]}
        answer, told = self._ask(asked), ""
        # The recorder ends every wait, and a recorder that has gone ends this one with an error.
        while answer.get("wait"):
            if answer["reason"] != told:
                told = answer["reason"]
                self.say(f"  == {told}")
            time.sleep(POLL_SECONDS)
            answer = self._ask({"again": True, **asked})
        keys = ("go", "halts", "reason", "failed_hosts", "batch", "batches", "undo", "last_good")
        return {"changed": False, "at": arguments["at"], **{key: answer[key] for key in keys}}

    def _ask(self, asked):
        """One answer; what operators did meanwhile is shown at once."""
        answer = call("gate", **asked)
        self.say(*(f"  == {line}" for line in answer["told"]))
        return answer
