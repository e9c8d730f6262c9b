# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks found, one row for each check, and one word for all."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import HealthCheckError

HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"


class CheckResult:
    """How one check stands: ``type`` and ``target`` say which, ``attempts`` how often it ran, ``duration`` the seconds of the last run."""

    __slots__ = ("attempts", "duration", "message", "ok", "target", "type")

    def __init__(self, kind, target, ok, message, attempts=1, duration=0.0):
        self.type = kind
        self.target = target
        self.ok = ok
        self.message = message
        self.attempts = attempts
        self.duration = duration

    def to_dict(self):
        """{type, target, ok, attempts, duration, message}."""
        return {
            "type": self.type,
            "target": self.target,
            "ok": self.ok,
            "attempts": self.attempts,
            "duration": round(self.duration, 6),
            "message": self.message,
        }


class HealthReport:
    """The outcome of ``verify`` or ``probe``.

    ``status``: ``healthy``, ``degraded`` (passes by ``any`` or ``quorum`` while a member fails) or ``unhealthy``. ``ok``: not unhealthy.
    ``message``: one line that says why. ``duration``: seconds in all. ``checks``: CheckResult of every check, composites before their members.
    ``crashed``: the service itself died or was restarted by its manager while it was watched.
    """

    def __init__(self, status, checks, *, message, duration=0.0, crashed=False):
        self.status = status
        self.checks = list(checks)
        self.message = message
        self.duration = duration
        self.crashed = crashed

    @property
    def ok(self):
        """Whether the release may stay."""
        return self.status != UNHEALTHY

    def to_dict(self):
        """The ``health`` of a result: {status, message, checks}."""
        return {"status": self.status, "message": self.message, "checks": [check.to_dict() for check in self.checks]}

    def to_error(self):
        """The HealthCheckError that says what failed and how."""
        failing = [check.to_dict() for check in self.checks if not check.ok]
        return HealthCheckError(self.message, context={"status": self.status, "crashed": self.crashed, "failing": failing, "duration": round(self.duration, 3)})
