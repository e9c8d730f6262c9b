# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until a release is healthy for long enough, or known to be broken."""

from __future__ import annotations

import time

from ansible_collections.fraisier.deploy.plugins.module_utils.health.composites import CheckList
from ansible_collections.fraisier.deploy.plugins.module_utils.health.crashes import CrashWatch
from ansible_collections.fraisier.deploy.plugins.module_utils.health.report import HEALTHY, UNHEALTHY, CheckResult, HealthReport
from ansible_collections.fraisier.deploy.plugins.module_utils.health.validation import check_timing

FIRST_PAUSE = 0.25
BACK_OFF = 1.5
LONGEST_PAUSE = 5.0
CRASH_LOOK_SECONDS = 1.0
PROBE_SECONDS = 3600.0
SHORTEST_ROUND = 0.1
# Two sums of the same seconds differ in their last digits; less than this is no time.
SLACK = 0.001


def verify(checks, *, min_healthy, interval, deadline, service=None, version=None, clock=time.monotonic, sleep=time.sleep):
    """Look at ``checks`` until all have held for ``min_healthy`` seconds in a row, and return the HealthReport.

    It is unhealthy when ``deadline`` seconds pass before that, or at once when ``service`` (a ServiceManager) dies or is restarted by its manager.
    Looks are ``interval`` seconds apart; before the first passing one they start closer together (0.25 s) and back off by 1.5 to 5 s.
    Without checks the service must stay active; without either the answer is healthy. ``version``: what the answers must name (http.version_path).
    """
    check_timing(min_healthy, interval, deadline)
    return _Wait(checks, min_healthy, interval, deadline, service, version, clock, sleep).run()


def probe(checks, *, service=None, version=None):
    """Look at each of ``checks`` once and return the HealthReport; ``service`` is looked at when there are none, or when it has failed."""
    wait = _Wait(checks, 0.0, 1.0, PROBE_SECONDS, service, version, time.monotonic, time.sleep)
    return wait.report(*wait.look())


class _Wait:
    def __init__(self, checks, min_healthy, interval, deadline, service, version, clock, sleep):
        self._list = CheckList(checks, clock)
        self._watch = CrashWatch(service)
        self._min_healthy = min_healthy
        self._interval = interval
        self._version = version
        self._clock = clock
        self._sleep = sleep
        self._started = clock()
        self._end = self._started + deadline
        self._deadline = deadline
        self._ever_healthy = False

    def run(self):
        """The whole wait."""
        healthy_since = None
        pause = min(FIRST_PAUSE, self._interval)
        while True:
            status, rows, message = self.look()
            now = self._clock()
            if self._watch.crash:
                return self.report(status, rows, message)
            if status == UNHEALTHY:
                healthy_since = None
            else:
                healthy_since = now if healthy_since is None else healthy_since
                self._ever_healthy = True
                if now - healthy_since >= self._min_healthy - SLACK and now <= self._end:
                    return self.report(status, rows, message)
            if not self._pause(healthy_since, now, pause):
                healthy_since = None
            if self._watch.crash:
                return self.report(UNHEALTHY, rows, "")
            if self._too_late(healthy_since):
                return self._late(status, rows, message, healthy_since)
            if not self._ever_healthy:
                pause = min(pause * BACK_OFF, max(LONGEST_PAUSE, self._interval))

    def look(self):
        """(status, rows, message) of one round of checks and of the service."""
        status, rows, message = self._list.look(lambda: self._end - self._clock(), self._version)
        state = self._watch.look()
        if not len(self._list):
            if state is None:
                return HEALTHY, [], "no checks"
            ok = bool(state.active)
            rows = [CheckResult(state.manager, state.name, ok, state.describe(), self._watch.looks)]
            return (HEALTHY if ok else UNHEALTHY), rows, rows[0].message
        return status, rows, message

    def report(self, status, rows, message):
        """The HealthReport of the last round; a crash of the service outweighs what the checks say."""
        if self._watch.crash:
            status, message = UNHEALTHY, self._watch.crash
            row = CheckResult(self._watch.manager, self._watch.name, False, message, self._watch.looks)
            rows = [other for other in rows if (other.type, other.target) != (row.type, row.target)] + [row]
        return HealthReport(status, rows, message=message, duration=self._clock() - self._started, crashed=bool(self._watch.crash))

    def _too_late(self, healthy_since):
        """Whether another round cannot change the outcome; one squeezed in before the deadline would only hide why the last one failed."""
        left = self._end - self._clock()
        return left <= SLACK or (healthy_since is None and left < SHORTEST_ROUND)

    def _late(self, status, rows, message, healthy_since):
        if status != UNHEALTHY:
            held = 0.0 if healthy_since is None else self._clock() - healthy_since  # broken in the last pause: nothing is held
            message = "healthy for {0:.1f} s of {1:g} s in a row when the deadline of {2:g} s passed".format(held, self._min_healthy, self._deadline)
        else:
            message = "not healthy within {0:.3g} s: {1}".format(self._deadline, message)
        return self.report(UNHEALTHY, rows, message)

    def _pause(self, healthy_since, now, pause):
        """Sleep until the next look, and look at the service meanwhile: a crash must not wait for a long pause to end.

        Returns whether the stretch holds: without checks, it is broken by a service that was seen inactive in between.
        """
        if healthy_since is not None:
            until = min(now + self._interval, healthy_since + self._min_healthy)
        else:
            until = now + (self._interval if self._ever_healthy else pause)
        until = min(until, self._end)
        while True:
            left = until - self._clock()
            if left <= SLACK:
                return True
            self._sleep(min(left, CRASH_LOOK_SECONDS))
            if until - self._clock() > SLACK:
                state = self._watch.look()
                if self._watch.crash:
                    return True
                if healthy_since is not None and not len(self._list) and state is not None and not state.active:
                    return False
