# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Crash loops and dying services, seen through the manager ``process`` with real processes."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.health import probe, verify
from ansible_collections.fraisier.deploy.plugins.module_utils.services import service_manager


@pytest.fixture
def service(tmp_path: Path):
    """service(code): a manager of a process that runs that Python code."""
    (tmp_path / "current").mkdir()
    made = []

    def make(code: str):
        made.append(service_manager({"manager": "process", "command": [sys.executable, "-c", code], "stop_timeout": 0.0}, root=str(tmp_path), environment={}))
        return made[-1]

    yield make
    for manager in made:
        manager.stop(5)


def test_a_process_that_stays_is_healthy(service):
    manager = service("import time; time.sleep(60)")
    manager.start(5)
    report = verify([], min_healthy=0.5, interval=0.1, deadline=5, service=manager)
    assert report.status == "healthy"
    assert (report.checks[0].type, report.checks[0].ok) == ("process", True)


def test_a_process_that_dies_during_the_stretch_is_a_crash_at_once_and_its_log_says_why(service):
    manager = service("import time; time.sleep(0.7); raise SystemExit('no such table: orders')")
    manager.start(5)
    started = time.monotonic()
    report = verify([], min_healthy=20, interval=0.1, deadline=60, service=manager)
    assert time.monotonic() - started < 4
    assert report.crashed
    assert "has failed (pid was" in report.message
    assert "no such table: orders" in report.message


def test_a_process_that_dies_at_once_is_seen_before_the_first_long_pause(service, closed_port):
    manager = service("raise SystemExit('port taken')")
    manager.start(5)
    started = time.monotonic()
    report = verify([{"tcp": {"port": closed_port}}], min_healthy=5, interval=1, deadline=60, service=manager)
    assert time.monotonic() - started < 3
    assert report.crashed and "port taken" in report.message
    assert [(row.type, row.ok) for row in report.checks] == [("tcp", False), ("process", False)]


def test_a_process_replaced_by_another_during_the_stretch_is_a_crash(service):
    manager = service("import time; time.sleep(60)")
    manager.start(5)
    threading.Timer(0.3, lambda: manager.restart(5)).start()
    report = verify([], min_healthy=5, interval=0.1, deadline=10, service=manager)
    assert report.crashed


def test_a_probe_of_a_dead_process_is_unhealthy(service):
    manager = service("import time; time.sleep(60)")
    manager.start(5)
    os.kill(manager.status().pid, signal.SIGKILL)
    time.sleep(0.1)
    assert probe([], service=manager).status == "unhealthy"
    assert probe([{"exec": {"command": ["true"]}}], service=manager).status == "unhealthy"
