# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which deployments may be forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.retention import GOOD_VERSIONS, UNSETTLED, Recorded, may_go

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIMIT = NOW - timedelta(days=100)


def row(number: int, version: str = "", **changes: Any) -> Recorded:
    usual: dict[str, Any] = {"status": "success", "whole": True, "closed": True, "ended_at": NOW - timedelta(days=1000 - number)}
    return Recorded(key=number, identifier=f"shop:prod:{number}", number=number, version=version or f"1.{number}", **(usual | changes))


def going(rows: list[Recorded], **changes: Any) -> list[int]:
    limits: dict[str, Any] = {"before": LIMIT, "keep": 1}
    return [found.number for found in may_go(rows, **(limits | changes))]


def test_old_successes_go_but_for_the_last_good_versions() -> None:
    assert going([row(number) for number in range(1, 11)]) == list(range(1, 11 - GOOD_VERSIONS))


def test_the_newest_stay_however_old() -> None:
    assert going([row(number) for number in range(1, 11)], keep=8) == [1, 2]
    assert going([row(number) for number in range(1, 11)], keep=50) == []


def test_what_is_young_stays() -> None:
    assert going([row(number, ended_at=LIMIT) for number in range(1, 11)]) == []


def test_nothing_of_nothing() -> None:
    assert going([]) == []


def test_what_is_open_or_pinned_stays() -> None:
    rows = [row(1, status="in_progress", closed=False), *(row(number) for number in range(2, 11))]
    assert going(rows, pinned={3}) == [2, 4, 5, 6, 7]


def test_all_that_came_after_the_last_good_one_stays() -> None:
    rows = [*(row(number) for number in range(1, 6)), *(row(number, status="interrupted") for number in range(6, 20))]
    assert going(rows) == [1, 2]


def test_without_any_success_a_recovery_still_finds_the_newest() -> None:
    rows = [row(number, status="interrupted") for number in range(1, UNSETTLED + 4)]
    assert going(rows) == [1, 2, 3]


def test_a_quarantined_version_is_no_target_of_a_rollback() -> None:
    rows = [row(number) for number in range(1, 8)]
    assert going(rows, quarantined={"1.6"}) == [1, 2, 3]


def test_successes_of_a_part_with_a_kept_version_stay_for_they_tell_that_it_reached_every_host() -> None:
    rows = [row(1, "1.9"), row(2, "1.9", whole=False), row(3), row(4), *(row(number) for number in range(8, 11))]
    assert going(rows) == [3, 4]


def test_whatever_is_recorded_the_last_good_and_the_one_before_it_stay() -> None:
    for statuses in product(("success", "failed", "rolled_back"), repeat=6):
        rows = [row(number, f"1.{number // 2}", status=status) for number, status in enumerate(statuses, start=1)]
        gone = set(going(rows))
        good = [found for found in reversed(rows) if found.good]
        earlier = [found for found in good if found.version != good[0].version]
        assert not gone & {found.number for found in [*good[:1], *earlier[:1]]}
        assert rows[-1].number not in gone
