# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A play that opens a deployment sees no role's defaults, so the playbooks repeat some: they must be the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[3]
PLAYBOOKS = sorted((CHECKOUT / "playbooks").rglob("*.yml"))
REPEATED = re.compile(r"\b([a-z_]+) \| default\(([^()]*)\)")
PINNED = {"strategy": "linear", "any_errors_fatal": False, "gather_facts": False}


def role_defaults() -> dict[str, Any]:
    """The defaults of all roles together."""
    found: dict[str, Any] = {}
    for path in sorted((CHECKOUT / "roles").glob("*/defaults/main.yml")):
        found |= yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def plays(path: Path) -> list[dict[str, Any]]:
    """The plays of a playbook, without imports of others."""
    return [play for play in yaml.safe_load(path.read_text(encoding="utf-8")) if "hosts" in play]


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_a_default_that_a_playbook_repeats_is_its_role_s(path: Path) -> None:
    known = role_defaults()
    repeated = [(name, yaml.safe_load(value)) for name, value in REPEATED.findall(path.read_text(encoding="utf-8")) if name in known and value != "omit"]
    assert [(name, value) for name, value in repeated if value != known[name]] == []


def test_deploy_repeats_the_defaults_that_the_plan_is_made_from() -> None:
    text = (CHECKOUT / "playbooks" / "deploy.yml").read_text(encoding="utf-8")
    repeated = {name for name, _value in REPEATED.findall(text)}
    assert {"fraise_type", "fraise_provider", "fraise_strategy", "rolling_batches", "rolling_max_failed", "rolling_max_unreachable"} <= repeated


def test_a_plan_is_opened_as_the_deployment_that_applies_it_will_be() -> None:
    openings = [plays(CHECKOUT / "playbooks" / f"{name}.yml")[0]["tasks"][0]["fraisier.deploy.deployment"] for name in ("plan", "deploy")]
    # A plan may be made of what must not be applied yet: it passes locks by itself.
    planned, deployed = ({name: value for name, value in opening.items() if name not in ("kind", "override")} for opening in openings)
    assert {name: deployed.get(name) for name in planned} == planned
    decides = {name for name in deployed if name.startswith(("fraise", "max_", "rolling")) or name in ("version", "provider", "strategy", "batches", "pause")}
    assert decides - set(planned) == set()


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_play_pins_what_a_user_s_ansible_cfg_could_break_it_with(path: Path) -> None:
    for play in plays(path):
        assert {name: play.get(name) for name in PINNED} == PINNED, play["name"]


def test_no_play_of_a_deployment_lets_a_task_be_cut_off_by_a_timeout_of_ansible() -> None:
    of_a_deployment = [play for name in ("deploy.yml", "common/steps.yml") for play in plays(CHECKOUT / "playbooks" / name)]
    assert len(of_a_deployment) == 6
    assert [play["name"] for play in of_a_deployment if play.get("timeout") != 0] == []
