# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.callback.progress import CallbackModule


def result(action: str, **values: Any) -> SimpleNamespace:
    """One host's result of one task, as callbacks get it."""
    return SimpleNamespace(task=SimpleNamespace(action=action), host="web1", result=values)


@pytest.fixture
def callback() -> CallbackModule:
    return CallbackModule()


def test_a_good_step_is_one_line(callback: CallbackModule, capsys: pytest.CaptureFixture[str]) -> None:
    callback.v2_runner_on_ok(
        result("fraisier.deploy.release", step="stage", changed=True, release={"version": "1.0.0"}, timings={"fetch": 0.25, "unpack": 1.0})
    )
    assert capsys.readouterr().out == "  web1  staged 1.0.0 (1.2 s)\n"


@pytest.mark.parametrize(("method", "word"), [("v2_runner_on_failed", "failed"), ("v2_runner_on_unreachable", "unreachable")])
def test_a_bad_step_is_one_line_too(callback: CallbackModule, capsys: pytest.CaptureFixture[str], method: str, word: str) -> None:
    getattr(callback, method)(result("fraisier.deploy.release", msg="no route\nto host"))
    assert capsys.readouterr().out == f"  web1  {word}: no route\n"


def test_tasks_of_others_are_not_told(callback: CallbackModule, capsys: pytest.CaptureFixture[str]) -> None:
    callback.v2_runner_on_ok(result("ansible.builtin.debug", msg="hello"))
    callback.v2_runner_on_failed(result("ansible.builtin.command", msg="no"))
    assert capsys.readouterr().out == ""


def test_it_must_be_enabled_and_leaves_the_stdout_callback_alone() -> None:
    assert CallbackModule.CALLBACK_NEEDS_ENABLED
    assert CallbackModule.CALLBACK_TYPE == "notification"
