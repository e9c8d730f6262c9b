# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: notification
short_description: Shows a deployment as it goes, one line a step
version_added: 0.1.0
author:
  - fraisier.deploy contributors (!UNKNOWN)
description:
  - Prints one line for each step of each host and for each gate of a deployment, beside whatever the stdout callback prints.
  - Works with every stdout callback, in AWX and under ansible-runner.
"""

from ansible.plugins.callback import CallbackBase

from ansible_collections.fraisier.deploy.plugins.plugin_utils.progress_lines import progress_line


class CallbackModule(CallbackBase):
    """What a person watches."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "fraisier.deploy.progress"
    CALLBACK_NEEDS_ENABLED = True

    def _show(self, result, outcome):
        line = progress_line(str(result.task.action), str(result.host), result.result, outcome)
        if line:
            self._display.display(line, color="red" if outcome != "ok" else "green")

    def v2_runner_on_ok(self, result):
        self._show(result, "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._show(result, "failed")

    def v2_runner_on_unreachable(self, result):
        self._show(result, "unreachable")
