# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A value that does not fit is told by the name that the person typed, with what is accepted."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.user_variables import VARIABLES, require_fitting

PLAYBOOKS = sorted((Path(__file__).resolve().parents[4] / "playbooks").glob("*.yml"))
READ = re.compile(r"\{\{ (\w+)(?: \| default\(.*\))? \}\}")
OURS = re.compile(r"fraisier_\w+")
BY_VERB = {("fraisier.deploy.operate", "argument")}
"""Read from one variable or another; the recorder names it, which knows the verb."""


def spec_of(action: str) -> dict[str, Any]:
    name = action.rpartition(".")[2]
    return dict(importlib.import_module(f"ansible_collections.fraisier.deploy.plugins.action.{name}").ActionModule.SPEC)


@pytest.mark.parametrize(
    ("action", "option", "value", "variable", "told", "hint"),
    [
        ("operate", "expires", "abc", "expires", "expires: 'abc' is not a number", "-e expires=3600"),
        ("deployment", "wait", "soon", "wait", "wait: 'soon' is not a whole number", "-e wait=20"),
        ("store", "query", "bogus", "store", "store: there is no 'bogus'", "One of: backup, check, "),
        ("audit", "query", "bogus", "audit", "audit: there is no 'bogus'", "One of: check, checkpoint, export, list, prune, verify"),
        ("store", "keep_days", "1d", "keep_days", "keep_days: '1d' is not a whole number", "-e keep_days=365"),
        ("deployment", "approve_own", "perhaps", "fraise_approve_own", "fraise_approve_own: 'perhaps' is not true or false", "-e fraise_approve_own=true"),
        ("deployment", "new_hosts", "all", "catchup", "catchup: 'all' is not new, the only value that there is", "-e catchup=new"),
        ("operate", "revoke", "ture", "revoke", "revoke: 'ture' is not true or false", "-e revoke=true"),
    ],
)
def test_the_variable_its_value_and_what_is_accepted_are_named(action: str, option: str, value: str, variable: str, told: str, hint: str) -> None:
    name = f"fraisier.deploy.{action}"
    with pytest.raises(ValidationError) as caught:
        require_fitting(name, spec_of(name), {option: value}, {variable: value})
    assert caught.value.message == told
    assert hint in caught.value.hint
    assert caught.value.context == {"option": variable, "value": value}


def test_a_task_of_one_s_own_is_told_the_option() -> None:
    with pytest.raises(ValidationError, match="query: there is no 'bogus'"):
        require_fitting("fraisier.deploy.store", spec_of("fraisier.deploy.store"), {"query": "bogus"}, {})


def test_what_fits_passes_and_what_is_left_out_is_no_matter() -> None:
    given = {"state": "open", "wait": "900", "approve_own": "yes", "recover": None, "batches": [1], "version": 1.1, "no_option": "x"}
    require_fitting("fraisier.deploy.deployment", spec_of("fraisier.deploy.deployment"), given, {})


def tasks(play: Any) -> list[dict[str, Any]]:
    """The tasks of a play, those in blocks too."""
    return [inner for task in play.get("tasks") or [] for inner in (task.get("block") or [task])]


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_variable_that_a_playbook_maps_to_an_option_is_known_by_its_name(path: Path) -> None:
    for task in (task for play in yaml.safe_load(path.read_text(encoding="utf-8")) for task in tasks(play)):
        for action in VARIABLES.keys() & task.keys():
            for option, template in (task[action] or {}).items():
                read = READ.fullmatch(str(template))
                if read and not OURS.fullmatch(read[1]) and (action, option) not in BY_VERB:
                    assert VARIABLES[action].get(option, option) == read[1], f"{action}: {option}"
