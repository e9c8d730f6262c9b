# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that are not HTTP: a port, a command, a unit."""

from __future__ import annotations

import socket

from ansible_collections.fraisier.deploy.plugins.module_utils.commands import describe_rc, display, run_command
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError
from ansible_collections.fraisier.deploy.plugins.module_utils.health.http import describe_os_error
from ansible_collections.fraisier.deploy.plugins.module_utils.health.network import Deadline, connect
from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import tail
from ansible_collections.fraisier.deploy.plugins.module_utils.services.systemd import SystemdService

UNIT_SECONDS = 10.0


class TcpCheck:
    """Something accepts connections. ``options``: TCP_OPTIONS, validated."""

    TYPE = "tcp"

    def __init__(self, options):
        self.options = options
        host = options["host"]
        self.target = "{0}:{1}".format("[{0}]".format(host) if ":" in host and not host.startswith("[") else host, options["port"])
        self.timeout = options["timeout"]

    def run(self, seconds, version=None):
        """(ok, message) within ``seconds``."""
        try:
            connect(self.options["host"], self.options["port"], Deadline(seconds)).close()
        except (socket.timeout, TimeoutError) as error:
            return False, str(error)
        except OSError as error:
            return False, describe_os_error(error)
        return True, "accepts connections"


class ExecCheck:
    """A command ends as it must. ``options``: EXEC_OPTIONS, validated."""

    TYPE = "exec"

    def __init__(self, options):
        self.options = options
        self.target = display(options["command"], 120)
        self.timeout = options["timeout"]

    def run(self, seconds, version=None):
        """(ok, message) within ``seconds``."""
        try:
            result = run_command(self.options["command"], timeout=seconds, cwd=self.options["chdir"])
        except FraisierError as error:
            return False, error.message
        if result.rc == self.options["rc"]:
            return True, describe_rc(result.rc)
        said = tail(result.output, 500)
        return False, "{0}, wanted {1}{2}".format(describe_rc(result.rc), self.options["rc"], ": " + said if said else "")


class SystemdCheck:
    """A unit is in a state. ``options``: SYSTEMD_OPTIONS, validated."""

    TYPE = "systemd"

    def __init__(self, options):
        self.options = options
        self.unit = SystemdService({"name": options["unit"], "scope": options["scope"]})
        self.target = self.unit.name
        self.timeout = UNIT_SECONDS

    def run(self, seconds, version=None):
        """(ok, message); systemd itself answers or not, so ``seconds`` is not stretched by a unit."""
        try:
            detail = self.unit.status().detail
        except FraisierError as error:
            return False, str(error)
        if detail["load_state"] == "not-found":
            return False, "there is no such unit ({0} scope)".format(detail["scope"])
        state = detail["active_state"]
        if state == self.options["state"]:
            return True, "{0} ({1})".format(state, detail["sub_state"])
        return False, "{0} ({1}, result {2}), wanted {3}".format(state, detail["sub_state"], detail["result"] or "none", self.options["state"])
