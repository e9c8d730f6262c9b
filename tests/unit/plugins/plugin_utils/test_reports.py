# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.reports import moment, outcome_lines, plan_lines, report_lines, table

AT = datetime(2026, 11, 22, 11, 33, 21, 217574, tzinfo=UTC)
PLAN = {"version": "2.0", "hosts": ["web1", "web2", "web3"], "batches": [1, 2], "groups": [["web1"], ["web2", "web3"]], "max_failed": 1}
DEPLOYMENT = {"identifier": "shop:test:7", "version": "2.0", "plan": PLAN}
ROW = {
    "identifier": "shop:test:7",
    "kind": "deploy",
    "previous_version": "1.0",
    "version": "2.0",
    "status": "rolled_back",
    "status_reason": "1 of 3 hosts failed",
    "reason": "the sale",
    "started_at": AT,
    "finished_at": AT,
    "duration_seconds": 10.819,
    "user_name": "ann",
    "owner_name": "ann@desk (pid 7)",
}


def staged(current: str | None, *, changed: bool = True) -> dict[str, Any]:
    return {"stage": {"changed": changed, "outcome": "ok" if changed else "unchanged", "release": {"current": current}}}


def test_a_table_is_as_wide_as_its_widest_cells_and_shows_gaps_as_dashes() -> None:
    assert table(("HOST", "VERSION"), [("a-long-name", None), ("b", ""), ("c", 0)]) == [
        "HOST         VERSION",
        "a-long-name  -",
        "b            -",
        "c            0",
    ]


def test_a_table_without_rows_is_its_head() -> None:
    assert table(("HOST", "VERSION"), []) == ["HOST  VERSION"]


def test_a_plan_says_for_each_host_in_its_batch_what_would_run() -> None:
    checks = {"web1": staged("1.0"), "web2": staged("2.0", changed=False), "web3": staged("1.0", changed=False)}
    assert plan_lines(DEPLOYMENT, checks) == [
        "Plan: 2.0 on 3 hosts, batches of 1, 2, hosts that may fail: 1. Nothing was changed.",
        "BATCH  HOST  CURRENT  TARGET  WOULD RUN",
        "1      web1  1.0      2.0     stage, activate, verify, retire old releases",
        "2      web2  2.0      2.0     nothing",
        "2      web3  1.0      2.0     activate, verify, retire old releases",
    ]


def test_a_plan_says_which_hosts_cannot_be_deployed_to_and_which_were_not_asked() -> None:
    away = {"stage": {"outcome": "unreachable", "error": {"message": "no route to host"}}}
    odd = {"stage": {"outcome": "failed", "error": None}}
    lines = plan_lines(DEPLOYMENT, {"web1": away, "web2": odd})
    assert [line.split(None, 4)[-1] for line in lines[2:]] == ["no route to host", "cannot be staged", "not asked"]


def test_an_outcome_says_for_each_host_where_it_was_where_it_is_and_why() -> None:
    error = {"code": "HEALTH_CHECK_FAILED", "message": "status 500,\n  wanted 200"}
    hosts = {
        "web1": {"state": "undone", "before": "1.0", "serving": "2.0", "error": None},
        "web2": {"state": "reverted", "before": None, "serving": None, "error": error},
    }
    answer = {"status": "rolled_back", "reason": "1 of 2 hosts failed", "hosts": hosts, "inspected": {"web1": "1.0"}}
    assert outcome_lines(DEPLOYMENT, answer) == [
        "shop:test:7: 2.0 rolled_back: 1 of 2 hosts failed",
        "HOST  STATE     BEFORE  SERVES  NOTE",
        "web1  undone    1.0     1.0     -",
        "web2  reverted  -       -       HEALTH_CHECK_FAILED: status 500, wanted 200",
    ]


def test_what_a_host_answered_last_outweighs_what_was_recorded_even_when_it_is_nothing() -> None:
    hosts = {"web1": {"state": "undone", "before": None, "serving": "2.0", "error": None}}
    lines = outcome_lines(DEPLOYMENT, {"status": "rolled_back", "reason": "", "hosts": hosts, "inspected": {"web1": None}})
    assert lines[-1].split() == ["web1", "undone", "-", "-", "-"]


def test_the_history_is_a_line_for_each_deployment() -> None:
    assert report_lines("history", [ROW]) == [
        "DEPLOYMENT   KIND    FROM  TO   STATUS       STARTED (UTC)        TOOK    BY   REASON",
        "shop:test:7  deploy  1.0   2.0  rolled_back  2026-11-22 11:33:21  10.8 s  ann  1 of 3 hosts failed",
    ]


