# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the servers of an nginx backend answer the balancer: nginx looks at them only when it has a request, so we look from its host."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

MOST_AT_ONCE = 16
BAD_STATUS = 400


def look(servers, path, timeout):
    """For each (host, port) whether it takes a connection or, with ``path``, answers GET with a status below 400 within ``timeout`` seconds."""
    if not servers:
        return []
    with ThreadPoolExecutor(min(MOST_AT_ONCE, len(servers))) as pool:
        return list(pool.map(lambda place: _answers(place[0], place[1], path, timeout), servers))


def _answers(host, port, path, timeout):
    import http.client

    try:
        if path is None:
            socket.create_connection((host, port), timeout).close()
            return True
        link = http.client.HTTPConnection(host, port, timeout=timeout)
        try:
            link.request("GET", path, headers={"User-Agent": "fraisier", "Connection": "close"})
            return link.getresponse().status < BAD_STATUS
        finally:
            link.close()
    except (OSError, http.client.HTTPException, ValueError):
        return False
