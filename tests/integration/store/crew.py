# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting several workers at the same moment and gathering what they found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WORKER = Path(__file__).with_name("worker.py")
CHECKOUT = Path(__file__).resolve().parents[3]


def together(what: str, options: Sequence[dict[str, Any]], timeout: float = 120.0) -> list[dict[str, Any]]:
    """Run one worker for each of ``options``; all start when the last one is ready."""
    tree = next(path for path in sys.path if Path(path, "ansible_collections", "fraisier", "deploy").is_dir())
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([tree, str(CHECKOUT)])}
    workers = [
        subprocess.Popen(
            [sys.executable, str(WORKER), what, json.dumps(option)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for option in options
    ]
    try:
        for worker in workers:
            assert worker.stdin and worker.stdout and worker.stderr
            if worker.stdout.readline() != "ready\n":
                raise RuntimeError(worker.stderr.read())
        for worker in workers:
            assert worker.stdin
            worker.stdin.write("go\n")
            worker.stdin.flush()
        found = []
        for worker in workers:
            output, errors = worker.communicate(timeout=timeout)
            if worker.returncode != 0:
                raise RuntimeError(errors)
            found.append(json.loads(output))
        return found
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
