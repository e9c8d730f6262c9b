# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that differ from the deployment before, and deployments that took far longer than usual, come into the audit."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.comparing import changes, slow
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.feeder import Feeder
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import call
from tests.unit.plugins.plugin_utils.recorder.test_recorder import OPEN, settings


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({}, {"batches": [1]}, {}),
        ({"batches": [1]}, {"batches": [1]}, {}),
        ({"batches": [1], "pause": 0}, {"batches": ["50%"], "pause": 0}, {"batches": {"from": [1], "to": ["50%"]}}),
        ({"undo_limit": 3}, {"undo_limit": 3, "approvals": 1}, {}),
        ({"gone": 1}, {"undo_limit": 3}, {}),
    ],
)
def test_only_what_both_have_is_compared(before: dict[str, Any], now: dict[str, Any], told: dict[str, Any]) -> None:
    assert changes(before, now) == told


@pytest.mark.parametrize(("seconds", "usual", "is_slow"), [(100.0, None, False), (20.1, 10.0, True), (20.0, 10.0, False), (4.0, 1.0, False), (11.1, 1.0, True)])
def test_slow_is_twice_what_is_usual_and_ten_seconds_more(seconds: float, usual: float | None, is_slow: bool) -> None:
    told = slow(seconds, usual)
    assert told == ({"seconds": seconds, "usual_seconds": usual} if is_slow else None)


def deploy(tmp_path, number: int, **options: Any) -> list[tuple[str, dict[str, Any]]]:
    """One deployment with these options; the audit's rows of configuration that it left."""
    feeder = Feeder(f"run-{number}", settings(tmp_path))
    feeder.start()
    try:
        call("open", **{**OPEN, "version": f"{number}.0", "options": options})
        call("close")
    finally:
        feeder.close()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        rows = connection.execute("SELECT event, body FROM tb_audit WHERE type = 'configuration' ORDER BY position").fetchall()
    connection.close()
    return [(event, json.loads(body)["data"]) for event, body in rows]


def test_a_setting_that_differs_from_the_deployment_before_is_audited_once(tmp_path) -> None:
    assert deploy(tmp_path, 1, max_failed=0, undo_limit=3) == []
    told = [("configuration.changed", {"changed": {"max_failed": {"from": 0, "to": "10%"}}, "by": "tester"})]
    assert deploy(tmp_path, 2, max_failed="10%", undo_limit=3) == told
    assert deploy(tmp_path, 3, max_failed="10%", undo_limit=3) == told
