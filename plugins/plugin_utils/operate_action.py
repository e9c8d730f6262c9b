# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Acting on deployments from another terminal, AWX or a runner: what an operator asks goes to the store, through the recorder of this run."""

from __future__ import annotations

import getpass
import socket
import time
from typing import Any

from ansible_collections.fraisier.deploy.plugins.plugin_utils.actions import FraisierAction
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import call
from ansible_collections.fraisier.deploy.plugins.plugin_utils.who import who, words_of

OBEY_SECONDS = 3.0
OBEY_POLL_SECONDS = 0.25


class OperateAction(FraisierAction):
    """The action ``operate``: runs once, on the controller, with no connection."""

    SPEC = {
        "verb": {"type": "str", "required": True, "choices": ["abort", "approve", "lock", "pause", "promote", "resume", "unlock"]},
        "fraise": {"type": "str"},
        "fraise_environment": {"type": "str"},
        "deployment": {"type": "str"},
        "argument": {"type": "str"},
        "reason": {"type": "str"},
        "expires": {"type": "float"},
        "override": {"type": "str"},
        "plan": {"type": "str"},
        "revoke": {"type": "bool", "default": False},
    }
    _requires_connection = False

    def speaks_first(self) -> bool:
        """It is the only task of its playbooks."""
        return True

    def act(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Ask, and for a moment look whether the running deployment obeys."""
        redactor = self.redactor(arguments, task_vars)
        answer = call(
            "operate",
            verb=arguments["verb"],
            user=who(task_vars, getpass.getuser(), socket.gethostname()),
            fraise=arguments.get("fraise") or "",
            environment=arguments.get("fraise_environment") or "",
            deployment=arguments.get("deployment"),
            argument="revoke" if arguments["revoke"] else arguments.get("argument"),
            reason=redactor.text(words_of("reason", arguments.get("reason"))),
            expires=arguments.get("expires"),
            override=redactor.text(words_of("override", arguments.get("override"))),
            plan=arguments.get("plan") or "",
            check=bool(self._task.check_mode),
        )["answer"]
        if answer.get("command"):
            answer.update(self._obeyed(answer["command"]))
            answer["msg"] += f": {answer['outcome']}" if answer["obeyed_at"] else " (not yet)"
        self.say(answer["msg"])
        return {"verb": arguments["verb"], **answer}

    def _obeyed(self, command: str) -> dict[str, Any]:
        """What became of the command within a moment; a step of a host that is under way is not cut short, so it may take longer."""
        deadline = time.monotonic() + OBEY_SECONDS
        while True:
            answer: dict[str, Any] = call("query", query="command", command=command)["answer"]
            if answer["obeyed_at"] or time.monotonic() >= deadline:
                return answer
            time.sleep(OBEY_POLL_SECONDS)
