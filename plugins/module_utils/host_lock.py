# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lock a fraise and host: whoever holds it may change what is live."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DeploymentLockedError
from ansible_collections.fraisier.deploy.plugins.module_utils.files import utc_now, write_all

POLL_SECONDS = 0.05


@contextlib.contextmanager
def host_lock(path, *, timeout, purpose, clock=time.monotonic, sleep=time.sleep):
    """Hold the lock file ``path`` for the block; it ends with the process, so a killed holder never leaves it locked.

    ``timeout``: seconds to wait for another holder, then DeploymentLockedError. ``purpose``: what others read when they have to wait.
    """
    descriptor = _acquire(path, timeout, clock, sleep)
    try:
        os.ftruncate(descriptor, 0)
        # Only a help for whoever waits: without room for it the lock holds all the same.
        with contextlib.suppress(OSError):
            write_all(descriptor, "pid {0} ({1}) since {2}".format(os.getpid(), purpose, utc_now()).encode("utf-8"))
        yield
    finally:
        os.close(descriptor)


def _acquire(path, timeout, clock, sleep):
    deadline = clock() + timeout
    holder = ""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(descriptor, path):
                return descriptor
            os.close(descriptor)
            continue
        except OSError as error:
            holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace")
            os.close(descriptor)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        if clock() >= deadline:
            raise DeploymentLockedError(
                "{0} is held by {1} and was not free within {2:g} s".format(path, holder or "another process", timeout),
                hint="Another step works on this host. Wait for it (option lock_timeout), or look at that process.",
                context={"path": path, "holder": holder, "waited": timeout},
            )
        sleep(POLL_SECONDS)


def _is_still(descriptor, path):
    """Whether ``path`` still names the file that was locked: the holder before may have removed it with the whole fraise."""
    try:
        now = os.stat(path)
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (now.st_dev, now.st_ino) == (mine.st_dev, mine.st_ino)
