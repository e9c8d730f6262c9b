# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of variables that are nearly ours."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.fraisier.deploy.plugins.plugin_utils.known_variables import KNOWN, PREFIXES, misspelt

ROLES = Path(__file__).resolve().parents[4] / "roles"
OF_PLAYBOOKS = {"fraise_environment", "fraise_pause_limit"}
BETWEEN_ROLES = {"fraise_revert_to"}


def test_known_is_what_the_roles_document_and_the_playbooks_read() -> None:
    documented = set()
    for path in ROLES.glob("*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            documented |= {name for name in entry.get("options") or {} if name.startswith(PREFIXES)}
    assert set(KNOWN) == documented - BETWEEN_ROLES | OF_PLAYBOOKS


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("fraise_freeze_windows", "fraise_freezes"),
        ("fraise_sources", "fraise_source"),
        ("rolling_batch", "rolling_batches"),
        ("rolling_max_failures", "rolling_max_failed"),
        ("fraise_min_health", "fraise_min_healthy"),
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
