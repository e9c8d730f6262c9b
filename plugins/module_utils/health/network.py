# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets with one deadline for everything: name, connection, each byte. A peer that drips cannot stretch it."""

from __future__ import annotations

import io
import socket
import threading
import time


class Deadline:
    """A moment of ``clock`` by which something must be done."""

    def __init__(self, seconds, clock=time.monotonic):
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    def left(self):
        """Seconds that are left, more than 0; TimeoutError when there are none."""
        seconds = self._end - self._clock()
        if seconds <= 0:
            raise TimeoutError("no answer within {0:g} s".format(self.seconds))
        return seconds


def connect(host, port, deadline):
    """A connected TCP socket to the first address of ``host`` (name, IPv4 or IPv6) that accepts; OSError of the last one if none does."""
    addresses = _resolve(host, port, deadline)
    failure = OSError("{0} has no address".format(host))
    for index, (family, kind, protocol, _name, address) in enumerate(addresses):
        connection = socket.socket(family, kind, protocol)
        try:
            # A silent first address must leave time for the others.
            connection.settimeout(deadline.left() / (len(addresses) - index))
            connection.connect(address)
            return connection
        except socket.timeout:
            connection.close()
            failure = TimeoutError("no connection to {0} port {1} within {2:g} s".format(host, port, deadline.seconds))
        except OSError as error:
            connection.close()
            failure = error
    raise failure


def connect_unix(path, deadline):
    """A connected stream socket to the Unix socket ``path``."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(deadline.left())
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


def _resolve(host, port, deadline):
    """``getaddrinfo``; a name is looked up in a thread, since the resolver knows no timeout."""
    host = host.strip("[]")
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass
    found = []

    def look_up():
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(deadline.left())
    if not found:
        raise TimeoutError("the name {0} was not resolved within {1:g} s".format(host, deadline.seconds))
    if isinstance(found[0], Exception):
        raise OSError("the name {0} cannot be resolved: {1}".format(host, getattr(found[0], "strerror", None) or found[0]))
    return found[0]


class DeadlineSocket:
    """What http.client needs of a socket; each call gets the time that is left, not a time of its own."""

    def __init__(self, connection, deadline):
        self._connection = connection
        self._deadline = deadline

    def sendall(self, data):
        """Send all of ``data``."""
        self._connection.settimeout(self._deadline.left())
        self._connection.sendall(data)

    def makefile(self, _mode):
        """A buffered reader of what the peer sends."""
        return io.BufferedReader(_Reader(self._connection, self._deadline))

    def close(self):
        """Nothing: who opened the connection closes it."""


class _Reader(io.RawIOBase):
    def __init__(self, connection, deadline):
        super().__init__()
        self._connection = connection
        self._deadline = deadline

    def readable(self):
        return True

    def readinto(self, buffer):
        self._connection.settimeout(self._deadline.left())
        return self._connection.recv_into(buffer)
