# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry of the side process, started by the callback.

``__main__.py ROOT EVENTS ANSWERS SOCKET``: the folder of ansible_collections, the descriptors of two pipes and of the listening socket.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import types
from pathlib import Path


def locate(root: str) -> None:
    """Make ``ansible_collections`` mean the tree under ``root``, whatever other package of that name is installed."""
    package = types.ModuleType("ansible_collections")
    package.__path__ = [str(Path(root) / "ansible_collections")]
    sys.modules["ansible_collections"] = package


def read_settings(descriptor: int) -> tuple[dict[str, object], bytes]:
    """The first line of the pipe, and what came behind it already."""
    received = b""
    while b"\n" not in received:
        chunk = os.read(descriptor, 65536)
        if not chunk:
            raise SystemExit(1)
        received += chunk
    line, rest = received.split(b"\n", 1)
    return json.loads(line)["settings"], rest


def step_back() -> None:
    """Take only time that nobody else wants. Where the kernel shares a processor among sessions (autogroup), its own niceness says nothing to others."""
    os.nice(9)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("19", encoding="ascii")


def main() -> None:
    """Serve one run. Niced, so that a busy controller is not slowed by being recorded."""
    root = sys.argv[1]
    events, answers, listener = (int(word) for word in sys.argv[2:5])
    locate(root)
    os.nice(10)
    settings, rest = read_settings(events)
    if settings.get("idle"):
        step_back()
    gc.disable()  # an import makes objects that stay: looking through them for garbage is a tenth of its time
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.server import Server

    gc.enable()
    gc.freeze()
    os.set_blocking(events, False)
    os.set_blocking(answers, False)
    Server(settings, events, answers, listener).serve(rest)


if __name__ == "__main__":
    main()
