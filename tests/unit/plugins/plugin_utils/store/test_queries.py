# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person and the exporter read."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import event, text

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store, plain
from tests.unit.plugins.plugin_utils.store.builders import Run

ERROR = {"code": "HEALTH_CHECK_FAILED", "category": "INTERNAL", "message": "503"}


def _undone(run: Run) -> Run:
    events = []
    for host in run.request.hosts:
        events += run.step(host, "activate", release={"version": run.request.version, "previous": "1.0.0"})
        events += run.step(host, "revert", version="1.0.0", release={"version": "1.0.0", "previous": run.request.version})
    run.store.apply([*events, run.closing("rolled_back", reason="unhealthy", error=ERROR)])
    return run


def test_the_history_has_the_newest_first_and_can_be_narrowed(store: Store) -> None:
    for fraise, environment in (("a", "x"), ("a", "y"), ("b", "x"), ("a", "x")):
        Run(store, fraise=fraise, environment=environment).done()
    assert [row["identifier"] for row in store.history()] == ["a:x:2", "b:x:1", "a:y:1", "a:x:1"]
    assert [row["identifier"] for row in store.history("a")] == ["a:x:2", "a:y:1", "a:x:1"]
    assert [row["identifier"] for row in store.history("a", "x", limit=1)] == ["a:x:2"]
    assert [row["identifier"] for row in store.history(environment="y")] == ["a:y:1"]
    assert store.history("nobody") == []


def test_the_last_good_is_never_failed_partial_or_undone(store: Store) -> None:
    assert store.last_good("shop_api", "production") is None
    Run(store, version="1.0.0").done()
    Run(store, version="1.1.0").done()
    for version, status in (("1.2.0", "failed"), ("1.3.0", "rolled_back"), ("1.4.0", "aborted"), ("1.5.0", "interrupted"), ("1.6.0", "rollback_failed")):
        Run(store, version=version).done(status)
    Run(store, version="1.7.0")
    good = store.last_good("shop_api", "production")
    assert good is not None
    assert (good.version, good.digest, good.deployment) == ("1.1.0", "sha256:1.1.0", "shop_api:production:2")
    older = store.last_good("shop_api", "production", before="1.1.0")
    assert older is not None
    assert older.version == "1.0.0"
    assert store.last_good("shop_api", "staging") is None


def test_a_rollback_that_worked_is_good(store: Store) -> None:
    Run(store, version="1.0.0").done()
    Run(store, version="1.1.0").done()
    Run(store, version="1.0.0", kind="rollback").done()
    good = store.last_good("shop_api", "production")
    assert good is not None
    assert (good.version, good.deployment) == ("1.0.0", "shop_api:production:3")


def test_status_tells_what_serves_and_what_was_tried(store: Store) -> None:
    Run(store, version="1.0.0").done()
    _undone(Run(store, version="2.0.0"))
    (row,) = store.status()
    assert (row["identifier"], row["version"], row["last_version"], row["last_status"]) == ("shop_api:production", "1.0.0", "2.0.0", "rolled_back")
    assert (row["hosts_total"], row["hosts_on_version"], row["locked"]) == (3, 3, False)
    assert (row["successful_deployments"], row["failed_deployments"], row["rolled_back_deployments"]) == (1, 0, 1)
    running = Run(store, version="2.0.1", lease_seconds=0.3)
    (row,) = store.status("shop_api", "production")
    assert (row["locked"], row["lock_owner_name"], row["last_status"]) == (True, "ada@controller 42", "in_progress")
    assert row["last_deployment"] == running.opened.identifier
    time.sleep(0.31)
    assert store.status()[0]["locked"] is False


def test_a_mixed_fleet_is_seen(store: Store) -> None:
    Run(store, version="1.0.0").done()
    run = Run(store, version="2.0.0")
    store.apply([*run.step("web1", "activate"), run.closing("failed")])
    assert [(row["host"], row["version"], row["deployment"]) for row in store.fleet()] == [
        ("web1", "2.0.0", "shop_api:production:2"),
        ("web2", "1.0.0", "shop_api:production:1"),
        ("web3", "1.0.0", "shop_api:production:1"),
    ]
    assert (store.status()[0]["hosts_total"], store.status()[0]["hosts_on_version"]) == (3, 2)
    assert store.fleet(environment="staging") == []


