# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check of the store finds, and what it says helps."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.findings import findings

SCHEMA = {"current": "0002", "head": "0002", "pending": [], "empty": False, "newer": False}
WELL = {"schema": SCHEMA, "missing": [], "unguarded": [], "orphans": 0, "stale_deployments": [], "clock_skew_seconds": 0.1, "spool": []}


def test_a_store_in_order_has_no_findings() -> None:
    assert findings(WELL) == []
    assert findings({**WELL, "clock_skew_seconds": 2.0}) == []


@pytest.mark.parametrize(
    ("wrong", "finding", "remedy"),
    [
        ({"schema": {**SCHEMA, "current": None, "pending": ["0001", "0002"]}, "missing": ["tb_lock"]}, "not there yet, 0002 is needed", "store=migrate"),
        ({"schema": {**SCHEMA, "current": "0009", "newer": True}}, "newer than this collection", "Install"),
        ({"missing": ["v_fleet"]}, "missing: v_fleet", "store -e store=restore -e replace=true -e path="),
        ({"unguarded": ["tr_audit_update"]}, "gone or switched off: tr_audit_update", "store=restore"),
        ({"orphans": 3}, "3 rows whose parent is gone", "store=restore -e replace=true -e path="),
        ({"clock_skew_seconds": 2.1}, "2.1 s ahead of", "NTP"),
        ({"clock_skew_seconds": -7.0}, "7 s behind", "NTP"),
        ({"stale_deployments": ["shop:prod:3"]}, "nobody works on: shop:prod:3", "fraisier.deploy.recover"),
        ({"chain": {"ok": False, "problem": {"position": 7, "kind": "missing", "text": "row 7 is missing"}}}, "position 7: row 7 is missing", "audit"),
        ({"spool": ["/x/y.jsonl"]}, "wait for this store in /x/y.jsonl", "brings them in"),
    ],
)
def test_each_finding_comes_alone_and_with_its_remedy(wrong: dict[str, Any], finding: str, remedy: str) -> None:
    (found,) = findings({**WELL, **wrong})
    assert finding in found["finding"]
    assert remedy in found["remedy"]
