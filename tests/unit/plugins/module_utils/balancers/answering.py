# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A balancer that answers whatever a test says, over a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def answering(path: Path, *answers: bytes | Callable[[list[str]], bytes] | None) -> Iterator[list[str]]:
    """Listens on ``path`` and gives one answer a connection, the last one again and again; None: silence. Yields the commands that came.

    An answer may be a function of the commands that have come, the last of which is the one to answer.
    """
    asked: list[str] = []
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()
    waiting: list[socket.socket] = []

    def serve() -> None:
        left = list(answers)
        while True:
            try:
                link, _address = listener.accept()
            except OSError:
                return
            with suppress(OSError):
                asked.append(link.recv(4096).decode().strip())
                answer = left.pop(0) if len(left) > 1 else left[0]
                answer = answer(asked) if callable(answer) else answer
                if answer is None:
                    waiting.append(link)
                    continue
                link.sendall(answer)
            link.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for link in waiting:
            link.close()
        thread.join(5)
