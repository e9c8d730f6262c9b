# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a test puts on PYTHONPATH: Python imports it first of all, and in a recorder it strikes at one exact boundary. Other processes are left alone.

``FAULT_AT`` names the boundary, ``OPERATION [STEP or GATE] SIDE``: ``intent activate after``, ``gate before before``, ``close before``. ``FAULT_NUMBER`` is the
how-maniest such moment (default 1). ``FAULT_DO`` is ``TARGET SIGNAL``: ``controller SIGKILL``, ``recorder SIGSTOP``, ``both SIGSTOP``, or ``wait``: stand still
until the file ``FAULT_MARK.go`` is there. The file ``FAULT_MARK`` is written first, with the process id of the recorder.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

SUBJECT = "ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.operations"
PATIENCE_SECONDS = 30.0


def strike(controller: int) -> None:
    """Do what ``FAULT_DO`` says."""
    mark = Path(os.environ["FAULT_MARK"])
    mark.with_suffix(".new").write_text(str(os.getpid()), encoding="ascii")
    mark.with_suffix(".new").rename(mark)
    target, _space, name = os.environ["FAULT_DO"].partition(" ")
    if target == "wait":
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not Path(f"{mark}.go").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return
    number = signal.Signals[name]
    if target in ("controller", "both"):
        os.kill(controller, number)
    if target in ("recorder", "both"):
        os.kill(os.getpid(), number)


def arm(operations: Any) -> None:
    """Count the requests that the recorder handles, and strike at the wanted one, before it is handled or once its answer has gone."""
    *wanted, side = os.environ["FAULT_AT"].split()
    left = int(os.environ.get("FAULT_NUMBER", "1"))
    handle = operations.handle

    def watched(self: Any, request: dict[str, Any], reply: Any) -> None:
        nonlocal left
        words = [str(request.get("op"))] + [str(request[key]) for key in ("step", "at") if request.get(key)]
        if request.get("_counted") or words != wanted:
            handle(self, request, reply)
            return
        request["_counted"] = True  # a request that waits for the lease to be sure is handled twice
        left -= 1
        if left:
            handle(self, request, reply)
            return

        def answered(message: dict[str, Any]) -> None:
            reply(message)
            strike(self.settings["controller"])

        if side == "before":
            strike(self.settings["controller"])
        handle(self, request, answered if side == "after" else reply)

    operations.handle = watched


class Finder:
    """Finds the recorder's operations as everybody does, and arms them once they are there."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The specification of the one module, with a loader that arms it."""
        del path, target
        if name != SUBJECT:
            return None
        sys.meta_path.remove(self)  # type: ignore[arg-type]
        specification = importlib.util.find_spec(name)
        if specification is None or specification.loader is None:
            return None
        load = specification.loader.exec_module

        def load_and_arm(module: Any) -> None:
            load(module)
            arm(module.Operations)

        specification.loader.exec_module = load_and_arm  # type: ignore[method-assign]
        return specification


if "FAULT_AT" in os.environ and any(word.endswith("recorder/__main__.py") for word in sys.orig_argv):
    sys.meta_path.insert(0, Finder())  # type: ignore[arg-type]
