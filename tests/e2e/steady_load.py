# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A steady load on a balancer from one thread: many requests at once, each over a connection of its own, and every one that is lost is told."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

REQUEST_SECONDS = 20.0


class Load:
    """``done`` requests, ``failed`` ones as texts, how many answers each version gave, and the longest seconds of one."""

    def __init__(self, port: int, clients: int, pause: float) -> None:
        self.port, self.clients, self.pause = port, clients, pause
        self.done, self.failed, self.versions, self.longest = 0, list[str](), Counter[str](), 0.0
        self._ended = False

    def serve(self) -> None:
        """Ask until it is ended."""
        asyncio.run(self._all())

    def end(self) -> None:
        """No new requests."""
        self._ended = True

    async def _all(self) -> None:
        await asyncio.gather(*(self._client() for _number in range(self.clients)))

    async def _client(self) -> None:
        while not self._ended:
            began = time.monotonic()
            try:
                problem = await asyncio.wait_for(self._ask(), REQUEST_SECONDS)
            except Exception as exception:  # whatever a client can meet is a lost request
                problem = f"{type(exception).__name__}: {exception}"
            self.longest = max(self.longest, time.monotonic() - began)
            self.done += 1
            if problem:
                self.failed.append(problem)
            await asyncio.sleep(self.pause)

    async def _ask(self) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
            answer = await reader.read(-1)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        head, _blank, body = answer.partition(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            return f"{head[:60]!r}"
        try:
            self.versions[json.loads(body)["version"]] += 1
        except (ValueError, KeyError):
            return f"half an answer: {body[:60]!r}"
        return ""


@contextmanager
def steady_load(port: int, clients: int = 8, pause: float = 0.01) -> Iterator[Load]:
    """Requests one after another from each of ``clients`` for the block."""
    load = Load(port, clients, pause)
    thread = threading.Thread(target=load.serve, daemon=True)
    thread.start()
    try:
        yield load
    finally:
        load.end()
        thread.join(REQUEST_SECONDS + 10)
