# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one command on the host: bounded in time, in memory, and never left behind."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import shlex
import signal
import subprocess
import time

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    DeploymentTimeoutError,
    ProviderConfigurationError,
    ProviderError,
    ProviderUnavailableError,
)
from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import redact_url, shorten, tail

KEPT_BYTES = 65536
TAIL_CHARACTERS = 4096
EXIT_POLL_SECONDS = 0.05
DRAIN_SECONDS = 0.2
CHUNK = 65536


class CompletedCommand:
    """What a command left.

    ``argv``; ``rc``, negative when a signal killed it; ``stdout`` and ``stderr``, text, the last 64 kB of each; ``duration`` in seconds.
    """

    __slots__ = ("argv", "duration", "rc", "stderr", "stdout")

    def __init__(self, argv, rc, stdout, stderr, duration):
        self.argv = argv
        self.rc = rc
        self.stdout = stdout
        self.stderr = stderr
        self.duration = duration

    @property
    def output(self):
        """Standard error if there is any, else standard output: what explains a failure, at most 4096 characters."""
        return tail(redact_url(self.stderr.rstrip() or self.stdout), TAIL_CHARACTERS)


class _Tail:
    """The last ``limit`` bytes of a stream."""

    def __init__(self, limit):
        self.limit = limit
        self.chunks = []
        self.size = 0

    def add(self, chunk):
        self.chunks.append(chunk)
        self.size += len(chunk)
        while self.size - len(self.chunks[0]) >= self.limit:
            self.size -= len(self.chunks.pop(0))

    def text(self):
        return b"".join(self.chunks)[-self.limit :].decode("utf-8", "replace")


def run_command(argv, *, timeout, cwd=None, env=None, stdin=None, check=False):
    """Run ``argv`` (a list of strings, no shell) in a session of its own and return a CompletedCommand.

    ``timeout``: seconds; the whole session's process group is then killed and DeploymentTimeoutError raised.
    ``env``: laid over this process's environment; a value of None removes the variable. ``stdin``: text or bytes, else empty.
    ``check``: a return code other than 0 raises ProviderError with the end of the output. A command that cannot be started raises
    ProviderConfigurationError. A background process that keeps the output open does not keep this call waiting.
    """
    argv = [os.fspath(word) for word in argv]
    shown = display(argv)
    started = time.monotonic()
    process = _start(argv, shown, cwd, env, stdin is not None)
    streams = {process.stdout: _Tail(KEPT_BYTES), process.stderr: _Tail(KEPT_BYTES)}
    stdout, stderr = streams.values()
    data = stdin.encode("utf-8") if isinstance(stdin, str) else stdin
    try:
        in_time = _exchange(process, streams, data, started + timeout)
        if not in_time:
            _kill_group(process)
    except BaseException:
        _kill_group(process)
        raise
    finally:
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                _close(stream)
    result = CompletedCommand(argv, process.returncode, stdout.text(), stderr.text(), time.monotonic() - started)
    context = {"command": shown, "rc": result.rc, "output": result.output, "cwd": cwd}
    if not in_time:
        raise DeploymentTimeoutError("{0} was killed: it ran longer than {1:g} s".format(shown, timeout), context=context)
    if check and result.rc != 0:
        raise ProviderError("{0} ended with {1}: {2}".format(shown, describe_rc(result.rc), result.output or "no output"), context=context)
    return result


def display(argv, characters=200):
    """``argv`` as a person would type it, without passwords in URLs, at most ``characters`` long."""
    return shorten(redact_url(" ".join(shlex.quote(word) for word in argv)), characters)


def describe_rc(rc):
    """``rc`` in words: the return code, or the signal's name."""
    if rc >= 0:
        return "return code {0}".format(rc)
    try:
        return "signal {0}".format(signal.Signals(-rc).name)
    except ValueError:
        return "signal {0}".format(-rc)


def _start(argv, shown, cwd, env, with_input):
    environment = dict(os.environ)
    for name, value in (env or {}).items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = str(value)
    try:
        return subprocess.Popen(
            argv,
            cwd=cwd,
            env=environment,
            stdin=subprocess.PIPE if with_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
    except (OSError, ValueError, IndexError) as error:
        raise _cannot_start(error, argv, shown, cwd) from error


def _cannot_start(error, argv, shown, cwd):
    context = {"command": shown, "cwd": cwd}
    if cwd is not None and not os.path.isdir(cwd):
        return ProviderConfigurationError("{0} cannot be started: there is no folder {1}".format(shown, cwd), context=context, cause=error)
    reason = getattr(error, "strerror", None) or str(error)
    if getattr(error, "errno", None) in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE):
        return ProviderUnavailableError("{0} cannot be started: {1}".format(shown, reason), context=context, cause=error)
    return ProviderConfigurationError(
        "{0} cannot be started: {1}".format(argv[0] if argv else "an empty command", reason),
        hint="Install it on the host or correct the command; a script needs a #! line and the executable bit.",
        context=context,
        cause=error,
    )


def _exchange(process, streams, data, deadline):
    """Feed and read ``process`` until it has ended and its output is read; False when ``deadline`` came first."""
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        pending = memoryview(data or b"")
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        ended_at = None
        while selector.get_map():
            now = time.monotonic()
            if ended_at is None and process.poll() is not None:
                ended_at = now
            if ended_at is not None and now - ended_at >= DRAIN_SECONDS:
                return True
            if ended_at is None and now >= deadline:
                return False
            for key, _events in selector.select(EXIT_POLL_SECONDS):
                if key.fileobj is process.stdin:
                    pending = _feed(selector, process.stdin, pending)
                else:
                    _read(selector, key.fileobj, streams[key.fileobj])
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _feed(selector, stream, pending):
    try:
        pending = pending[os.write(stream.fileno(), pending[:CHUNK]) :]
    except BlockingIOError:
        return pending
    except BrokenPipeError:
        pending = pending[:0]
    if not pending:
        selector.unregister(stream)
        _close(stream)
    return pending


def _read(selector, stream, kept):
    chunk = os.read(stream.fileno(), CHUNK)
    if chunk:
        kept.add(chunk)
    else:
        selector.unregister(stream)


def _close(stream):
    with contextlib.suppress(BrokenPipeError):
        stream.close()


def _kill_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()
