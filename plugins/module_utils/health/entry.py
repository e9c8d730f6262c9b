# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``health_check`` without Ansible: its options and what it does."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.module_utils.health.options import HEALTH_OPTIONS
from ansible_collections.fraisier.deploy.plugins.module_utils.health.validation import check_health_options, check_timing
from ansible_collections.fraisier.deploy.plugins.module_utils.health.waiter import verify
from ansible_collections.fraisier.deploy.plugins.module_utils.services import SERVICE_OPTIONS, service_manager

ARGUMENT_SPEC = {
    "health": {"type": "list", "elements": "dict", "options": HEALTH_OPTIONS, "default": []},
    "min_healthy": {"type": "float", "default": 10.0},
    "interval": {"type": "float", "default": 1.0},
    "timeout": {"type": "float", "default": 300.0},
    "service": {"type": "dict", "options": SERVICE_OPTIONS},
    "path": {"type": "path"},
    "version": {"type": "str"},
}


def run(params, *, check_mode=False, diff=False, warn=lambda text: None):
    """Wait until the checks of ``params`` (by ARGUMENT_SPEC) have held, and return {changed, health, duration}.

    Reads only, so check mode makes no difference. Raises HealthCheckError with the same dict as ``result``, or ValidationError before any check.
    """
    checks = params.get("health") or []
    check_health_options(checks)
    check_timing(params["min_healthy"], params["interval"], params["timeout"])
    service = _service(params)
    if not checks and service is None:
        warn("health_check was given neither health nor service: there is nothing to check")
    report = verify(
        checks,
        min_healthy=params["min_healthy"],
        interval=params["interval"],
        deadline=params["timeout"],
        service=service,
        version=params.get("version"),
    )
    result = {"changed": False, "health": report.to_dict(), "duration": round(report.duration, 3)}
    if not report.ok:
        error = report.to_error()
        error.result = result
        raise error
    return result


def _service(params):
    if not params.get("service"):
        return None
    if params["service"].get("manager") == "process" and not params.get("path"):
        raise ValidationError("path is missing", hint="Manager process keeps its pid file under path: give the fraise's folder, such as /srv/shop_api.")
    service = service_manager(params["service"], root=params.get("path") or "", environment={})
    # Only what is started needs a command; a look at the pid file does not.
    if service.NAME != "process":
        service.validate()
    return service
