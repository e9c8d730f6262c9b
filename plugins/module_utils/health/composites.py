# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks made of checks, and how a whole list of them is looked at once."""

from __future__ import annotations

import time

from ansible_collections.fraisier.deploy.plugins.module_utils.health.http import HttpCheck
from ansible_collections.fraisier.deploy.plugins.module_utils.health.probes import ExecCheck, SystemdCheck, TcpCheck
from ansible_collections.fraisier.deploy.plugins.module_utils.health.report import DEGRADED, HEALTHY, UNHEALTHY, CheckResult
from ansible_collections.fraisier.deploy.plugins.module_utils.health.validation import check_health_options

LEAF_CHECKS = {check.TYPE: check for check in (ExecCheck, HttpCheck, SystemdCheck, TcpCheck)}


class Leaf:
    """One check that asks something outside, with the number of times it did."""

    def __init__(self, check, clock):
        self._check = check
        self._clock = clock
        self._attempts = 0
        self.target = check.target
        self.kind = check.TYPE

    def look(self, left, version):
        """(ok, degraded, rows) of one run that ends within ``left()`` seconds."""
        seconds = min(self._check.timeout, left())
        started = self._clock()
        if seconds <= 0:
            ok, message = False, "not run: the deadline has passed"
        else:
            self._attempts += 1
            ok, message = self._check.run(seconds, version)
        return ok, False, [CheckResult(self.kind, self.target, ok, message, self._attempts, self._clock() - started)]


class Composite:
    """``count`` of the ``members`` must pass; every member is asked, so that a failing one is seen even when it does not matter."""

    def __init__(self, kind, count, members, clock):
        self.kind = kind
        self._count = count
        self._members = members
        self._clock = clock
        self._attempts = 0
        names = ", ".join("{0} {1}".format(member.kind, member.target) for member in members)
        self.target = names if kind in ("all", "any") else "{0} of {1}".format(count, names)

    def look(self, left, version):
        """(ok, degraded, rows) with the row of the composite before those of its members."""
        self._attempts += 1
        started = self._clock()
        looks = [member.look(left, version) for member in self._members]
        passed = sum(1 for ok, _degraded, _rows in looks if ok)
        ok = passed >= self._count
        degraded = ok and (passed < len(looks) or any(member_degraded for _ok, member_degraded, _rows in looks))
        message = "{0} of {1} pass, wanted {2}".format(passed, len(looks), self._count)
        row = CheckResult(self.kind, self.target, ok, message, self._attempts, self._clock() - started)
        return ok, degraded, [row] + [inner for _ok, _degraded, rows in looks for inner in rows]


class CheckList:
    """All entries of the option ``health``: each must pass."""

    def __init__(self, checks, clock=time.monotonic):
        self._members = [_build(kind, options, clock) for kind, options in check_health_options(checks)]

    def __len__(self):
        return len(self._members)

    def look(self, left, version):
        """(status, rows, message) of one round; ``left()`` gives the seconds that remain for it."""
        looks = [member.look(left, version) for member in self._members]
        rows = [row for _ok, _degraded, member_rows in looks for row in member_rows]
        if all(ok for ok, _degraded, _rows in looks):
            degraded = any(member_degraded for _ok, member_degraded, _rows in looks)
            return (DEGRADED if degraded else HEALTHY), rows, _summary(rows) if degraded else "all checks pass"
        return UNHEALTHY, rows, _summary([row for ok, _degraded, member_rows in looks if not ok for row in member_rows])


def _build(kind, options, clock):
    if kind in LEAF_CHECKS:
        return Leaf(LEAF_CHECKS[kind](options), clock)
    members = [_build(member_kind, member_options, clock) for member_kind, member_options in options["of"]]
    count = {"all": len(members), "any": 1}.get(kind) or options["count"]
    return Composite(kind, count, members, clock)


def _summary(rows):
    """The failing leaves of ``rows`` in one line; composites only repeat them."""
    failing = [row for row in rows if not row.ok and row.type in LEAF_CHECKS]
    return "; ".join("{0} {1}: {2}".format(row.type, row.target, row.message) for row in failing[:3])
