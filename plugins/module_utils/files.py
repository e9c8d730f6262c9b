# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import errno
import json
import os
import stat
import time

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    FraisierError,
    ProviderConfigurationError,
    ProviderError,
)

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
REFUSED = (errno.EACCES, errno.EPERM)
FEW_FILES = 64
FULL_DISK_WORDS = "No space left on device"


def utc_now():
    """The time now as UTC ISO-8601 text with microseconds, such as ``2026-01-31T08:00:00.000001Z``."""
    nanoseconds = time.time_ns()
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return "{0}.{1:06d}Z".format(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)), rest // 1000)


def full_disk_error(path, cause=None):
    """The error for a disk without room at ``path``: infrastructure, never the release's fault."""
    return ProviderError(
        "No space left on the disk of {0}".format(path),
        category="RESOURCE",
        recoverable=True,
        infrastructure=True,
        hint="Free space or inodes (or raise the quota), then run again; nothing half was left.",
        context={"path": str(path)},
        cause=cause,
    )


def disk_error(error, path):
    """Translate the OSError ``error`` met at or below ``path`` into a FraisierError."""
    place = error.filename if isinstance(error.filename, str) else path
    if error.errno in FULL:
        return full_disk_error(place, error)
    reason = error.strerror or str(error)
    if error.errno in REFUSED:
        return ProviderConfigurationError(
            "{0}: {1}".format(place, reason),
            infrastructure=True,
            hint="Run as a user who may write there (become: true), or correct the owner of the folder.",
            context={"path": str(place)},
            cause=error,
        )
    return ProviderError(
        "{0}: {1}".format(place, reason),
        category="RESOURCE",
        infrastructure=True,
        hint="Look at the disk of the host.",
        context={"path": str(place)},
        cause=error,
    )


def with_disk_words(error, path):
    """``error`` itself, or the full-disk error when the output of the command that failed says that the disk is full."""
    if isinstance(error, FraisierError) and FULL_DISK_WORDS in "{0} {1}".format(error.message, error.context.get("output", "")):
        return full_disk_error(path, error)
    return error


def fsync_folder(path):
    """Make the names in the folder ``path`` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor, data):
    """Write all bytes of ``data``: os.write may take only a part of them."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_new(path, data, mode=0o600):
    """Write ``data`` (bytes) durably to ``path``; an earlier file there is replaced in place. Its name is not yet durable."""
    forget(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(descriptor, mode)
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path, data, mode=0o600):
    """Write ``data`` (bytes) to ``path``: afterwards the file holds all of the old or all of the new content, also after a power cut."""
    part = path + ".part"
    try:
        write_new(part, data, mode)
        os.rename(part, path)
    except OSError:
        forget(part)
        raise
    fsync_folder(os.path.dirname(path))


def to_json(value):
    """``value`` as bytes of JSON that a person can read."""
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode("utf-8")


def read_json(path):
    """The dict in the JSON file ``path``, or None when there is no such file. Raises ProviderError when it is not a dict in JSON."""
    try:
        with open(path, "rb") as stream:
            value = json.loads(stream.read().decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(value, dict):
        raise _damaged(path, "not a dictionary")
    return value


def _damaged(path, reason):
    return ProviderError(
        "{0} is damaged: {1}".format(path, reason),
        infrastructure=True,
        hint="Somebody or something else wrote to it. Look at it, then move it away and run again.",
        context={"path": path},
    )


def make_folder(path, mode=0o755):
    """Make the folder ``path`` and its missing parents with exactly ``mode``; return whether it was made. What exists is left as it is."""
    if os.path.isdir(path):
        return False
    parent = os.path.dirname(path)
    if parent and parent != path:
        make_folder(parent, 0o755)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if os.path.isdir(path):
            return False
        raise
    os.chmod(path, mode)
    fsync_folder(parent)
    return True


def forget(path):
    """Remove the file or link ``path`` if it is there; return whether it was."""
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def prepare_link(target, path):
    """Make ``path`` a symbolic link to ``target``, ready to be renamed."""
    forget(path)
    os.symlink(target, path)


def move(source, target):
    """Rename ``source`` over ``target`` in one step and make it durable."""
    os.rename(source, target)
    fsync_folder(os.path.dirname(target))
    if os.path.dirname(source) != os.path.dirname(target):
        fsync_folder(os.path.dirname(source))


def remove_tree(path):
    """Remove the folder ``path`` with all in it; links are removed, never followed."""
    import shutil

    def make_writable(_function, name, _reason):
        """A folder without write permission (a build may leave one) keeps even its owner from removing what is in it."""
        folder = os.path.dirname(name)
        for place in (folder, name):
            if stat.S_ISDIR(os.lstat(place).st_mode):
                os.chmod(place, 0o700)
        if os.path.isdir(name) and not os.path.islink(name):
            shutil.rmtree(name)
        else:
            os.unlink(name)

    if os.path.islink(path) or not os.path.lexists(path):
        return
    shutil.rmtree(path, onerror=make_writable)


def sync_tree(path):
    """Make every file below ``path`` durable: one by one when they are few, else by one call for the whole file system."""
    count = 0
    places = []
    for folder, _folders, names in os.walk(path):
        places.append((folder, os.O_RDONLY | os.O_DIRECTORY))
        places += [(os.path.join(folder, name), os.O_RDONLY) for name in names]
        count += 1 + len(names)
        if count > FEW_FILES:
            _sync_file_system(path)
            return
    for place, flags in places:
        if stat.S_ISLNK(os.lstat(place).st_mode) or not (flags & os.O_DIRECTORY or stat.S_ISREG(os.lstat(place).st_mode)):
            continue
        descriptor = os.open(place, flags | os.O_NOFOLLOW)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sync_file_system(path):
    """syncfs(2) on the file system of ``path``; sync(2) where the C library has no such call."""
    import ctypes

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(descriptor)
