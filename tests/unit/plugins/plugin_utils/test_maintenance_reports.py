# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check of the store tells a person."""

from __future__ import annotations

from typing import Any

from ansible_collections.fraisier.deploy.plugins.plugin_utils.maintenance_reports import check_report

WELL: dict[str, Any] = {
    "dialect": "sqlite",
    "server": "3.40.1",
    "schema": {"current": "0003", "head": "0003"},
    "missing": [],
    "unguarded": [],
    "orphans": 0,
    "stale_deployments": [],
    "clock_skew_seconds": -0.25,
    "database_time": "2026-11-22T11:33:21.5+00:00",
    "rows": {"tb_step": 9, "tb_audit": 40},
    "chain": {"ok": True, "rows": 40},
    "spool": [],
    "findings": [],
}


def test_a_store_in_order() -> None:
    assert check_report(WELL) == [
        "Store: sqlite 3.40.1, schema 0003, newest 0003",
        "  tables and views: all there",
        "  rows without their parent: 0",
        "  clock: 0.25 s behind this controller's, 2026-11-22 11:33:21 UTC",
        "  deployments that nobody works on: none",
        "  audit: whole, 40 rows; its triggers: in place",
        "  events that wait on this controller: none",
        "",
        "TABLE     ROWS",
        "tb_audit  40",
        "tb_step   9",
        "",
        "In order",
    ]


def test_each_finding_comes_last_and_with_its_remedy() -> None:
    chain = {"ok": False, "rows": 4, "problem": {"text": "row 5 is missing"}}
    finding = {"finding": "the audit is not whole at position 5: row 5 is missing", "remedy": "Find out who did it"}
    lines = check_report({**WELL, "chain": chain, "unguarded": ["tr_audit_update"], "spool": ["/x/y.jsonl"], "findings": [finding]})
    assert "  audit: not whole, row 5 is missing, 4 rows; its triggers: gone: tr_audit_update" in lines
    assert "  events that wait on this controller: /x/y.jsonl" in lines
    assert lines[-2:] == ["FINDING: the audit is not whole at position 5: row 5 is missing", "  Remedy: Find out who did it"]


def test_an_empty_store_and_triggers_that_cannot_be_seen() -> None:
    lines = check_report({**WELL, "schema": {"current": None, "head": "0003"}, "missing": ["tb_lock"], "chain": None, "rows": {}})
    assert lines[:2] == ["Store: sqlite 3.40.1, schema none, newest 0003", "  tables and views: missing: tb_lock"]
    assert "  audit: whole, 40 rows; its triggers: not to be seen by this role" in check_report({**WELL, "unguarded": None})
