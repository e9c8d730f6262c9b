# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State ``active``: one call that switches to a release, restarts, verifies, and goes back by itself when the release is not healthy.

The order of writes is what makes a crash at any moment harmless: journal open, link renamed, service restarted, health verified, state.json renamed,
journal removed. ``current`` is only ever renamed, so it leads to exactly one whole release. An open journal tells the next call where the host came from.
"""

from __future__ import annotations

import os

from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.state import run_options
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    FraisierError,
    HealthCheckError,
    NotFoundError,
    ProviderError,
    RollbackError,
)
from ansible_collections.fraisier.deploy.plugins.module_utils.files import disk_error, forget, fsync_folder, move, prepare_link, utc_now

STOP_SECONDS = 60.0
LOG_LINES = 20


def activate(call):
    """Make the release live; the result says whether anything had to be done. Raises the reason, with ``result``, when it is not live afterwards."""
    return Activation(call).run()


class Activation:
    """One activation. ``origin``: the release to go back to, ``target``: the one to go to; both None or a version."""

    def __init__(self, call):
        self.call = call
        self.params = call.params
        self.layout = call.layout
        self.target = call.params["release"]
        self.origin = None
        self.origin_run = None
        self.interrupted = None
        self.entry = None
        self.state = None
        self.next_link = os.path.join(call.layout.notes, "current.next")
        self.back_link = os.path.join(call.layout.notes, "current.back")

    def run(self):
        self.call.check_fence()
        live = self.layout.current_version()
        before = {"current": live}
        if self.call.check_mode:
            return self._plan(live, before)
        if self.layout.manifest(self.target) is None:
            raise self._not_staged()
        with self.call.locked("activating {0}".format(self.target)):
            self.call.begin()
            self.call.pass_fence()
            self.state = self.call.state()
            live = self.layout.current_version()
            if self.layout.manifest(self.target) is None:
                raise self._not_staged()
            manager = self.call.existing_manager(self.target)
            self.interrupted = self.call.interrupted(self.state)
            if self.interrupted is None:
                self.call.journal.close()
            if self.interrupted is None and live == self.target and not self.params["force"]:
                report = self._already_well(manager)
                if report is not None:
                    result = self.call.result(False, self.target, state=self.state, report=report, service=manager)
                    return self.call.with_diff(result, {"current": live}, {"current": live})
            self.origin = self.interrupted["from"] if self.interrupted is not None else live
            self.origin_run = self.state.runs.get(self.origin) if self.origin else None
            report = self._shift(manager)
            result = self.call.result(True, self.target, state=self.state, report=report, service=manager)
        return self.call.with_diff(result, {"current": live}, {"current": self.target})

    def _not_staged(self):
        return NotFoundError(
            "Release {0} is not staged below {1}".format(self.target, self.layout.releases),
            hint="Run state staged first.",
            context={"release": self.target, "staged": [manifest["version"] for manifest in self.layout.staged_releases()]},
        )

    def _plan(self, live, before):
        """Check mode: what would happen, from what can be seen."""
        manager = self.call.manager(self.target)
        manager.validate()
        if not manager.exists():
            self.call.warn("the {0} service {1} does not exist on this host yet".format(manager.NAME, manager.name))
        state = self.call.state()
        settled = live == self.target and self.call.interrupted(state) is None and not self.params["force"] and state.is_run_as(self.target, self.params)
        changed = not (settled and manager.status().active is not False)
        result = self.call.result(changed, self.target, state=state)
        if changed and live != self.target:
            result["release"]["previous"] = live
        return self.call.with_diff(result, before, {"current": self.target})

    def _already_well(self, manager):
        """The health report when the release is live, run as wanted and well, else None."""
        from ansible_collections.fraisier.deploy.plugins.module_utils.health import probe

        if not self.state.is_run_as(self.target, self.params):
            return None
        status = manager.status()
        if status.active is False or status.failed:
            return None
        with self.call.timed("verify"):
            report = probe(self.params["health"], service=manager, version=self.target)
        return report if report.ok else None

    def _shift(self, manager):
        """Go from origin to target; returns the health report. Whatever fails on the way is undone before the error is raised."""
        at = utc_now()
        started = False
        try:
            self.entry = self.call.journal.open(self.origin, self.target, run_options(self.params)["service"])
            self.state.activated(self.target, self.origin, self.params, self.entry["id"], at)
            # All that the way there and the way back need of the disk is taken now: a disk that fills up later stops neither.
            self.state.prepare()
            prepare_link(self.layout.link_target(self.target), self.next_link)
            if self.origin is not None:
                prepare_link(self.layout.link_target(self.origin), self.back_link)
            with self.call.timed("switch"):
                if self.layout.current_version() != self.target:
                    move(self.next_link, self.layout.current)
            started = True
            report = self._start(manager)
        except Exception as error:  # a defect of ours, too, must not leave the host on a release that nobody verified
            self._fail(manager, self._as_fraisier_error(error), started)
        self._commit(report)
        return report

    def _as_fraisier_error(self, error):
        if isinstance(error, FraisierError):
            return error
        if isinstance(error, OSError):
            return disk_error(error, self.layout.root)
        return ProviderError("Unexpected error while {0} was activated: {1}: {2}".format(self.target, type(error).__name__, error), cause=error)

    def _commit(self, report):
        try:
            self.state.commit()
        except OSError as error:
            failure = disk_error(error, self.layout.state)
            failure.message = "Release {0} is live and healthy, but this could not be written down: {1}".format(self.target, failure.message)
            failure.hint = "Correct the disk and run the same again."
            failure.result = self.call.result(True, self.target, report=report)
            raise failure from error
        self._close()

    def _close(self):
        self.call.journal.close()
        for link in (self.next_link, self.back_link):
            forget(link)

    def _stop_others(self, keeper):
        """Stop what origin, target or a call that was cut off may run under another service than ``keeper``."""
        seen = {_identity(keeper)}
        for run in (self.origin_run, self.interrupted, self.params):
            other = self.call.manager(None, run) if run is not None else None
            if other is not None and _identity(other) not in seen and other.exists():
                seen.add(_identity(other))
                other.stop(STOP_SECONDS)

    def _start(self, manager):
        """Restart and verify target; raises HealthCheckError when it is not healthy in time."""
        try:
            with self.call.timed("restart"):
                self._stop_others(manager)
                manager.apply(max(0.1, self.call.remaining()))
        except FraisierError as error:
            if error.infrastructure:
                raise
            raise self._unhealthy("its service did not start: {0}".format(error.message), error.context, cause=error) from error
        with self.call.timed("verify"):
            report = self._verify(manager, self.params, self.target, self.call.remaining())
        if not report.ok:
            error = report.to_error()
            context = dict(error.context, health=report.to_dict(), log=manager.log_tail(LOG_LINES), service=manager.status().to_dict())
            raise self._unhealthy(error.message, context, cause=error)
        return report

    def _unhealthy(self, reason, context, cause):
        return HealthCheckError(
            "Release {0} is not healthy: {1}".format(self.target, reason),
            context=dict(context, release=self.target),
            cause=cause,
            hint="Look at its log on the host.",
        )

    def _verify(self, manager, run, version, seconds):
        from ansible_collections.fraisier.deploy.plugins.module_utils.health import HealthReport, verify

        if seconds <= run["min_healthy"]:
            message = "the restart left {0:.1f} s of the timeout, too few for min_healthy {1:g} s".format(max(0.0, seconds), run["min_healthy"])
            return HealthReport("unhealthy", [], message=message)
        return verify(
            run["health"], min_healthy=run["min_healthy"], interval=run["interval"], deadline=seconds, service=manager, version=version, clock=self.call.clock
        )

    def _fail(self, manager, error, started):
        """Undo what was begun and raise ``error`` with the result of it; raises RollbackError when going back fails too."""
        self.state = self.call.state()
        report, reverted = None, False
        if started:
            self.call.journal.mark(self.entry, "revert")
            report, reverted, error = self._go_back(manager, error)
        else:
            self._never_began()
        # The journal is closed last, and the note of the failure may miss: on a full disk the host must end well all the same.
        live = self.layout.current_version()
        if started:
            self._note_failure(live, not error.infrastructure)
        error.context.update({"release": self.target, "origin": self.origin, "current": live})
        error.result = self.call.result(started, live, state=self.call.state(), report=report, service=self._serving(manager, live), reverted=reverted)
        raise error

    def _never_began(self):
        """Nothing was switched. An open entry of an earlier call stays (or ours, which names the same origin): it is still true."""
        self.state.drop_prepared()
        for link in (self.next_link, self.back_link):
            forget(link)
        if self.interrupted is None:
            self.call.journal.close()

    def _serving(self, manager, live):
        return self.call.manager(live, self.origin_run) if self.origin_run is not None and live == self.origin else manager

    def _note_failure(self, live, blame):
        self.state.turned_back(self.target, live, utc_now(), blame)
        try:
            self.state.drop_prepared()
            self.state.write()
        except OSError as error:
            self.call.warn("the failure of {0} could not be written down: {1}".format(self.target, error))
        self._close()

    def _go_back(self, manager, error):
        """(health report of what serves now, whether the host is as before, the error to raise)."""
        if self.origin == self.target:
            return None, False, error
        try:
            if self.origin is None:
                self._leave_nothing(manager)
                return None, True, error
            if self.layout.manifest(self.origin) is None:
                raise ProviderError("release {0} is no longer on this host".format(self.origin))
            report = self._serve_origin()
        except (FraisierError, OSError) as second:
            return None, False, self._stranded(error, str(second))
        if not report.ok:
            return report, False, self._stranded(error, "{0} is not healthy either: {1}".format(self.origin, report.message))
        return report, True, error

    def _leave_nothing(self, manager):
        """The first release of this fraise failed: its service stops, and nothing is current again."""
        manager.stop(STOP_SECONDS)
        if forget(self.layout.current):
            fsync_folder(self.layout.root)

    def _serve_origin(self):
        run = self.origin_run if self.origin_run is not None else run_options(self.params)
        with self.call.timed("switch"):
            if self.layout.current_version() != self.origin:
                move(self.back_link, self.layout.current)
        keeper = self.call.manager(self.origin, run)
        with self.call.timed("restart"):
            self._stop_others(keeper)
            keeper.apply(self.params["timeout"])
        with self.call.timed("verify"):
            return self._verify(keeper, run, self.origin, max(self.params["timeout"], 2 * run["min_healthy"] + 1))

    def _stranded(self, error, reason):
        return RollbackError(
            "{0}; going back to {1} failed: {2}".format(error.message.rstrip("."), self.origin or "nothing", reason),
            hint="A person must look at this host now.",
            context=dict(error.context, failure=error.to_dict()),
            cause=error,
        )


def _identity(manager):
    """What tells one service of a host from another."""
    return (manager.NAME, manager.name, manager.options.get("scope"))
