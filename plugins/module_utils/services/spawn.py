# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a process that outlives us: own session, no inherited files, errors of exec reported back."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import time

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DeploymentTimeoutError, ProviderConfigurationError, ProviderUnavailableError
from ansible_collections.fraisier.deploy.plugins.module_utils.services.identity import ProcessRecord

FIRST_FREE_DESCRIPTOR = 10


def spawn(argv, *, cwd, env, log_path, pid_path, timeout):
    """Start ``argv`` in ``cwd`` with exactly ``env``, standard output and error appended to ``log_path``, and return its ProcessRecord.

    The new process writes its record to ``pid_path`` itself, before it becomes the command, so that there is never one that nobody knows.
    Returns once the command runs. Raises ProviderConfigurationError when it cannot be executed, ProviderUnavailableError when there is no room
    for a process, DeploymentTimeoutError after ``timeout`` seconds.
    """
    reader, writer = os.pipe()
    try:
        middle = os.fork()
    except OSError as error:
        os.close(reader)
        os.close(writer)
        raise ProviderUnavailableError("no process can be started: {0}".format(error.strerror), cause=error) from error
    if middle == 0:
        _middle(writer, argv, cwd, env, log_path, pid_path)
    os.close(writer)
    try:
        os.waitpid(middle, 0)
        report = _read_report(reader, time.monotonic() + timeout)
    finally:
        os.close(reader)
    if report is None:
        raise DeploymentTimeoutError("{0} could not be started within {1:g} s".format(argv[0], timeout), context={"command": argv[0], "cwd": cwd})
    if report:
        failure = json.loads(report)
        raise ProviderConfigurationError(
            "service.command: {0} cannot be started in {1}: {2}".format(argv[0], cwd, failure["message"]),
            hint="Name a program that the release or the host has; a script needs a #! line and the executable bit.",
            context={"command": argv[0], "cwd": cwd, "step": failure["step"]},
        )
    record = ProcessRecord.load(pid_path)
    if record is None:
        raise ProviderUnavailableError("the record of the started process is gone from {0}".format(pid_path), context={"path": pid_path})
    return record


def _read_report(reader, deadline):
    """What the new process says about its start: b"" when the command runs, None when ``deadline`` came first."""
    report = b""
    while True:
        ready = select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]
        if not ready:
            return None
        chunk = os.read(reader, 65536)
        if not chunk:
            return report
        report += chunk


def _middle(writer, argv, cwd, env, log_path, pid_path):
    """The first child: it only makes the second one an orphan, which nobody here has to reap."""
    try:
        if os.fork() != 0:
            os._exit(0)
        _become(writer, argv, cwd, env, log_path, pid_path)
    finally:
        os._exit(127)


def _become(writer, argv, cwd, env, log_path, pid_path):
    """The second child: detach from everything, then become the command."""
    step = "detach"
    written = False
    try:
        os.setsid()
        step = "log"
        writer = _take_descriptors(writer, log_path)
        _default_signals()
        os.umask(0o022)
        step = "chdir"
        os.chdir(cwd)
        step = "record"
        ProcessRecord.of(os.getpid()).save(pid_path)
        written = True
        step = "exec"
        os.execvpe(argv[0], argv, env)
    except BaseException as error:
        if written:
            os.unlink(pid_path)
        message = getattr(error, "strerror", None) or str(error)
        os.write(writer, json.dumps({"step": step, "message": message}).encode("utf-8"))
    finally:
        os._exit(127)


def _take_descriptors(writer, log_path):
    """0 is /dev/null, 1 and 2 are the log, nothing else stays open but the report, which exec closes; return its descriptor."""
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    null = os.open(os.devnull, os.O_RDONLY)
    report = fcntl.fcntl(writer, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE_DESCRIPTOR)
    log = fcntl.fcntl(log, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE_DESCRIPTOR)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor > 2 and descriptor != report:
            try:
                os.close(descriptor)
            except OSError:
                continue  # the descriptor of the listing itself
    return report


def _default_signals():
    """What this process ignores or blocks (a hang-up, a broken pipe) must not be ignored by a service that knows nothing of it."""
    for number in signal.valid_signals():
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            try:
                signal.signal(number, signal.SIG_DFL)
            except (OSError, ValueError):
                continue
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
