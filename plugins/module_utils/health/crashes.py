# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See a crash loop: a service whose manager starts it again and again looks well to a check that asks at the right moment."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError

LOG_LINES = 10


class CrashWatch:
    """Compares what a ServiceManager says with what it said first. ``crash``: "" or, for good, the line that says how the service died."""

    def __init__(self, service):
        self._service = service
        self._first = None
        self.crash = ""
        self.looks = 0
        self.manager = service.NAME if service else ""
        self.name = service.name if service else ""

    def look(self):
        """The ServiceStatus of now; None without a service or when its manager does not know or cannot be asked."""
        if self._service is None:
            return None
        try:
            status = self._service.status()
        except FraisierError as error:
            if self._first is None:
                raise
            # The manager not answering for a moment says nothing about the service.
            return self._silent(error)
        self.looks += 1
        if status.active is None:
            return None
        if self._first is None:
            self._first = status
        if not self.crash:
            self.crash = self._with_log(_crash(self._first, status))
        return status

    def _silent(self, error):
        return type(self._first)(self._first.manager, self._first.name, False, detail={"error": error.message})

    def _with_log(self, crash):
        log = self._service.log_tail(LOG_LINES) if crash else ""
        return "{0}; last lines of its log:\n{1}".format(crash, log) if log else crash


def _crash(first, now):
    """How the service died between ``first`` and ``now``, "" when it did not."""
    name = "{0} {1}".format(now.manager, now.name)
    reason = _reason(now.detail)
    if now.failed:
        return "{0} has failed{1}".format(name, reason)
    if first.restarts is not None and now.restarts is not None and now.restarts > first.restarts:
        return "{0} crashes: it was restarted {1} times while it was watched{2}".format(name, now.restarts - first.restarts, reason)
    if now.finite or not first.pid or now.pid == first.pid:
        return ""
    if now.pid:
        return "{0} crashes: its main process changed from {1} to {2}{3}".format(name, first.pid, now.pid, reason)
    return "{0} died: its main process {1} is gone{2}".format(name, first.pid, reason)


def _reason(detail):
    facts = [(word, detail.get(key)) for word, key in (("state", "sub_state"), ("result", "result"), ("exit status", "exit_status"), ("pid was", "died_pid"))]
    said = ", ".join("{0} {1}".format(word, value) for word, value in facts if value not in ("", None))
    return " ({0})".format(said) if said else ""
