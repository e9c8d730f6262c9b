# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx as the kernel of its host sees it: master, workers, and the connections that they have to a backend."""

from __future__ import annotations

import contextlib
import os
import socket
import struct

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ProviderConfigurationError, ProviderUnavailableError

ESTABLISHED, SYN_SENT, CLOSE_WAIT = 0x01, 0x02, 0x08
WORKER, LEAVING = "nginx: worker process", "nginx: worker process is shutting down"


def master(pid_file):
    """The process id of the running master; ProviderUnavailableError when there is none."""
    reason = "no nginx master runs under it"
    try:
        with open(pid_file, "rb") as stream:
            pid = int(stream.read(32).split()[0])
        if _title(pid).startswith("nginx: master process"):
            return pid
    except (ValueError, IndexError):
        reason = "there is no number in it"
    except OSError as error:
        reason = error.strerror
    raise ProviderUnavailableError(
        "nginx does not run: {0}: {1}".format(pid_file, reason),
        hint="Start nginx, or correct nginx.pid_file.",
        context={"option": "nginx.pid_file", "value": pid_file},
    )


def _title(pid):
    try:
        with open("/proc/{0}/cmdline".format(pid), "rb") as stream:
            return stream.read(256).replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def workers(parent):
    """{pid: whether it is shutting down} of the master's workers."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/{0}/stat".format(name), "rb") as stream:
                rest = stream.read().rpartition(b") ")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if rest and int(rest[1]) == parent:
            title = _title(int(name))
            if title.startswith(WORKER):
                found[int(name)] = title.startswith(LEAVING)
    return found


def connections(parent, addresses):
    """How many connections nginx' workers have to ``addresses``, a set of (packed address, port), in the network namespace of the master."""
    wanted = {inode for path, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)) for inode in _to(parent, path, family, addresses)}
    if not wanted:
        return 0
    held = set()
    for pid in workers(parent):
        held |= _sockets(pid)
    return len(wanted & held)


def _to(parent, name, family, addresses):
    """Inodes of the sockets that are connected to one of ``addresses``."""
    with contextlib.suppress(FileNotFoundError), open("/proc/{0}/net/{1}".format(parent, name), encoding="ascii", errors="replace") as stream:
        next(stream, None)
        for row in stream:
            columns = row.split()
            if len(columns) > 9 and int(columns[3], 16) in (ESTABLISHED, SYN_SENT, CLOSE_WAIT) and _remote(columns[2], family) in addresses:
                yield columns[9]


def _remote(text, family):
    """(packed address, port) of a column such as 0100007F:1F90; an IPv4 address in IPv6 clothes counts as IPv4."""
    digits, port = text.split(":")
    packed = b"".join(struct.pack("=I", int(digits[start : start + 8], 16)) for start in range(0, len(digits), 8))
    if family == socket.AF_INET6 and packed.startswith(b"\0" * 10 + b"\xff\xff"):
        packed = packed[12:]
    return packed, int(port, 16)


def _sockets(pid):
    """Inodes of the sockets that a process holds."""
    folder, found = "/proc/{0}/fd".format(pid), set()
    try:
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                target = os.readlink(os.path.join(folder, name))
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    except (FileNotFoundError, ProcessLookupError):
        return found
    except PermissionError as error:
        raise ProviderConfigurationError(
            "The connections of nginx' worker {0} cannot be seen: {1}".format(pid, error.strerror),
            infrastructure=True,
            hint="Run as root (become: true), for nginx' workers are another user's.",
        ) from error
    return found


def packed_addresses(host, port):
    """The set of (packed address, port) that ``host`` means here."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ProviderUnavailableError(
            "{0} has no address on the balancer: {1}".format(host, error), hint="Write the server's address, or look at the balancer's DNS.", cause=error
        ) from error
    return {(socket.inet_pton(family, address[0].split("%")[0]), address[1]) for family, _kind, _protocol, _name, address in found}
