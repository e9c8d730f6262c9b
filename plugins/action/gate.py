# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.actions import FraisierAction
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import call

POLL_SECONDS = 0.3


class ActionModule(FraisierAction):
    """Asks the recorder whether the deployment may go on. A refusal is an answer, not a failure."""

    SPEC = {"at": {"type": "str", "required": True, "choices": ["after", "before", "during", "settle"]}, "step": {"type": "dict"}}
    _requires_connection = False

    def act(self, arguments, task_vars):
        asked = {"at": arguments["at"], "hosts": [str(host) for host in task_vars.get("ansible_play_batch", [])]}
        step = {"step": step_of(arguments.get("step"))} if arguments["at"] == "during" else {}
        answer, told = self._ask({**asked, **step}), ""
        # The recorder ends every wait, and a recorder that has gone ends this one with an error.
        while answer.get("wait"):
            if answer["reason"] != told:
                told = answer["reason"]
                if not answer.get("known"):
                    self.say(f"  == {told}")
            time.sleep(POLL_SECONDS)
            answer = self._ask({"again": True, **asked})
        keys = ("go", "halts", "moved", "over", "promoted", "reason", "failed_hosts", "batch", "batches", "undo", "last_good")
        batch = {"hosts": answer["hosts"]} if "hosts" in answer else {}
        return {"changed": False, "at": arguments["at"], **{key: answer[key] for key in keys}, **batch}

    def _ask(self, asked):
        """One answer; what operators did meanwhile is shown at once."""
        answer = call("gate", **asked)
        self.say(*(f"  == {line}" for line in answer["told"]))
        return answer


def step_of(step):
    """The step that is waited for, as the recorder takes it; ValidationError when it is none."""
    try:
        asked = {"text": str(step["text"]), "seconds": float(step["seconds"]), "then": str(step.get("then") or "")}
        return {**asked, "every": float(step.get("every") or 0), "watches": bool(step.get("watches")), "halts": str(step.get("halts") or "")}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        hint = "Give step with text and seconds, and then (abort or resume) when a person is to approve"
        raise ValidationError(f"step: {step!r} is no step that lasts", hint=hint, context={"option": "step", "value": str(step)}, cause=error) from error
