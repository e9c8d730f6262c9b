# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be seen of local runs from outside: the rows of a SQLite store, the bytes on the disk, what the services answer."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from tests.e2e.controller import PLAYBOOK_SECONDS, Controller, Run
from tests.e2e.local_fleet import LocalFleet


def with_playbook(words: list[str], playbook: Path) -> list[str]:
    """The words of a command with another playbook: a file instead of one of the collection's names."""
    return [words[0], str(playbook), *words[2:]]


def run_words(controller: Controller, words: list[str], folder: Path | None = None) -> Run:
    """Run a command as this controller to its end, in ``folder`` (default: its own)."""
    ended = subprocess.run(
        words,
        env=controller.environment(),
        cwd=folder or controller.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PLAYBOOK_SECONDS,
        check=False,
    )
    return Run(ended.returncode, ended.stdout)


def rows(controller: Controller, statement: str, *values: object) -> list[dict[str, Any]]:
    """What the SQLite store answers to ``statement``."""
    path = controller.store_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(statement, values)]


def events(controller: Controller, run: str, source: str = "callback") -> list[dict[str, Any]]:
    """The events of a run in their order, ``data`` as values."""
    found = rows(controller, "SELECT seq, type, host, data, deployment FROM tb_event WHERE run = ? AND source = ? ORDER BY seq", run, source)
    return [{**row, "data": json.loads(row["data"])} for row in found]


def gates(controller: Controller, run: str) -> list[dict[str, Any]]:
    """What the gates of a run decided, in order."""
    return [event["data"] for event in events(controller, run, "recorder") if event["type"] == "gate.decided"]


def steps(deployment: dict[str, Any]) -> dict[str, list[str]]:
    """Host to the steps that were tried there, in order, each as ``step outcome``."""
    found: dict[str, list[str]] = {row["host"]: [] for row in deployment["hosts"]}
    for row in deployment["steps"]:
        found[row["host"]].append(f"{row['step']} {row['outcome']}")
    return found


def answers(fleet: LocalFleet) -> dict[str, str | None]:
    """Host to the version that its service answers over HTTP; None when it does not answer."""
    found: dict[str, str | None] = {}
    for name, port in fleet.ports.items():
        found[name] = None
        with suppress(OSError, ValueError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as reply:
            found[name] = json.load(reply)["version"]
    return found


def tree_of(folder: Path) -> dict[str, str]:
    """Every path below ``folder`` with what it is: the text of a link, the digest of a file, "folder"."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            content = f"-> {path.readlink()}"
        elif path.is_dir():
            content = "folder"
        else:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(folder))] = content
    return found


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true value of ``condition``; AssertionError with ``what`` when ``seconds`` pass before."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def children(pid: int) -> dict[int, str]:
    """Direct child processes of ``pid`` with their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError, ValueError):
                if int((entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]) == pid:
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found
