# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command, and say everything that matters when it fails."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class TestbedError(RuntimeError):
    """Something the tests need could not be had. The message names it and the remedy."""

    __test__ = False  # pytest: not a test class


def run(
    argv: Sequence[str | Path],
    *,
    check: bool = True,
    timeout: float = 60.0,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``argv`` with captured text output; a failure or the end of ``timeout`` seconds raises TestbedError with the output."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=timeout, check=False, env=environment)
    except FileNotFoundError as error:
        raise TestbedError(f"{words[0]}: no such command") from error
    except subprocess.TimeoutExpired as error:
        said = b"".join(part if isinstance(part, bytes) else part.encode() for part in (error.stdout, error.stderr) if part)
        raise TestbedError(f"no end after {timeout:g} s: {' '.join(words)}\n{said.decode(errors='replace')}") from error
    if check and done.returncode != 0:
        raise TestbedError(f"exit code {done.returncode}: {' '.join(words)}\n{done.stdout}{done.stderr}")
    return done
