# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's runtime API: one command a connection, over a Unix socket or TCP, bounded in time and size; and the tables that it answers."""

from __future__ import annotations

import errno
import os
import re
import socket
import time

from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.contract import garbage
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    NotFoundError,
    ProviderConfigurationError,
    ProviderConnectionError,
    ProviderError,
)

ANSWER_LIMIT = 32 * 1024 * 1024
CHUNK = 65536
TCP = re.compile(r"^\[?([^\[\]/]+?)\]?:([0-9]{1,5})\Z")
STATE_COLUMNS = ("be_name", "srv_name", "srv_op_state", "srv_admin_state", "srv_uweight", "srv_iweight", "srv_check_state")
STAT_COLUMNS = ("pxname", "svname", "scur", "qcur", "stot", "status", "econ", "eresp")


def ask(address, command, timeout):
    """The answer to ``command`` as text. ``address``: an absolute path, or host:port. Raises ProviderConnectionError, ProviderConfigurationError."""
    deadline = time.monotonic() + timeout
    try:
        with _connect(address, timeout) as link:
            link.sendall(command.encode("ascii") + b"\n")
            return _read(link, address, command, deadline, timeout)
    except socket.timeout as error:
        raise _away(address, command, "no answer within {0:g} s".format(timeout), error, "TIMEOUT") from error
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            raise ProviderConfigurationError(
                "HAProxy's socket {0}: {1}".format(address, error.strerror),
                infrastructure=True,
                hint="Run as a user who may use it (become: true), or give the socket a mode or group that fits.",
                context={"option": "haproxy.socket", "value": address},
            ) from error
        raise _away(address, command, error.strerror or str(error), error) from error


def _connect(address, timeout):
    if os.path.isabs(address):
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            link.settimeout(timeout)
            link.connect(address)
        except BaseException:
            link.close()
            raise
        return link
    host, port = TCP.match(address).groups()
    return socket.create_connection((host, int(port)), timeout)


def _read(link, address, command, deadline, timeout):
    chunks, size = [], 0
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout()
        link.settimeout(left)
        chunk = link.recv(CHUNK)
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
        if size > ANSWER_LIMIT:
            raise garbage("An answer of more than {0} bytes to {1!r} from {2}".format(ANSWER_LIMIT, command, address), "")
    if not chunks:
        raise _away(address, command, "the connection ended without an answer", None)
    return b"".join(chunks).decode("utf-8", "replace")


def _away(address, command, reason, cause, category="NETWORK"):
    return ProviderConnectionError(
        "HAProxy at {0} does not answer {1!r}: {2}".format(address, command, reason),
        category=category,
        hint="Is HAProxy running, and has its configuration a 'stats socket' there with 'level admin'?",
        context={"option": "haproxy.socket", "value": address, "command": command},
        cause=cause,
    )


def check_address(address):
    """Raise ProviderConfigurationError unless ``address`` is an absolute path or host:port."""
    tcp = None if os.path.isabs(address) else TCP.match(address)
    if not os.path.isabs(address) and (tcp is None or not 0 < int(tcp.group(2)) < 65536):
        raise ProviderConfigurationError(
            "haproxy.socket: {0!r} is no address".format(address),
            hint="Give an absolute path such as /run/haproxy/admin.sock, or host:port such as 127.0.0.1:9999.",
            context={"option": "haproxy.socket", "value": address},
        )


def expect_done(answer, command):
    """A command that changes something answers nothing; words are a refusal."""
    said = " ".join(answer.split())
    if not said:
        return
    lowered = said.lower()
    if "permission denied" in lowered:
        raise ProviderConfigurationError(
            "HAProxy refuses {0!r}: {1}".format(command, said),
            infrastructure=True,
            hint="Its 'stats socket' needs 'level admin'.",
            context={"command": command},
        )
    if "no such" in lowered or "can't find" in lowered:
        raise NotFoundError("HAProxy refuses {0!r}: {1}".format(command, said), infrastructure=True, hint="Look at the names in its configuration.")
    if "static lb algorithm" in lowered:
        raise ProviderConfigurationError(
            "HAProxy refuses {0!r}: {1}".format(command, said),
            infrastructure=True,
            hint="Use a balance algorithm with weights that change while it runs, such as roundrobin or leastconn.",
            context={"command": command},
        )
    raise ProviderError("HAProxy refuses {0!r}: {1}".format(command, said[:200]), infrastructure=True, context={"command": command})


def parse_states(answer, backend):
    """The rows of ``show servers state BACKEND``: server name -> {column: text}."""
    lines = [line for line in answer.splitlines() if line.strip()]
    if lines and "can't find backend" in lines[0].lower():
        raise NotFoundError(
            "backend: HAProxy has no backend {0!r}".format(backend),
            infrastructure=True,
            hint="Set traffic_backend to a backend of its configuration.",
            context={"option": "backend", "value": backend},
        )
    if len(lines) < 2 or lines[0].strip() != "1" or not lines[1].startswith("# "):
        raise garbage("The answer to 'show servers state'", answer)
    columns = lines[1][2:].split()
    return {row["srv_name"]: row for row in _rows(columns, (line.split(" ") for line in lines[2:]), STATE_COLUMNS, answer) if row["be_name"] == backend}


def parse_stat(answer, backend):
    """The rows of ``show stat``: server name -> {column: text}."""
    import csv

    if not answer.startswith("# pxname,svname,"):
        raise garbage("The answer to 'show stat'", answer)
    rows = list(csv.reader(answer[2:].splitlines()))
    found = _rows(rows[0], (row for row in rows[1:] if row), STAT_COLUMNS, answer)
    return {row["svname"]: row for row in found if row["pxname"] == backend and row["svname"] not in ("FRONTEND", "BACKEND")}


def _rows(columns, rows, needed, answer):
    if [name for name in needed if name not in columns]:
        raise garbage("An answer without the columns {0}".format(", ".join(needed)), answer)
    found = [dict(zip(columns, row)) for row in rows]  # noqa: B905 - Python 3.8 has no strict
    if [row for row in found if any(name not in row for name in needed)]:
        raise garbage("A row that is too short", answer)
    return found


def number(row, column):
    """A whole number of a row; empty counts as 0."""
    text = row.get(column) or "0"
    try:
        return int(text)
    except ValueError:
        raise garbage("Column {0}".format(column), text) from None
