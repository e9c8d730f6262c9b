# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NotApprovedError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.approvals import person, require, standing, without_a_plan

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PLAN = "ab" * 32
MAKER = "ann (deploy@ctl)"


def approval(name: str, expires: float = 3600, revoked: bool = False) -> dict[str, Any]:
    return {"user_name": name, "expires_at": NOW + timedelta(seconds=expires), "revoked_at": NOW if revoked else None}


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("ann (deploy@ctl)", "ann"),
        ("Ann (deploy@other)", "ann"),
        ("ann@desk", "ann"),
        ("ann", "ann"),
        ("ann@example.org (deploy@ctl)", "ann@example.org"),
        ("ann (ops) (deploy@ctl)", "ann (ops)"),
    ],
)
def test_a_recorded_name_means_the_person_who_was_claimed_else_the_user(name: str, who: str) -> None:
    assert person(name) == who


def test_different_people_count_and_one_person_counts_once() -> None:
    counted, refused = standing([approval("bob (deploy@ctl)"), approval("bob (root@desk)"), approval("cy@desk")], MAKER, own=False, now=NOW)
    assert (counted, refused) == (["bob (deploy@ctl)", "cy@desk"], [])


def test_what_expired_was_revoked_or_comes_from_the_maker_does_not_count() -> None:
    given = [approval("bob (x@y)", expires=0), approval("cy (x@y)", revoked=True), approval("ann (root@desk)")]
    counted, refused = standing(given, MAKER, own=False, now=NOW)
    assert counted == []
    assert refused == ["bob (x@y): expired at 2026-11-22 12:00:00 UTC", "cy (x@y): revoked at 2026-11-22 12:00:00 UTC", "ann (root@desk): made the plan"]


def test_the_maker_counts_where_that_is_allowed() -> None:
    assert standing([approval("ann (root@desk)")], MAKER, own=True, now=NOW) == (["ann (root@desk)"], [])


def test_enough_approvals_pass() -> None:
    require(0, PLAN, [], [])
    require(2, PLAN, ["bob", "cy"], [])


def test_too_few_are_refused_naming_who_is_there_and_who_does_not_count() -> None:
    with pytest.raises(NotApprovedError) as refusal:
        require(2, PLAN, ["bob"], ["cy: expired at noon"])
    assert refusal.value.code == "NOT_APPROVED"
    assert refusal.value.message == ("Plan abababababab has 1 of the 2 approvals that fraise_approvals asks for by bob. Not counted: cy: expired at noon")
    assert "fraisier.deploy.approve -e plan=abababababab" in refusal.value.hint


def test_a_deployment_without_a_plan_is_told_how_to_get_one() -> None:
    assert "fraisier.deploy.plan" in without_a_plan(1).hint
