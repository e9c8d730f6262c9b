# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and errors of each server from an access log of nginx, for open nginx counts none by upstream.

The log's format is ``log_format fraisier '$upstream_addr $upstream_status';``: one line a request, and with a second try ``a, b 502, 200``.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ProviderConfigurationError
from ansible_collections.fraisier.deploy.plugins.module_utils.files import read_json, to_json, write_atomically

CHUNK = 1 << 20
ERROR = "5"


def count(log, notes, addresses):
    """{server: (requests, errors)} since the notes began. ``addresses``: {(packed address, port): server}. ``notes``: a file that keeps where we were."""
    kept = read_json(notes) or {}
    counts = {name: list(pair) for name, pair in (kept.get("counts") or {}).items()}
    try:
        with open(log, "rb") as stream:
            now = os.fstat(stream.fileno())
            same = kept.get("inode") == now.st_ino and kept.get("offset", 0) <= now.st_size
            offset = kept.get("offset", 0) if same else 0
            stream.seek(offset)
            offset += _take(stream, counts, addresses)
    except OSError as error:
        raise ProviderConfigurationError(
            "nginx.access_log: {0}: {1}".format(log, error.strerror),
            infrastructure=True,
            hint="Give a log with log_format '$upstream_addr $upstream_status' that this user may read, or leave access_log out.",
            context={"option": "nginx.access_log", "value": log},
        ) from error
    for name in addresses.values():
        counts.setdefault(name, [0, 0])
    # Place and counts are one: when another look writes at this moment, or nothing can be written, the next one counts on from what is there.
    with contextlib.suppress(OSError):
        write_atomically(notes, to_json({"inode": now.st_ino, "offset": offset, "counts": counts}))
    return {name: tuple(pair) for name, pair in counts.items()}


def _take(stream, counts, addresses):
    """Count whole lines to the end; how many bytes they were."""
    known, taken, rest = {}, 0, b""
    while True:
        chunk = stream.read(CHUNK)
        if not chunk:
            return taken
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        for line in lines:
            taken += len(line) + 1
            for address, status in _tries(line.decode("ascii", "replace")):
                if address not in known:
                    known[address] = addresses.get(_packed(address))
                name = known[address]
                if name is not None:
                    pair = counts.setdefault(name, [0, 0])
                    pair[0] += 1
                    pair[1] += status.startswith(ERROR)


def _tries(line):
    """(address, status) of each server that was tried for one request."""
    words = line.replace(", ", ",").replace(" : ", ",").split()
    return zip(words[0].split(","), words[1].split(",")) if len(words) > 1 else ()  # noqa: B905 - Python 3.8 has no strict


def _packed(address):
    host, _colon, port = address.rpartition(":")
    try:
        return ipaddress.ip_address(host.strip("[]")).packed, int(port)
    except ValueError:
        return None
