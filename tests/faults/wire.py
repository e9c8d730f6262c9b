# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A piece of network between a controller and one host: it drops, resets or crawls when a test says so."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time

CHUNK = 65536
CRAWL_BYTES, CRAWL_SECONDS = 400, 0.05
"""8 kB/s: a minute for an archive of half a megabyte."""


class Wire:
    """Forwards connections of ``port`` on loopback to ``address``; ``mode`` is pass, drop, reset or slow and may change at any time."""

    def __init__(self, address: str, port: int = 22) -> None:
        self._there = (address, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.mode = "pass"
        self._over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """End it and every connection."""
        self._over.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                here, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(here,), daemon=True).start()

    def _carry(self, here: socket.socket) -> None:
        with here:
            # a connection that comes while nothing passes hears nothing, as behind a firewall that drops
            while self.mode == "drop" and not self._over.is_set():
                time.sleep(0.02)
            try:
                there = socket.create_connection(self._there, timeout=5)
            except OSError:
                return
            with there:
                there.settimeout(None)
                with contextlib.suppress(OSError):
                    self._forward(here, there)
                if self.mode == "reset":
                    for end in (here, there):
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _forward(self, here: socket.socket, there: socket.socket) -> None:
        while not self._over.is_set() and self.mode != "reset":
            if self.mode == "drop":
                time.sleep(0.02)
                continue
            ready, _writable, _odd = select.select([here, there], [], [], 0.1)
            if self.mode in ("drop", "reset"):
                continue
            for end in ready:
                slow = self.mode == "slow"
                if slow:
                    time.sleep(CRAWL_SECONDS)
                data = end.recv(CRAWL_BYTES if slow else CHUNK)
                if not data:
                    return
                (there if end is here else here).sendall(data)
