# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.hold_reports import held_word, hold_lines

AT = datetime(2026, 11, 24, 20, 0, 3, tzinfo=UTC)
HOLD = {
    "identifier": "shop_api:live:undo:7",
    "kind": "undo",
    "fraise": "shop_api",
    "environment": "live",
    "reason": "shop_api:live:7 was undone",
    "placed_by": "shop_api:live:7 of on-call",
    "placed_at": AT,
    "expires_at": None,
}
BAD: dict[str, Any] = {
    "fraise": "shop_api",
    "environment": "live",
    "version": "2.0",
    "digest": f"sha256:{'ab' * 32}",
    "reason": "HEALTH_CHECK_FAILED: 500",
    "placed_at": AT,
    "deployment": "shop_api:live:7",
}


def test_where_nothing_stands_in_the_way_nothing_is_said() -> None:
    assert hold_lines([], []) == []


def test_a_lock_has_a_line_with_who_since_when_why_and_its_name() -> None:
    (blank, line) = hold_lines([HOLD], [])
    assert blank == ""
    assert line == (
        "LOCKED shop_api in live (undo) by shop_api:live:7 of on-call since 2026-11-24 20:00:03 UTC: shop_api:live:7 was undone [shop_api:live:undo:7]"
    )


def test_a_person_s_lock_of_a_whole_environment_says_when_it_ends() -> None:
    whole = {**HOLD, "kind": "person", "fraise": None, "placed_by": "on-call", "expires_at": "2026-11-25T06:00:00+00:00", "reason": "the disks"}
    (_blank, line) = hold_lines([whole], [])
    assert line.startswith("LOCKED all of live by on-call since 2026-11-24 20:00:03 UTC until 2026-11-25 06:00:00 UTC: the disks")


def test_a_quarantine_shows_the_digest_that_it_knows() -> None:
    assert hold_lines([], [BAD])[1:] == [
        "QUARANTINED shop_api 2.0 (sha256:abababababab) in live since 2026-11-24 20:00:03 UTC by shop_api:live:7: HEALTH_CHECK_FAILED: 500"
    ]
    (_blank, line) = hold_lines([], [{**BAD, "digest": None, "deployment": None}])
    assert line == "QUARANTINED shop_api 2.0 in live since 2026-11-24 20:00:03 UTC: HEALTH_CHECK_FAILED: 500"


@pytest.mark.parametrize(
    ("fraise", "environment", "held"),
    [("shop_api", "live", True), (None, "live", True), ("shop_web", "live", False), ("shop_api", "test", False), (None, "test", False)],
)
def test_the_table_of_the_status_points_to_the_lines_of_its_own_locks(fraise: str | None, environment: str, held: bool) -> None:
    word = held_word({"fraise": "shop_api", "environment": "live"}, [{**HOLD, "fraise": fraise, "environment": environment}])
    assert (word is not None) == held
