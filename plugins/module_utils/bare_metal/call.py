# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of the provider: its options, its clock, and the result it builds."""

from __future__ import annotations

import contextlib
import os
import time

from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.layout import Layout
from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.state import HostState
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ProviderConfigurationError
from ansible_collections.fraisier.deploy.plugins.module_utils.fence import check_fence, pass_fence
from ansible_collections.fraisier.deploy.plugins.module_utils.host_lock import host_lock
from ansible_collections.fraisier.deploy.plugins.module_utils.journal import Journal

TIMINGS = ("fetch", "unpack", "build", "switch", "restart", "verify")


class Call:
    """``params``: all options of ARGUMENT_SPEC. ``clock`` gives seconds that never go back; the call's deadline is ``timeout`` after its start."""

    def __init__(self, params, check_mode, diff, warn, payload, clock=time.monotonic):
        self.params = params
        self.check_mode = check_mode
        self.diff = diff
        self.warn = warn
        self.payload = payload
        self.clock = clock
        self.deadline = clock() + params["timeout"]
        self.layout = Layout(params["path"])
        self.journal = Journal(self.layout.journal)
        self.timings = dict.fromkeys(TIMINGS, 0.0)

    def begin(self):
        """Let the deadline count from now: waiting for another step's lock is not this one's time."""
        self.deadline = self.clock() + self.params["timeout"]

    def remaining(self):
        """Seconds until the deadline, possibly negative."""
        return self.deadline - self.clock()

    @contextlib.contextmanager
    def timed(self, name):
        """Add the time of the block to ``timings``."""
        started = self.clock()
        try:
            yield
        finally:
            self.timings[name] += self.clock() - started

    def state(self):
        """The HostState on the disk now."""
        return HostState(self.layout.state)

    def interrupted(self, state=None):
        """The journal's entry of an activation that was cut off, or None. One that only lacks the removal of its journal had ended well."""
        entry = self.journal.read()
        if entry is None:
            return None
        state = state or self.state()
        ended = state.journal == entry["id"] and self.layout.current_version() == entry["to"]
        return None if ended else entry

    def locked(self, purpose):
        """Hold the host's lock."""
        return host_lock(self.layout.lock, timeout=self.params["lock_timeout"], purpose=purpose)

    def stage_locked(self):
        """Hold the lock on what is not live: staging and removing. Always taken before the host's lock."""
        return host_lock(self.layout.stage_lock, timeout=max(self.params["lock_timeout"], self.params["timeout"]), purpose="staging")

    def check_fence(self):
        """Refuse an older deployment; changes nothing."""
        check_fence(self.layout.fence, self.params.get("fence"))

    def pass_fence(self):
        """Refuse an older deployment and remember this one; needs the host's lock."""
        pass_fence(self.layout.fence, self.params.get("fence"))

    def manager(self, version, run=None):
        """The ServiceManager that runs ``version``; ``run``: the options it was run with before, else those of this call."""
        from ansible_collections.fraisier.deploy.plugins.module_utils.services import service_manager

        run = self.params if run is None else run
        environment = dict(run.get("environment") or {})
        if version is not None:
            environment.update({"FRAISIER_VERSION": version, "FRAISIER_RELEASE_PATH": self.layout.release(version)})
        return service_manager(run.get("service"), root=self.layout.root, environment=environment)

    def existing_manager(self, version):
        """The manager of this call, valid and known to the host. Raises ProviderConfigurationError, naming the service, when it is not."""
        manager = self.manager(version)
        manager.validate()
        if not manager.exists():
            raise ProviderConfigurationError(
                "The {0} service {1} does not exist on this host".format(manager.NAME, manager.name),
                infrastructure=True,
                hint="Install its unit first (and run systemctl daemon-reload), or correct service.name and service.scope. Nothing was changed.",
                context={"manager": manager.NAME, "service": manager.name},
            )
        return manager

    def result(self, changed, version, *, state=None, report=None, service=None, reverted=False, **more):
        """The result dict. ``version``: the release that the call is about or, after a change, the one that is live."""
        state = state or self.state()
        manifest = self.layout.manifest(version) if version else None
        live = self.layout.current_version()
        result = {
            "changed": changed,
            "release": {
                "version": version,
                "current": live,
                "previous": previous_of(version, live, state),
                "slot": None,
                "path": self.layout.release(version) if version else None,
                "digest": manifest.get("digest") if manifest else None,
                "activated_at": state.activated_at if version and version == live else None,
                "last_good": state.last_good,
            },
            "health": report.to_dict() if report is not None else None,
            "service": service.status().to_dict() if service is not None else None,
            "reverted": reverted,
            "timings": {name: round(seconds, 6) for name, seconds in self.timings.items()},
        }
        result.update(more)
        return result

    def with_diff(self, result, before, after):
        """``result`` with Ansible's ``diff`` (dicts ``before`` and ``after``) when it was asked for."""
        if self.diff:
            header = os.path.join(self.layout.root, "")
            result["diff"] = {"before": before, "after": after, "before_header": header, "after_header": header}
        return result


def previous_of(version, live, state):
    """What undo goes back to: for the live release what it replaced, for any other the live one."""
    if version is None or version == live:
        return state.previous if state.previous != version else None
    return live
