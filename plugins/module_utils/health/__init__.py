# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health of a release: what can be checked, one look, and the wait for a healthy stretch of time."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.module_utils.health.options import HEALTH_OPTIONS
from ansible_collections.fraisier.deploy.plugins.module_utils.health.report import CheckResult, HealthReport
from ansible_collections.fraisier.deploy.plugins.module_utils.health.validation import check_health_options, check_timing, secret_values
from ansible_collections.fraisier.deploy.plugins.module_utils.health.waiter import probe, verify

__all__ = [
    "HEALTH_OPTIONS",
    "CheckResult",
    "HealthReport",
    "check_health_options",
    "check_timing",
    "probe",
    "secret_values",
    "verify",
]
