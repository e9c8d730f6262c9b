# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.plugins.callback import CallbackBase

from ansible_collections.fraisier.deploy.plugins.callback import recorder
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.settings import recorder_settings

OPTIONS = yaml.safe_load(recorder.DOCUMENTATION)["options"]


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_comes_from_ini_and_environment_since_callbacks_get_no_variables(name: str) -> None:
    assert OPTIONS[name]["ini"] == [{"section": "fraisier", "key": name}]
    assert OPTIONS[name]["env"] == [{"name": f"FRAISIER_{name.upper()}"}]
    assert "vars" not in OPTIONS[name]


def test_every_option_is_used_and_every_used_one_is_documented() -> None:
    asked: list[str] = []

    def option(name: str) -> Any:
        asked.append(name)
        return OPTIONS[name]["default"]

    settings = recorder_settings(option)
    assert sorted(asked) == sorted(OPTIONS)
    assert (settings["lease"], settings["heartbeat"], settings["timeout"]) == (30, 10, 2)


def test_no_method_is_of_the_first_callback_version_or_for_everything() -> None:
    own = {name for name in vars(recorder.CallbackModule) if name.startswith(("v2_", "runner_", "playbook_", "on_"))}
    assert own
    assert all(name.startswith("v2_") and hasattr(CallbackBase, name) for name in own)
    assert "v2_on_any" not in own


def test_it_must_be_enabled_and_leaves_the_stdout_callback_alone() -> None:
    assert recorder.CallbackModule.CALLBACK_NEEDS_ENABLED
    assert recorder.CallbackModule.CALLBACK_TYPE == "notification"
    assert recorder.CallbackModule.CALLBACK_NAME == "fraisier.deploy.recorder"


class Feeder:
    """Stands in for the recorder's end: lost from the third event on."""

    settings = {"spool": "/spool"}

    def __init__(self) -> None:
        self.sent = 0
        self.lost_recorder = ""

    def emit(self, _type: str, _data: dict[str, Any], _host: str | None = None) -> None:
        self.sent += 1
        if self.sent >= 3:
            self.lost_recorder = "the recorder ended early: killed"


def test_the_loss_of_the_recorder_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    callback = recorder.CallbackModule()
    callback._feeder = Feeder()
    for _number in range(6):
        callback._emit("task.ok", {})
    told = " ".join(capsys.readouterr().err.split())
    assert told.count("the recorder ended early: killed; events of this run are kept on disk and stored by the next one") == 1


@pytest.mark.parametrize(
    ("report", "told"),
    [
        ({"sent": 5, "stored": 5, "spooled": 0, "waiting": 0, "notes": []}, ""),
        ({"sent": 5, "stored": 2, "spooled": 3, "waiting": 3, "notes": []}, "3 events wait in /spool for the next run"),
        ({"sent": 5, "stored": 2, "spooled": 1, "waiting": 1, "notes": []}, "2 lost"),
        ({"sent": 5, "stored": 5, "spooled": 0, "waiting": 0, "notes": ["7 events of an earlier run are stored now"]}, "7 events of an earlier"),
    ],
)
def test_at_the_end_what_was_sent_is_held_against_what_was_stored(capsys: pytest.CaptureFixture[str], report: dict[str, Any], told: str) -> None:
    callback = recorder.CallbackModule()
    callback._events = SimpleNamespace(playbook_ended=lambda stats: None)
    callback._feeder = SimpleNamespace(close=lambda: report, settings=Feeder.settings, lost_recorder="")
    callback.v2_playbook_on_stats(SimpleNamespace())
    heard = " ".join(capsys.readouterr().err.split())
    assert (told in heard) if told else heard == ""
