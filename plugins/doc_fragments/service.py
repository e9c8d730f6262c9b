# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The option O(service), which every provider of long-running processes has."""

    DOCUMENTATION = r"""
options:
  service:
    description:
      - The process that serves the fraise, and what manages it.
      - Without it nothing is started or stopped.
    type: dict
    suboptions:
      name:
        description:
          - Name of the unit, such as V(shop-api.service); V(.service) is added to a name without a suffix.
          - Required for manager V(systemd). For manager V(process) only a label, by default the command's name.
        type: str
      manager:
        description:
          - V(systemd) - a unit that exists on the host.
          - V(process) - a detached process with a pid file under the fraise's folder, for demonstrations, containers and hosts without systemd.
          - V(none) - something else looks after the process.
        type: str
        choices: [none, process, systemd]
        default: systemd
      scope:
        description:
          - Whose unit it is, for manager V(systemd). V(user) is the user the module runs as; the user needs lingering.
        type: str
        choices: [system, user]
        default: system
      command:
        description:
          - What manager V(process) runs, in the folder of the current release, without a shell. A relative path is looked up in that folder.
        type: list
        elements: str
      environment:
        description:
          - Variables for the command of manager V(process), laid over those of the fraise.
        type: dict
        default: {}
      action:
        description:
          - How a running service takes up a new release. A service that does not run is always started.
        type: str
        choices: [reload, restart]
        default: restart
      stop_signal:
        description:
          - Signal with which manager V(process) asks for the end, by name or number.
        type: str
        default: TERM
      stop_timeout:
        description:
          - Seconds that manager V(process) waits after O(service.stop_signal) before it kills.
        type: float
        default: 10.0
      log_file:
        description:
          - Where manager V(process) sends the output, by default C(.fraisier/process.log) under the fraise's folder.
            At each start a log of more than 1 MB is moved to the same name with C(.1).
        type: path
"""
