# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A detached process with a pid file: for demonstrations, containers and hosts without systemd."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from ansible_collections.fraisier.deploy.plugins.module_utils.commands import TAIL_CHARACTERS
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    DeploymentTimeoutError,
    ProviderConfigurationError,
    ProviderError,
    ValidationError,
)
from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import redact_url, tail
from ansible_collections.fraisier.deploy.plugins.module_utils.services.base import ServiceManager, ServiceStatus
from ansible_collections.fraisier.deploy.plugins.module_utils.services.identity import ProcessRecord, signal_number
from ansible_collections.fraisier.deploy.plugins.module_utils.services.spawn import spawn

LOG_BYTES = 1024 * 1024
LOG_READ_BYTES = 65536
POLL_SECONDS = 0.02
KILL_SECONDS = 5.0
# What a service may know of the session that started it; the rest differs from run to run.
INHERITED = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER")
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ProcessService(ServiceManager):
    """One process in ``root``/current, recorded in ``root``/.fraisier/process.pid, writing to ``root``/.fraisier/process.log."""

    NAME = "process"

    def __init__(self, options, *, root, environment=None):
        super().__init__(options, root=root, environment=environment)
        self.command = list(options.get("command") or [])
        self.name = self.name or (os.path.basename(self.command[0]) if self.command else "process")
        self.folder = os.path.join(root, ".fraisier")
        self.pid_path = os.path.join(self.folder, "process.pid")
        self.log_path = options.get("log_file") or os.path.join(self.folder, "process.log")
        self.stop_timeout = float(options.get("stop_timeout", 10.0))

    def validate(self):
        if not self.command:
            raise ValidationError("service.command is missing", hint="Manager process needs the command as a list, such as [python3, -m, shop.server].")
        if not os.path.isabs(self.root):
            raise ValidationError("path: {0!r} is not absolute".format(self.root), hint="Give the fraise's folder from the root, such as /srv/shop_api.")
        if self.stop_timeout < 0:
            raise ValidationError("service.stop_timeout: {0:g} is negative".format(self.stop_timeout), hint="Give seconds, 0 for an immediate kill.")
        self._stop_signal()

    def exists(self):
        return bool(self.command)

    def start(self, deadline_seconds):
        if self._alive() is not None:
            return
        release = os.path.realpath(os.path.join(self.root, "current"))
        if not os.path.isdir(release):
            raise ProviderConfigurationError("there is no release to start: {0} does not exist".format(release), hint="Activate a release first.")
        try:
            os.makedirs(self.folder, mode=0o755, exist_ok=True)
            self._bound_log()
        except OSError as error:
            raise ProviderError(
                "{0} cannot be prepared for the service's log: {1}".format(error.filename or self.folder, error.strerror),
                category="RESOURCE",
                infrastructure=True,
                context={"path": error.filename or self.folder},
                cause=error,
            ) from error
        spawn(self.command, cwd=release, env=self._environment(), log_path=self.log_path, pid_path=self.pid_path, timeout=max(0.1, deadline_seconds))

    def stop(self, deadline_seconds):
        """The stop signal to every process of the service's session; what is left after ``stop_timeout`` is killed."""
        record = ProcessRecord.load(self.pid_path)
        if record is not None and record.members():
            self._signal(record, self._stop_signal())
            if not self._gone(record, min(self.stop_timeout, max(0.0, deadline_seconds))):
                self._signal(record, signal.SIGKILL)
                if not self._gone(record, KILL_SECONDS):
                    raise self.failure("process {0} does not end, not even when killed".format(record.pid), DeploymentTimeoutError)
        self._forget()

    def restart(self, deadline_seconds):
        started = time.monotonic()
        self.stop(deadline_seconds)
        self.start(deadline_seconds - (time.monotonic() - started))

    def reload(self, deadline_seconds):
        record = self._alive()
        if record is None:
            raise self.failure("the service cannot reload: it does not run", ProviderError)
        os.kill(record.pid, signal.SIGHUP)

    def reset_failed(self):
        """Forget a process that has died."""
        record = ProcessRecord.load(self.pid_path)
        if record is not None and not record.members():
            self._forget()

    def status(self):
        record = ProcessRecord.load(self.pid_path)
        alive = record is not None and record.alive()
        detail = {"log_file": self.log_path}
        if record is not None and not alive:
            detail["died_pid"] = record.pid
        return ServiceStatus(self.NAME, self.name, alive, pid=record.pid if alive else None, detail=detail, failed=record is not None and not alive)

    def log_tail(self, lines):
        try:
            with open(self.log_path, "rb") as stream:
                stream.seek(max(0, os.fstat(stream.fileno()).st_size - LOG_READ_BYTES))
                text = stream.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return tail(redact_url("\n".join(text.splitlines()[-int(lines) :])), TAIL_CHARACTERS)

    def _stop_signal(self):
        name = self.options.get("stop_signal") or "TERM"
        try:
            return signal_number(name)
        except ValueError as error:
            raise ValidationError(
                "service.stop_signal: {0!r} is not a signal".format(name), hint="Use a name such as TERM, INT or QUIT.", cause=error
            ) from error

    def _alive(self):
        record = ProcessRecord.load(self.pid_path)
        return record if record is not None and record.alive() else None

    def _signal(self, record, number):
        try:
            record.signal_members(number)
        except PermissionError as error:
            raise ProviderConfigurationError(
                "process {0} belongs to another user and cannot be stopped".format(record.pid),
                hint="Run as the user who started the service (become_user).",
                context={"pid": record.pid},
                cause=error,
            ) from error

    @staticmethod
    def _gone(record, seconds):
        """Whether no process of the session is left within ``seconds``."""
        deadline = time.monotonic() + seconds
        while record.members():
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _forget(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.pid_path)

    def _environment(self):
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environment.setdefault("PATH", DEFAULT_PATH)
        for values in (self.environment, self.options.get("environment") or {}):
            environment.update({str(name): str(value) for name, value in values.items() if value is not None})
        return environment

    def _bound_log(self):
        """Keep at most the log of now and one before: each start moves a log that has grown past 1 MB aside."""
        try:
            if os.path.getsize(self.log_path) > LOG_BYTES:
                os.replace(self.log_path, self.log_path + ".1")
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self.log_path) or ".", exist_ok=True)
