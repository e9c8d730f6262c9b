# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every service manager offers, and the one that manages nothing."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ProviderError


class ServiceStatus:
    """How a service is at one moment.

    ``manager`` and ``name`` say which; ``active``: True, False, or None when nobody knows (manager ``none``); ``pid`` of the main process or None;
    ``restarts``: how often the manager itself restarted it, None when it does not count; ``detail``: what the manager says, by its own names.
    ``failed``: the manager has given up or is restarting it after a crash; ``finite``: it may end by itself (a oneshot unit).
    """

    __slots__ = ("active", "detail", "failed", "finite", "manager", "name", "pid", "restarts")

    def __init__(self, manager, name, active, pid=None, restarts=None, detail=None, failed=False, finite=False):
        self.manager = manager
        self.name = name
        self.active = active
        self.pid = pid
        self.restarts = restarts
        self.detail = dict(detail or {})
        self.failed = failed
        self.finite = finite

    def to_dict(self):
        """The ``service`` of a result: {manager, name, active, pid, restarts, detail}."""
        return {
            "manager": self.manager,
            "name": self.name,
            "active": self.active,
            "pid": self.pid,
            "restarts": self.restarts,
            "detail": self.detail,
        }

    def describe(self):
        """One line for a person."""
        state = {True: "active", False: "not active", None: "unknown"}[self.active]
        facts = ", ".join("{0}={1}".format(key, value) for key, value in sorted(self.detail.items()) if value not in ("", None))
        return "{0} {1} is {2}{3}".format(self.manager, self.name, state, " ({0})".format(facts) if facts else "")


class ServiceManager:
    """Starts, stops and observes one service. ``options`` is the dict of SERVICE_OPTIONS, ``root`` the fraise's folder on the host.

    Calls that take ``deadline_seconds`` end by then: with the wanted state, or with an error that carries the end of the service's log.
    """

    NAME = ""

    def __init__(self, options, *, root, environment):
        self.options = options
        self.root = root
        self.environment = dict(environment or {})
        self.name = options.get("name") or ""

    def validate(self):
        """Raise ValidationError or ProviderConfigurationError when this service can never work; changes nothing."""

    def exists(self):
        """Whether the manager knows the service."""
        raise NotImplementedError

    def start(self, deadline_seconds):
        """Start the service unless it runs."""
        raise NotImplementedError

    def stop(self, deadline_seconds):
        """Stop the service and wait until it is gone."""
        raise NotImplementedError

    def restart(self, deadline_seconds):
        """Stop the service if it runs, then start it."""
        raise NotImplementedError

    def reload(self, deadline_seconds):
        """Ask the running service to read its files again."""
        raise NotImplementedError

    def apply(self, deadline_seconds):
        """Make the service run what is current now: the option ``action``, or a restart when it does not run."""
        if self.options.get("action") == "reload" and self.status().active:
            self.reload(deadline_seconds)
        else:
            self.restart(deadline_seconds)

    def reset_failed(self):
        """Forget earlier failures, so that a start is not refused because of them."""

    def status(self):
        """A ServiceStatus of now."""
        raise NotImplementedError

    def log_tail(self, lines):
        """The last ``lines`` lines that the service wrote, "" when there are none."""
        return ""

    def failure(self, message, kind=ProviderError, cause=None, hint=""):
        """An error of ``kind`` about this service, with its status and the end of its log."""
        status = self.status()
        log = self.log_tail(20)
        if log:
            message = "{0}; last lines of its log:\n{1}".format(message.rstrip("."), log)
        context = {"manager": self.NAME, "service": self.name, "status": status.to_dict(), "log": log}
        return kind(message, hint=hint, context=context, cause=cause)


class NoService(ServiceManager):
    """Nothing to manage: every call does nothing, and nobody knows whether something runs."""

    NAME = "none"

    def exists(self):
        return True

    def start(self, deadline_seconds):
        pass

    def stop(self, deadline_seconds):
        pass

    def restart(self, deadline_seconds):
        pass

    def reload(self, deadline_seconds):
        pass

    def status(self):
        return ServiceStatus(self.NAME, self.name, None)
