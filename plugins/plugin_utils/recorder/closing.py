# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said at the end of a deployment: to the action that closes it, and to the record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import LeaseLostError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.debts import at_close
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.opening import OpenDeployment


def closing_answer(current: OpenDeployment, status: str, reason: str) -> dict[str, Any]:
    """The answer to ``close``: how it ended, and host by host what was seen."""
    progress = current.progress
    hosts = {
        entry.name: {"state": entry.state, "before": entry.before, "serving": entry.serving, "step": entry.step, "changed": entry.changed, "error": entry.error}
        for entry in progress.hosts.values()
    }
    recovery = current.takeover.recovery if current.takeover else None
    return {
        "status": status,
        "reason": reason,
        "hosts": hosts,
        "inspected": progress.inspected,
        "checks": current.checks,
        "drift": current.applied.drift if current.applied else None,
        "left_out": progress.left_out(),
        "owed": at_close(current, status)["owed"],
        "lease_lost": progress.lease_lost,
        "recovery": recovery.how if recovery else None,
        "refusal": current.admission.refusal.to_dict() if current.admission.refusal else None,
    }


def closing_data(current: OpenDeployment, status: str, reason: str) -> dict[str, Any]:
    """The data of the event ``deployment.closed``; with the lease, so that the lock goes free when it is still ours."""
    hosts = current.progress.hosts.values()
    # What fails while going back says nothing about the release that is left.
    errors = [entry.failure for entry in hosts if entry.failure] or [entry.error for entry in hosts if entry.error]
    if current.progress.lease_lost:
        errors.insert(0, LeaseLostError(current.progress.halted).to_dict())
    lease = current.lease
    return {
        "status": status,
        "reason": reason,
        **current.admission.closing(status, reason, errors, current.progress, current.checks),
        "finished_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "token": lease.token if lease else None,
        "owner": lease.owner if lease else None,
        **at_close(current, status),
    }