def test_the_history_gives_the_user_s_reason_where_the_end_has_none() -> None:
    running = {**ROW, "status": "in_progress", "status_reason": None, "duration_seconds": None}
    assert report_lines("history", [running])[1].split()[-4:] == ["-", "ann", "the", "sale"]


def test_an_empty_store_says_so() -> None:
    assert report_lines("history", []) == ["No deployments in the store"]


def test_a_fleet_is_a_line_for_each_host() -> None:
    lines = report_lines("fleet", [{"fraise": "shop", "environment": "test", "host": "web1", "version": "1.0", "at": "2026-11-22"}])
    assert [line.split() for line in lines] == [["FRAISE", "ENVIRONMENT", "HOST", "VERSION", "SINCE"], ["shop", "test", "web1", "1.0", "2026-11-22"]]


def test_a_deployment_is_told_with_its_hosts_and_steps() -> None:
    hosts = [{"host": "web1", "state": "reverted", "version_before": "1.0", "version_after": "1.0", "error_code": "HEALTH", "error_message": "status 500"}]
    steps = [{"host": "web1", "step": "activate", "outcome": "reverted", "duration_seconds": 4.968123, "error_code": "HEALTH"}]
    assert report_lines("deployment", {**ROW, "hosts": hosts, "steps": steps, "token": 7}) == [
        "shop:test:7: deploy 2.0, before it 1.0: rolled_back: 1 of 3 hosts failed",
        "  Reason: the sale",
        "  By: ann, on ann@desk (pid 7)",
        "  Time (UTC): 2026-11-22 11:33:21 to 2026-11-22 11:33:21, 10.8 s",
        "",
        "HOST  STATE     BEFORE  AFTER  ERROR   MESSAGE",
        "web1  reverted  1.0     1.0    HEALTH  status 500",
        "",
        "HOST  STEP      OUTCOME   TOOK   ERROR",
        "web1  activate  reverted  5.0 s  HEALTH",
    ]


def test_a_deployment_that_applied_a_plan_says_which() -> None:
    assert "  Applies plan: abababababab" in report_lines("deployment", {**ROW, "plan": {"applies": "abababababab"}})


def test_a_deployment_without_hosts_or_an_end_is_told_all_the_same() -> None:
    lines = report_lines("deployment", {"identifier": "shop:test:7", "status": "in_progress", "finished_at": None})
    assert lines[:2] == ["shop:test:7: deployment : in_progress", ""]


PREPARED = "prepared only: no batch was shifted in this run"


def test_a_run_that_was_to_prepare_only_is_not_called_aborted() -> None:
    row = {**ROW, "status": "aborted", "status_reason": PREPARED}
    assert "  prepared only  2026" in report_lines("history", [row])[1]
    assert report_lines("deployment", row)[0] == f"shop:test:7: deploy 2.0, before it 1.0: {PREPARED}"
    assert outcome_lines(DEPLOYMENT, {"status": "aborted", "reason": PREPARED, "hosts": {}, "inspected": {}})[0] == f"shop:test:7: 2.0 {PREPARED}"
    assert "  aborted  " in report_lines("history", [{**row, "status_reason": "aborted by ann: wrong release"}])[1]


@pytest.mark.parametrize(("changed", "says"), [(False, True), (True, False)])
def test_a_success_in_which_nothing_moved_says_that_the_version_is_live_already(changed: bool, says: bool) -> None:
    there = {"state": "active", "before": "2.0", "serving": "2.0", "changed": False, "error": None}
    answer = {"status": "success", "reason": "", "hosts": {"web1": there, "web2": {**there, "changed": changed}}, "inspected": {}}
    assert ("Nothing moved: 2.0 is live on every host of this run already" in outcome_lines(DEPLOYMENT, answer)) == says


SCHEMA = {"dialect": "sqlite", "current": "0001", "head": "0002", "pending": ["0002"]}


@pytest.mark.parametrize(("applied", "line"), [(["0001", "0002"], "Migrated: 0001, 0002"), ([], "Nothing to migrate")])
def test_a_migration_names_what_it_applied(applied: list[str], line: str) -> None:
    assert report_lines("migrate", {"applied": applied, "schema": SCHEMA})[1:] == [line]


def test_sql_is_shown_as_it_is() -> None:
    assert report_lines("sql", {"sql": "BEGIN;\n\nCOMMIT;\n", "dialect": "sqlite"}) == ["BEGIN;", "", "COMMIT;"]


@pytest.mark.parametrize(("value", "text"), [(AT, "2026-11-22 11:33:21"), (AT.isoformat(), "2026-11-22 11:33:21"), (None, ""), ("", "")])
def test_a_moment_is_shown_to_the_second(value: Any, text: str) -> None:
    assert moment(value) == text
