# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An action is documented by the module of its name: both must say the same, and the action group must hold every module."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[4]
COLLECTION = "ansible_collections.fraisier.deploy.plugins"
ACTIONS = sorted(path.stem for path in (CHECKOUT / "plugins" / "action").glob("*.py") if path.stem != "__init__")
MODULES = sorted(path.stem for path in (CHECKOUT / "plugins" / "modules").glob("*.py") if path.stem != "__init__")
FALLBACKS = {"type": "str", "required": False, "default": None, "choices": None, "elements": None}


def documentation(module: str) -> dict[str, Any]:
    return yaml.safe_load(importlib.import_module(f"{COLLECTION}.modules.{module}").DOCUMENTATION)


@pytest.mark.parametrize("name", ACTIONS)
def test_the_module_of_an_action_documents_its_options(name: str) -> None:
    spec = importlib.import_module(f"{COLLECTION}.action.{name}").ActionModule.SPEC
    options = documentation(name)["options"]
    assert sorted(options) == sorted(spec)
    for option, described in options.items():
        assert {key: described.get(key, fallback) for key, fallback in FALLBACKS.items()} == {
            key: spec[option].get(key, fallback) for key, fallback in FALLBACKS.items()
        }, option


@pytest.mark.parametrize("name", ACTIONS)
def test_the_examples_of_an_action_use_only_options_that_exist(name: str) -> None:
    module = importlib.import_module(f"{COLLECTION}.modules.{name}")
    spec = importlib.import_module(f"{COLLECTION}.action.{name}").ActionModule.SPEC
    for task in yaml.safe_load(module.EXAMPLES):
        assert set(task[f"fraisier.deploy.{name}"]) <= set(spec)


def test_the_action_group_holds_every_module() -> None:
    runtime = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert runtime["action_groups"]["deploy"] == MODULES


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_that_it_belongs_to_the_action_group(name: str) -> None:
    assert "fraisier.deploy.attributes.actiongroup_deploy" in documentation(name)["extends_documentation_fragment"]


def test_the_collection_asks_for_the_oldest_ansible_core_that_is_tested() -> None:
    runtime = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert runtime["requires_ansible"] == ">=2.19.0"