def test_a_deployment_is_found_by_both_of_its_names(store: Store) -> None:
    run = Run(store).done()
    by_identifier = store.deployment("shop_api:production:1")
    assert by_identifier == store.deployment(run.opened.id)
    assert by_identifier is not None
    assert (len(by_identifier["hosts"]), len(by_identifier["steps"]), len(by_identifier["checks"])) == (3, 6, 3)
    assert plain(by_identifier)["started_at"].endswith("+00:00")
    assert not [name for row in (by_identifier, *by_identifier["hosts"], *by_identifier["steps"]) for name in row if name.startswith(("pk_", "fk_"))]
    assert store.deployment("shop_api:production:99") is None
    assert store.deployment("00000000-0000-7000-8000-000000000000") is None
    assert store.deployment("x" * 36) is None


def test_figures_outlive_the_runs(store: Store) -> None:
    Run(store, version="1.0.0").done(duration=4.5)
    Run(store, version="1.1.0").done(duration=61)
    _undone(Run(store, version="2.0.0"))
    Run(store, version="1.0.0", kind="rollback", provider="docker_compose").done(duration=700)
    Run(store, fraise="other", fraise_type="etl")
    figures: dict[str, Any] = store.metrics_rows()
    assert {(row["fraise"], row["status"], row["provider"], row["fraise_type"], row["strategy"]): row["value"] for row in figures["deployments"]} == {
        ("shop_api", "success", "bare_metal", "api", "rolling"): 2,
        ("shop_api", "rolled_back", "bare_metal", "api", "rolling"): 1,
        ("shop_api", "success", "docker_compose", "api", "rolling"): 1,
    }
    assert {row["provider"]: row["value"] for row in figures["active_deployments"]} == {"bare_metal": 1, "docker_compose": 0}
    assert {(row["provider"], row["reason"]): row["value"] for row in figures["rollbacks"]} == {
        ("bare_metal", "health_check_failed"): 1,
        ("docker_compose", "operator"): 1,
    }
    assert {(row["provider"], row["error_type"]): row["value"] for row in figures["deployment_errors"]} == {("bare_metal", "HEALTH_CHECK_FAILED"): 1}
    durations = {(row["provider"], row["status"]): row for row in figures["deployment_durations"]}
    good = durations["bare_metal", "success"]
    assert (good["count"], good["sum"]) == (2, 65.5)
    assert good["buckets"] == {5.0: 1, 10.0: 1, 30.0: 1, 60.0: 1, 120.0: 2, 300.0: 2, 600.0: 2}
    assert durations["docker_compose", "success"]["buckets"][600.0] == 0
    assert {(row["provider"], row["check_type"], row["status"]): row["value"] for row in figures["health_checks"]} == {
        ("bare_metal", "http", "pass"): 6,
        ("docker_compose", "http", "pass"): 3,
    }
    assert figures["health_check_durations"][0]["buckets"][0.5] == 6


def test_a_store_without_history_has_no_figures(store: Store) -> None:
    assert all(rows == [] for rows in store.metrics_rows().values())


@pytest.mark.parametrize("question", ["last_good", "count_events", "read_lock", "deployment", "apply", "renew_lease"])
def test_what_a_run_asks_is_answered_by_indexes(store: Store, question: str) -> None:
    run = Run(store).done()
    seen: list[tuple[str, Any]] = []
    event.listen(store._engine, "before_cursor_execute", lambda _c, _cur, statement, parameters, _ctx, _many: seen.append((statement, parameters)))
    ask = {
        "last_good": lambda: store.last_good("shop_api", "production"),
        "count_events": lambda: store.count_events(run.request.run, "callback"),
        "read_lock": lambda: store.read_lock("shop_api", "production"),
        "deployment": lambda: store.deployment("shop_api:production:1"),
        "apply": lambda: store.apply([*run.step("web1", "activate"), run.closing()]),
        "renew_lease": lambda: store.release_lease(run.opened.lease),
    }
    ask[question]()
    scanned = set()
    with store._engine.connect() as connection:
        for statement, parameters in [pair for pair in seen if pair[0].startswith(("SELECT", "UPDATE"))]:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters if isinstance(parameters, tuple) else parameters[0])
            scanned |= {f"{row.detail} in {statement}" for row in plan if row.detail.startswith("SCAN tb_") and "USING" not in row.detail}
        connection.execute(text("SELECT 1"))
    # The view counts the hosts of all deployments; all else must come by an index.
    assert {line for line in scanned if "v_deployment_history" not in line} == set()
