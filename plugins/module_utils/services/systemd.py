# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of systemd, of the system or of a user."""

from __future__ import annotations

import os
import re

from ansible_collections.fraisier.deploy.plugins.module_utils.commands import TAIL_CHARACTERS, run_command
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    DeploymentTimeoutError,
    FraisierError,
    ProviderConfigurationError,
    ProviderError,
    ProviderUnavailableError,
    ValidationError,
)
from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import redact_url, tail
from ansible_collections.fraisier.deploy.plugins.module_utils.services.base import ServiceManager, ServiceStatus

PROPERTIES = ("ActiveState", "ExecMainStatus", "InvocationID", "LoadState", "MainPID", "NRestarts", "Result", "SubState", "Type")
UNIT_NAME = re.compile(r"^[A-Za-z0-9:_.\\@-]{1,250}$")
SUFFIXES = (".service", ".socket", ".timer", ".target", ".path", ".mount", ".scope", ".slice")
QUERY_SECONDS = 10.0
NO_SYSTEMD = ("not been booted with systemd", "Failed to connect to bus", "Failed to get D-Bus connection")


class SystemdService(ServiceManager):
    """A unit that exists on the host. ``scope`` user: a unit of the user the module runs as."""

    NAME = "systemd"

    def __init__(self, options, *, root="", environment=None):
        super().__init__(options, root=root, environment=environment)
        self.scope = options.get("scope") or "system"
        if self.name and not self.name.endswith(SUFFIXES):
            self.name += ".service"

    def validate(self):
        if not self.name:
            raise ValidationError("service.name is missing", hint="Manager systemd needs the name of the unit, such as shop-api.service.")
        if not UNIT_NAME.match(self.name) or self.name.startswith("-"):
            raise ValidationError(
                "service.name: {0!r} is not the name of a unit".format(self.name), hint="Use letters, digits and : _ . @ - \\ , such as shop-api.service."
            )
        if self.scope not in ("system", "user"):
            raise ValidationError("service.scope: {0!r} is not a scope".format(self.scope), hint="Use one of: system, user.")

    def exists(self):
        return self._show().get("LoadState") not in ("not-found", "masked", "", None)

    def start(self, deadline_seconds):
        self.reset_failed()
        self._job("start", deadline_seconds)

    def stop(self, deadline_seconds):
        self._job("stop", deadline_seconds)

    def restart(self, deadline_seconds):
        self.reset_failed()
        self._job("restart", deadline_seconds)

    def reload(self, deadline_seconds):
        self._job("reload", deadline_seconds)

    def reset_failed(self):
        # A unit that has never run is "not loaded": nothing to forget, and not an error.
        self._systemctl(["reset-failed", "--", self.name], QUERY_SECONDS)

    def status(self):
        shown = self._show()
        active_state, sub_state = shown.get("ActiveState", ""), shown.get("SubState", "")
        detail = {
            "active_state": active_state,
            "exit_status": _number(shown.get("ExecMainStatus")),
            "invocation": shown.get("InvocationID", ""),
            "load_state": shown.get("LoadState", ""),
            "result": shown.get("Result", ""),
            "scope": self.scope,
            "sub_state": sub_state,
            "type": shown.get("Type", ""),
        }
        return ServiceStatus(
            self.NAME,
            self.name,
            active_state in ("active", "reloading", "refreshing"),
            pid=_number(shown.get("MainPID")) or None,
            restarts=_number(shown.get("NRestarts")),
            detail=detail,
            failed=active_state == "failed" or sub_state.startswith("auto-restart"),
            # Only services have a main process; of those, a oneshot ends by itself.
            finite=shown.get("Type", "") in ("oneshot", ""),
        )

    def log_tail(self, lines):
        unit = ["--user-unit", self.name] if self.scope == "user" else ["--unit", self.name]
        argv = ["journalctl", *unit, "--lines", str(int(lines)), "--no-pager", "--quiet", "--output", "short-iso"]
        try:
            result = run_command(argv, timeout=QUERY_SECONDS, env=self._bus())
        except FraisierError:
            return ""
        return tail(redact_url(result.stdout), TAIL_CHARACTERS) if result.rc == 0 else ""

    def _job(self, verb, deadline_seconds):
        """Run a job of systemd and wait for its end; whatever goes wrong ends as an error that explains itself."""
        try:
            result = self._systemctl([verb, "--", self.name], max(0.1, deadline_seconds))
        except DeploymentTimeoutError as error:
            raise self.failure(
                "systemctl {0} {1} did not end within {2:g} s".format(verb, self.name, deadline_seconds), DeploymentTimeoutError, error
            ) from error
        if result.rc == 0:
            return
        load_state = self._show().get("LoadState")
        if load_state in ("not-found", "masked"):
            if verb == "stop":
                return
            raise ProviderConfigurationError(
                "service.name: unit {0} is {1} ({2} scope)".format(self.name, "masked" if load_state == "masked" else "not known to systemd", self.scope),
                hint="Install the unit file and run systemctl daemon-reload, or correct service.name or service.scope.",
                context={"manager": self.NAME, "service": self.name, "scope": self.scope, "load_state": load_state},
            )
        raise self.failure("systemctl {0} {1} failed: {2}".format(verb, self.name, result.output or "no output"), ProviderError)

    def _show(self):
        """The properties of the unit by name, all text."""
        result = self._systemctl(["show", "--property", ",".join(PROPERTIES), "--", self.name], QUERY_SECONDS)
        if result.rc != 0:
            raise ProviderUnavailableError("systemd did not answer about {0}: {1}".format(self.name, result.output), context={"service": self.name})
        return dict(line.partition("=")[::2] for line in result.stdout.splitlines() if "=" in line)

    def _systemctl(self, words, timeout):
        scope = ["--user"] if self.scope == "user" else []
        result = run_command(["systemctl", "--no-pager", "--no-ask-password", *scope, *words], timeout=timeout, env=self._bus())
        if result.rc != 0 and any(sign in result.stderr for sign in NO_SYSTEMD):
            hint = "Use service.manager process on a host without systemd."
            if self.scope == "user":
                hint = "Let the user's systemd run without a login: loginctl enable-linger {0}.".format(_user())
            raise ProviderConfigurationError("systemd ({0} scope) cannot be reached: {1}".format(self.scope, result.output), hint=hint)
        return result

    def _bus(self):
        if self.scope != "user":
            return None
        return {"XDG_RUNTIME_DIR": "/run/user/{0}".format(os.geteuid()), "DBUS_SESSION_BUS_ADDRESS": None}


def _number(text):
    return int(text) if text and text.isdigit() else None


def _user():
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
