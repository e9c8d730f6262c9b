# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of variables that are nearly ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.fraisier.deploy.plugins.plugin_utils.known_variables import KNOWN, OF_PLAYBOOKS, PREFIXES, misspelt, misspelt_extra

ROLES = Path(__file__).resolve().parents[4] / "roles"
PLAYBOOKS = ROLES.parent / "playbooks"
READ = re.compile(r"\b([a-z_]+) (?:\| default\(|is defined)")
READ_BY_PLAYBOOKS = {"fraise_environment", "fraise_pause_limit"}
BETWEEN_ROLES = {"fraise_revert_to"}


def test_known_is_what_the_roles_document_and_the_playbooks_read() -> None:
    documented = set()
    for path in ROLES.glob("*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            documented |= {name for name in entry.get("options") or {} if name.startswith(PREFIXES)}
    assert set(KNOWN) == documented - BETWEEN_ROLES | READ_BY_PLAYBOOKS


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("fraise_freeze_windows", "fraise_freezes"),
        ("fraise_sources", "fraise_source"),
        ("rolling_batch", "rolling_batches"),
        ("rolling_max_failures", "rolling_max_failed"),
        ("fraise_min_health", "fraise_min_healthy"),
        ("traffic_balancer", "traffic_balancers"),
    ],
)
def test_a_name_that_is_nearly_ours_is_told_with_the_one_that_was_meant(name: str, meant: str) -> None:
    (told,) = misspelt([name, "fraise", "version"])
    assert name in told
    assert told.endswith(f"did you mean {meant}?")


def test_ours_what_we_register_and_what_is_like_none_of_them_are_no_matter() -> None:
    registered = (
        "fraise__options",
        "fraise_staged",
        "fraise_activated",
        "fraise_verified",
        "fraise_inspected",
        "fraise_reverted",
        "fraise_retired",
        "rolling_settled",
    )
    assert misspelt([*KNOWN, *registered, "fraise_team_of_the_shop", "rolling_stock", "my_fraise_source"]) == []


def test_the_names_without_a_prefix_are_those_that_the_playbooks_read() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in PLAYBOOKS.rglob("*.yml"))
    read = {name for name in READ.findall(text) if not name.startswith((*PREFIXES, "fraisier_")) and name not in ("hostvars", "undoes", "watch", "adaptive")}
    assert set(OF_PLAYBOOKS) == read | {"operator"}


@pytest.mark.parametrize(
    ("name", "meant"), [("overide", "override"), ("verson", "version"), ("frais", "fraise"), ("expire", "expires"), ("catch_up", "catchup")]
)
def test_a_name_given_with_e_needs_no_prefix_to_be_told(name: str, meant: str) -> None:
    (told,) = misspelt_extra([name, "reason"])
    assert told == f"{name} is no variable of fraisier.deploy and was ignored; did you mean {meant}?"
    assert misspelt([name]) == []


def test_names_of_a_user_s_own_given_with_e_are_no_matter_and_a_prefix_still_counts() -> None:
    own = ["release", "revision", "region", "host", "hosts", "user", "port", "when", "tower_job_id", "awx_user_name", "awx_job_template_name", "ansible_user"]
    assert misspelt_extra([*own, *OF_PLAYBOOKS, *KNOWN]) == []
    assert misspelt_extra(["versions", "version"]) == []
    assert len(misspelt_extra(["fraise_enviroment"])) == 1
