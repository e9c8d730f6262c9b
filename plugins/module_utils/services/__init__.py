# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service managers: how a fraise's process is started, stopped and observed on a host."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.module_utils.services.base import NoService, ServiceManager, ServiceStatus
from ansible_collections.fraisier.deploy.plugins.module_utils.services.process import ProcessService
from ansible_collections.fraisier.deploy.plugins.module_utils.services.systemd import SystemdService

# In alphabetical order of the manager's name.
MANAGERS = {manager.NAME: manager for manager in (NoService, ProcessService, SystemdService)}

SERVICE_OPTIONS = {
    "name": {"type": "str"},
    "manager": {"type": "str", "choices": ["none", "process", "systemd"], "default": "systemd"},
    "scope": {"type": "str", "choices": ["system", "user"], "default": "system"},
    "command": {"type": "list", "elements": "str"},
    "environment": {"type": "dict", "default": {}, "no_log": False},
    "action": {"type": "str", "choices": ["reload", "restart"], "default": "restart"},
    "stop_signal": {"type": "str", "default": "TERM"},
    "stop_timeout": {"type": "float", "default": 10.0},
    "log_file": {"type": "path"},
}
"""Sub-options of the option ``service``, for an argument_spec."""

__all__ = ["MANAGERS", "SERVICE_OPTIONS", "ServiceManager", "ServiceStatus", "service_manager"]


def service_manager(service, *, root, environment):
    """The ServiceManager for the option ``service`` (a dict of SERVICE_OPTIONS, or None for nothing to manage).

    ``root``: the fraise's folder on the host, ``environment``: variables of the fraise. Raises ValidationError for an unknown manager.
    """
    options = {key: spec["default"] for key, spec in SERVICE_OPTIONS.items() if "default" in spec}
    options.update({key: value for key, value in (service or {}).items() if value is not None})
    name = options["manager"] if service else NoService.NAME
    if name not in MANAGERS:
        raise ValidationError("service.manager: {0!r} is not a service manager".format(name), hint="Use one of: {0}.".format(", ".join(sorted(MANAGERS))))
    return MANAGERS[name](options, root=root, environment=environment)
