# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.progress_lines import progress_line

HEALTHY = {"health": {"status": "healthy"}}
GATE = {"at": "after", "go": False, "halts": True, "reason": "2 of 6 hosts failed", "batch": 1, "batches": 3, "undo": {}}


def step(outcome: str = "ok", **result: Any) -> str:
    return progress_line("fraisier.deploy.release", "web1", result, outcome)


def gate(**changes: Any) -> str:
    return progress_line("fraisier.deploy.gate", "web1", {**GATE, **changes}, "ok")


@pytest.mark.parametrize(
    ("result", "line"),
    [
        ({"step": "stage", "changed": True, "release": {"version": "2.0"}, "timings": {"fetch": 0.5, "unpack": 0.75}}, "staged 2.0 (1.2 s)"),
        ({"step": "stage", "changed": False, "release": {"version": "2.0"}}, "has 2.0 already"),
        (
            {"step": "activate", "changed": True, "release": {"version": "2.0", "previous": "1.0"}, "timings": {"verify": 10.04}, **HEALTHY},
            "serves 2.0, was 1.0, healthy (10.0 s)",
        ),
        ({"step": "activate", "changed": True, "release": {"version": "2.0", "previous": None}}, "serves 2.0, was nothing, health not asked (0.0 s)"),
        ({"step": "activate", "changed": False, "release": {"version": "2.0"}}, "serves 2.0 already"),
        ({"step": "revert", "changed": True, "release": {"version": "1.0"}, **HEALTHY}, "back on 1.0, healthy"),
        ({"step": "revert", "changed": True, "release": {"version": None}}, "back on nothing, health not asked"),
        ({"step": "retire", "changed": True, "pruned": ["0.8", "0.9"]}, "removed 0.8, 0.9"),
        ({"step": "retire", "changed": True, "pruned": []}, "nothing to remove"),
        ({"step": "inspect", "release": {"version": "1.0"}, **HEALTHY}, "answers 1.0, healthy"),
        ({"step": "verify", "release": {"version": None}}, "answers nothing, health not asked"),
    ],
)
def test_a_step_says_what_came_of_it(result: dict[str, Any], line: str) -> None:
    assert step(**result) == f"  web1  {line}"


@pytest.mark.parametrize(
    ("result", "line"),
    [
        ({"step": "stage", "changed": True, "release": {"version": "2.0"}}, "would stage 2.0"),
        ({"step": "stage", "changed": False, "release": {"version": "2.0"}}, "has 2.0 already"),
        ({"step": "activate", "changed": True, "release": {"version": "2.0", "current": "1.0"}}, "would serve 2.0, serves 1.0"),
        ({"step": "activate", "changed": True, "release": {"version": "2.0", "current": None}}, "would serve 2.0, serves nothing"),
        ({"step": "activate", "changed": False, "release": {"version": "2.0"}}, "serves 2.0 already"),
        ({"step": "revert", "changed": True, "release": {"version": "1.0"}}, "would go back to 1.0"),
        ({"step": "retire", "changed": True, "pruned": ["0.8"]}, "would remove 0.8"),
        ({"step": "retire", "changed": False, "pruned": []}, "nothing to remove"),
        ({"step": "inspect", "release": {"version": "1.0"}, **HEALTHY}, "answers 1.0, healthy"),
    ],
)
def test_a_step_of_check_mode_says_what_it_would_do(result: dict[str, Any], line: str) -> None:
    assert step(check_mode=True, **result) == f"  web1  {line}"


def test_a_failure_is_its_first_line() -> None:
    assert step("failed", msg="\nstatus 500\nlog: ...") == "  web1  failed: status 500"


def test_a_host_that_went_back_by_itself_says_to_what() -> None:
    assert step("failed", msg="status 500", reverted=True, release={"version": "1.0"}) == "  web1  failed: status 500; went back to 1.0 by itself"
    assert step("failed", msg="status 500", reverted=True, release={"version": None}).endswith("went back to nothing by itself")


def test_a_host_that_is_away_is_unreachable() -> None:
    assert step("unreachable", msg="Connection refused") == "  web1  unreachable: Connection refused"


def test_a_long_message_is_cut() -> None:
    assert len(step("failed", msg="x" * 1000)) < 200


def test_a_failure_without_a_message_is_a_line_too() -> None:
    assert step("failed") == "  web1  failed: "


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "  == halted after batch 1 of 3: 2 of 6 hosts failed"),
        ({"at": "before", "batch": 1}, "  == halted before batch 1 of 3: 2 of 6 hosts failed"),
        ({"at": "before", "batch": 2}, "  == halted before batch 2 of 3: 2 of 6 hosts failed"),
        ({"at": "before", "batch": 2, "halts": False}, ""),
        ({"at": "settle", "halts": False}, ""),
        ({"at": "settle", "halts": False, "undo": {"web1": "1.0", "web2": None}}, "  == undoing web1, web2"),
        ({"at": "settle", "undo": {"web1": "1.0"}}, "  == halted before it settles: 2 of 6 hosts failed\n  == undoing web1"),
        ({"go": True, "halts": False}, ""),
    ],
)
def test_a_halt_is_told_once_where_it_is_decided(changes: dict[str, Any], line: str) -> None:
    assert gate(**changes) == line


def test_a_gate_that_failed_is_left_to_ansible() -> None:
    assert progress_line("fraisier.deploy.gate", "web1", {"msg": "No deployment is open"}, "failed") == ""


def test_an_opened_deployment_is_told_by_its_message_a_closed_one_by_its_own_table() -> None:
    assert progress_line("fraisier.deploy.deployment", "web1", {"msg": "shop:test:1", "plan": {}}, "ok") == "  == shop:test:1"
    assert progress_line("fraisier.deploy.deployment", "web1", {"status": "success"}, "ok") == ""


@pytest.mark.parametrize("action", ["ansible.builtin.debug", "fraisier.deploy.store", "fraisier.deployment", "release"])
def test_other_actions_have_no_line(action: str) -> None:
    assert progress_line(action, "web1", {"msg": "hello"}, "ok") == ""


def test_a_long_message_is_cut_between_two_words() -> None:
    long = f"Release 1.2.0 is not healthy: {'x' * 105}. Look at its log on the host, or at the service itself"
    line = progress_line("fraisier.deploy.release", "web1", {"msg": long}, "failed")
    assert line == f"  web1  failed: Release 1.2.0 is not healthy: {'x' * 105}. Look at its log on..."
