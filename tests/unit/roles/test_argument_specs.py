# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs validate but set no defaults: a spec and ``defaults/main.yml`` that drift apart would lie to the user."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (CHECKOUT / "roles").iterdir() if path.is_dir())
RUN_TIME = {"version", "fraise_revert_to"}
"""What a caller must give: it has no default."""
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
CONDITIONS = re.compile(r"^\s*(?:when|failed_when|changed_when|until):(.*(?:\n\s+-.*)*)", re.MULTILINE)
TAKEN_IN = re.compile(r"(?:import_tasks|include_tasks):\s*(\w+)\.yml\s*$", re.MULTILINE)


@cache
def defaults(role: str) -> dict[str, Any]:
    return dict(yaml.safe_load((CHECKOUT / "roles" / role / "defaults" / "main.yml").read_text(encoding="utf-8")) or {})


@cache
def entry_points(role: str) -> dict[str, dict[str, Any]]:
    specs = yaml.safe_load((CHECKOUT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    return {name: entry["options"] for name, entry in specs["argument_specs"].items()}


def variables_in(text: str) -> set[str]:
    """Every word in the text's expressions and conditions."""
    expressions = EXPRESSION.findall(text) + [match.group(1) for match in CONDITIONS.finditer(text)]
    return {word for expression in expressions for word in WORD.findall(expression)}


def used_by(role: str, entry: str) -> set[str]:
    """The words that the tasks of an entry point use, those of the task files that it takes in and of the role's own variables included."""
    text = (CHECKOUT / "roles" / role / "tasks" / f"{entry}.yml").read_text(encoding="utf-8")
    words = variables_in(text)
    for name in TAKEN_IN.findall(text):
        words |= used_by(role, name)
    path = CHECKOUT / "roles" / role / "vars" / "main.yml"
    own = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    waiting = {name for name in own if name in words}
    while waiting:
        found = variables_in(yaml.safe_dump(own[waiting.pop()], width=10000)) - words
        words |= found
        waiting |= {name for name in own if name in found}
    return words


ENTRIES = [(role, entry) for role in ROLES for entry in entry_points(role)]


@pytest.mark.parametrize("role", ROLES)
def test_every_default_is_described_for_each_entry_point_that_uses_it(role: str) -> None:
    for entry, options in entry_points(role).items():
        assert (used_by(role, entry) & set(defaults(role))) - set(options) == set(), entry


@pytest.mark.parametrize("role", ROLES)
def test_every_default_is_described_somewhere(role: str) -> None:
    described = {name for options in entry_points(role).values() for name in options}
    assert set(defaults(role)) - described == set()


@pytest.mark.parametrize(("role", "entry"), ENTRIES)
def test_what_an_entry_point_describes_is_what_a_user_gets(role: str, entry: str) -> None:
    for name, option in entry_points(role)[entry].items():
        if name in defaults(role):
            assert option.get("default") == defaults(role)[name], name
            assert not option.get("required"), name
        else:
            assert option.get("required") or name in RUN_TIME, f"{name} has no default and need not be given"
            assert "default" not in option, f"{name}: a default that nothing sets"


@pytest.mark.parametrize(("role", "entry"), ENTRIES)
def test_an_entry_point_has_its_tasks(role: str, entry: str) -> None:
    assert (CHECKOUT / "roles" / role / "tasks" / f"{entry}.yml").is_file()


@pytest.mark.parametrize("role", ROLES)
def test_every_default_bears_the_name_of_its_role(role: str) -> None:
    assert [name for name in defaults(role) if not name.startswith(f"{role}_")] == []


@pytest.mark.parametrize("role", ROLES)
def test_an_option_is_described_the_same_way_everywhere(role: str) -> None:
    described: dict[str, Any] = {}
    for entry, options in entry_points(role).items():
        for name, option in options.items():
            assert described.setdefault(name, option) == option, f"{entry}: {name}"


@pytest.mark.parametrize("strategy", [role for role in ROLES if role not in ("fraise", "traffic")])
def test_a_strategy_has_the_three_entry_points_that_the_playbook_calls(strategy: str) -> None:
    assert {"prepare", "shift", "settle"} <= set(entry_points(strategy))
