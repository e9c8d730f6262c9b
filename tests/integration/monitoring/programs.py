# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that the tests of the exporter run beside the test process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

CHECKOUT = Path(__file__).resolve().parents[3]
EXPORTER = CHECKOUT / "monitoring" / "exporter.py"
START_SECONDS = 30.0


def environment(url: str, home: Path) -> dict[str, str]:
    """What a service manager would give the exporter: little, and the store's URL."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "FRAISIER_STORE_URL": url}


def once(url: str, home: Path, exporter: Path = EXPORTER) -> subprocess.CompletedProcess[str]:
    """One print of the figures by a process of its own, from a folder that has nothing to do with the collection."""
    command = [sys.executable, "-I", str(exporter), "--once"]
    return subprocess.run(command, env=environment(url, home), cwd=home, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def running(url: str, home: Path, *words: str) -> Iterator[str]:
    """An exporter that serves; its address, ``http://host:port``. It is ended with SIGTERM."""
    command = [sys.executable, str(EXPORTER), "--listen", "127.0.0.1:0", *words]
    process = subprocess.Popen(command, env=environment(url, home), cwd=home, stderr=subprocess.PIPE, text=True)
    try:
        if process.stderr is None:
            raise RuntimeError("no standard error")
        yield _address(process.stderr)
    finally:
        process.terminate()
        process.communicate(timeout=20)
    if process.returncode != 0:
        raise RuntimeError(f"The exporter ended with {process.returncode}")


def _address(errors: IO[str]) -> str:
    for line in errors:
        found = re.search(r"Serving (http://\S+)/metrics", line)
        if found:
            return found.group(1)
    raise RuntimeError("The exporter ended before it served")


def get(address: str, timeout: float = 20) -> str:
    """What a GET of ``address`` brings."""
    with urllib.request.urlopen(address, timeout=timeout) as answer:
        return str(answer.read().decode())


def wait_for(address: str, text: str, seconds: float = START_SECONDS) -> str:
    """What ``address`` answers as soon as it has ``text`` in it."""
    deadline = time.monotonic() + seconds
    last = ""
    while time.monotonic() < deadline:
        try:
            last = get(address)
        except OSError as error:
            last = str(error)
        if text in last:
            return last
        time.sleep(0.2)
    raise AssertionError(f"{address} did not answer {text!r} within {seconds:g} s; last: {last[:500]}")
