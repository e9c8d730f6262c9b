# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What events make of deployments, hosts, steps, checks and releases."""

from __future__ import annotations

import itertools
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Event, Store
from tests.unit.plugins.plugin_utils.store.builders import HEALTHY, Run

ERROR = {"code": "HEALTH_CHECK_FAILED", "category": "INTERNAL", "message": "503 instead of 200"}


def test_a_whole_deployment_leaves_a_whole_record(store: Store) -> None:
    run = Run(store).done(reason="all hosts healthy")
    row = run.row()
    assert (row["status"], row["status_reason"], row["hosts_total"], row["hosts_active"]) == ("success", "all hosts healthy", 3, 3)
    assert {(host["state"], host["version_after"], host["digest"], host["batch"]) for host in row["hosts"]} == {("active", "1.0.0", "sha256:1.0.0", 1)}
    assert [step["step"] for step in row["steps"]] == ["stage", "activate"] * 3
    assert {(step["outcome"], step["changed"], step["attempt"], step["target_version"]) for step in row["steps"]} == {("ok", True, 1, "1.0.0")}
    assert {(check["check_type"], check["status"], check["attempts"], check["duration_seconds"]) for check in row["checks"]} == {("http", "pass", 2, 0.25)}
    assert len(row["checks"]) == 3
    lock = store.read_lock("shop_api", "production")
    assert lock is not None
    assert not lock.held


def test_the_same_events_again_change_nothing(store: Store) -> None:
    run = Run(store)
    events = run.whole()
    assert store.apply(events) == len(events)
    before = run.row()
    assert store.apply(events) == len(events)
    assert store.apply(events[3:7]) == 4
    assert store.apply([events[2], events[2]]) == 1
    assert run.row() == before
    assert store.count_events(run.request.run, "callback") == len(events)


def test_no_events_are_no_work(store: Store) -> None:
    assert store.apply([]) == 0


def test_an_intent_without_outcome_stays_open(store: Store) -> None:
    run = Run(store)
    store.apply(run.step("web1", "activate")[:1])
    step = run.row()["steps"][0]
    assert (step["outcome"], step["finished_at"], step["started_at"] is not None) == (None, None, True)


def test_an_outcome_before_its_intent_makes_the_same_row(store: Store) -> None:
    run = Run(store)
    intent, outcome = run.step("web1", "activate", health=HEALTHY)
    store.apply([outcome])
    store.apply([intent])
    row = run.row()
    step = row["steps"][0]
    assert (len(row["steps"]), step["outcome"], step["batch"], step["started_at"]) == (1, "ok", 1, intent.at)
    assert step["duration_seconds"] == pytest.approx((outcome.at - intent.at).total_seconds())
    assert run.host("web1")["state"] == "active"


@pytest.mark.parametrize(
    ("step", "outcome", "state"),
    [
        ("stage", "ok", "staged"),
        ("stage", "unchanged", "staged"),
        ("stage", "failed", "failed"),
        ("activate", "unchanged", "active"),
        ("activate", "reverted", "reverted"),
        ("activate", "unreachable", "unreachable"),
        ("verify", "failed", "failed"),
        ("verify", "ok", "pending"),
        ("revert", "ok", "undone"),
        ("retire", "ok", "pending"),
        ("inspect", "ok", "pending"),
    ],
)
def test_a_host_is_in_the_state_that_its_last_step_tells(store: Store, step: str, outcome: str, state: str) -> None:
    run = Run(store)
    store.apply(run.step("web1", step, outcome))
    assert run.host("web1")["state"] == state


def test_a_host_that_reverted_serves_what_it_served_before_whichever_way_the_provider_reports_it(store: Store) -> None:
    run = Run(store, version="2.0.0")
    store.apply(run.step("web1", "activate", "reverted", release={"version": "2.0.0", "previous": "1.0.0"}, error=ERROR))
    store.apply(run.step("web2", "activate", "reverted", release={"version": "1.0.0", "previous": "0.9.0"}, error=ERROR))
    for name in ("web1", "web2"):
        host = run.host(name)
        assert (host["state"], host["version_after"], host["error_code"], host["error_message"]) == (
            "reverted",
            "1.0.0",
            "HEALTH_CHECK_FAILED",
            "503 instead of 200",
        )


def test_what_a_provider_says_is_live_is_what_the_host_serves(store: Store) -> None:
    run = Run(store, version="2.0.0")
    store.apply(run.step("web1", "stage", release={"version": "2.0.0", "current": "1.0.0", "previous": "1.0.0"}))
    assert (run.host("web1")["version_before"], run.host("web1")["version_after"]) == ("1.0.0", None)
    store.apply(run.step("web1", "activate", release={"version": "2.0.0", "current": "2.0.0", "previous": "1.0.0"}))
    assert run.host("web1")["version_after"] == "2.0.0"
    store.apply(run.step("web1", "activate", "failed", release={"version": "2.0.0", "current": "1.0.0", "previous": None}, error=ERROR))
    assert run.host("web1")["version_after"] == "1.0.0"
    store.apply(run.step("web1", "inspect", release={"version": None, "current": None, "previous": None}))
    assert run.host("web1")["version_after"] is None


def test_an_undone_host_keeps_the_error_that_led_to_it(store: Store) -> None:
    run = Run(store, version="2.0.0")
    store.apply(run.step("web1", "activate", release={"version": "2.0.0", "previous": "1.0.0"}))
    store.apply(run.step("web1", "verify", "failed", error=ERROR))
    store.apply(run.step("web1", "revert", version="1.0.0"))
    host = run.host("web1")
    assert (host["state"], host["version_before"], host["version_after"], host["error_code"]) == ("undone", "1.0.0", "1.0.0", "HEALTH_CHECK_FAILED")


def test_a_second_attempt_that_works_clears_the_error_of_the_first(store: Store) -> None:
    run = Run(store)
    store.apply(run.step("web1", "activate", "failed", error=ERROR))
    store.apply(run.step("web1", "activate"))
    host = run.host("web1")
    assert (host["state"], host["error_code"], host["error_message"]) == ("active", None, None)
    assert [step["outcome"] for step in run.row()["steps"]] == ["failed", "ok"]


def test_news_that_come_late_do_not_overwrite_newer_ones(store: Store) -> None:
    run = Run(store)
    old = run.step("web1", "stage")
    new = run.step("web1", "activate", release={"version": "1.0.0", "previous": "0.9.0"})
    store.apply(new)
    store.apply(old)
    host = run.host("web1")
    assert (host["state"], host["version_before"], host["observed_at"]) == ("active", "0.9.0", new[1].at)


def test_every_order_of_arrival_gives_the_same_rows(store: Store) -> None:
    seen = []
    for number, order in enumerate(itertools.permutations(range(4))):
        run = Run(store, fraise=f"f{number}")
        events = run.step("web1", "stage", step_id="s") + run.step("web1", "activate", step_id="a", release={"version": "1.0.0", "previous": "0.9.0"})
        for position in order:
            store.apply([events[position]])
        host, row = run.host("web1"), run.row()
        steps = sorted((step["step_id"], step["outcome"], step["attempt"], step["duration_seconds"] is not None) for step in row["steps"])
        seen.append((host["state"], host["version_before"], host["version_after"], steps))
    assert seen == [seen[0]] * 24
    assert seen[0] == ("active", "0.9.0", "1.0.0", [("a", "ok", 1, True), ("s", "ok", 1, True)])


def test_an_outcome_after_the_closing_still_counts(store: Store) -> None:
    run = Run(store)
    store.apply([run.closing("failed")])
    store.apply(run.step("web1", "activate"))
    assert run.host("web1")["state"] == "active"
    assert run.row()["status"] == "failed"


def test_a_host_that_was_not_announced_gets_its_row(store: Store) -> None:
    run = Run(store)
    store.apply(run.step("web9", "stage"))
    assert run.host("web9")["state"] == "staged"


def test_a_closing_carries_the_error_and_its_own_time(store: Store) -> None:
    run = Run(store)
    finished = run.opened.lease.acquired_at + timedelta(seconds=61.5)
    store.apply([run.closing("rolled_back", reason="2 of 3 hosts unhealthy", error=ERROR, finished_at=finished.isoformat())])
    row = run.row()
    assert (row["status"], row["error_code"], row["error_category"], row["error_message"]) == (
        "rolled_back",
        "HEALTH_CHECK_FAILED",
        "INTERNAL",
        ERROR["message"],
    )
    assert (row["error"], row["finished_at"], row["duration_seconds"]) == (ERROR, finished, 61.5)


def test_a_deployment_ends_once(store: Store) -> None:
    run = Run(store)
    store.apply([run.closing("failed")])
    store.apply([run.closing("success")])
    store.apply([run.event("deployment.interrupted", reason="late")])
    assert run.row()["status"] == "failed"


def test_an_interrupted_deployment_keeps_its_lock_until_the_lease_ends(store: Store) -> None:
    run = Run(store, lease_seconds=20)
    store.apply([run.event("deployment.interrupted", reason="the controller was killed")])
    row, lock = run.row(), store.read_lock("shop_api", "production")
    assert (row["status"], row["status_reason"]) == ("interrupted", "the controller was killed")
    assert row["duration_seconds"] is not None
    assert lock is not None
    assert lock.held


def test_the_word_of_the_run_itself_corrects_what_others_concluded(store: Store) -> None:
    run = Run(store, lease_seconds=0.01)
    time.sleep(0.02)
    heir = Run(store)
    assert run.row()["status"] == "interrupted"
    store.apply([run.closing("success")])
    assert run.row()["status"] == "success"
    lock = store.read_lock("shop_api", "production")
    assert lock is not None
    assert (lock.held, lock.owner) == (True, heir.request.owner)


def test_a_status_nobody_knows_is_a_failure_that_says_so(store: Store) -> None:
    run = Run(store)
    store.apply([run.closing("splendid")])
    assert run.row()["status"] == "failed"
    assert "splendid" in run.row()["status_reason"]


def test_types_of_later_versions_are_kept_as_events(store: Store) -> None:
    run = Run(store)
    assert store.apply([run.event("canary.analysed", verdict="pass"), run.event("gate.decided", gate="shift", decision="next")]) == 2


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"step_id": 7, "step": ["x"], "outcome": {"a": 1}, "release": "1.0", "health": [], "error": "bad", "timings": 3, "attempt": "first", "batch": 1e99},
        {"step_id": "s", "step": "activate", "outcome": "ok", "health": {"checks": [None, 3, {"ok": "yes", "attempts": 2**40}]}, "release": {"version": 12}},
        {"step_id": "s" * 500, "step": "x" * 500, "outcome": "y" * 500, "error": {"code": "C" * 500, "message": "m" * 100_000}},
        {"status": None, "finished_at": "yesterday", "token": "many", "error": []},
        {"nul": "a\x00b", "half": "\ud800", "nan": float("nan"), "deep": {"list": [float("inf"), b"bytes"]}},
    ],
)
@pytest.mark.parametrize("kind", ["step.intent", "step.outcome", "deployment.closed", "deployment.interrupted", "task.ok"])
def test_no_content_of_an_event_stands_in_the_way_of_the_others(store: Store, kind: str, data: dict[str, Any]) -> None:
    run = Run(store)
    odd = Event(run.request.run, "callback", 100, datetime.now(UTC), kind, run.opened.id, "web1", data)
    assert store.apply([run.event("playbook.start"), odd, run.event("playbook.end")]) == 3


def test_events_of_a_deployment_that_another_store_has_are_kept(store: Store) -> None:
    stranger = Event(uuid7(), "callback", 1, datetime.now(UTC), "deployment.closed", uuid7(), None, {"status": "success"})
    assert store.apply([stranger]) == 1
    assert store.history() == []


def test_a_release_is_known_once_for_the_whole_fleet(store: Store) -> None:
    Run(store).done()
    Run(store).done()
    Run(store, version="1.1.0").done()
    with sqlite3.connect(str(store._url.database)) as connection:
        rows = connection.execute("SELECT identifier, first_staged_at < last_staged_at FROM tb_release ORDER BY 1").fetchall()
    connection.close()
    assert rows == [("shop_api:1.0.0:sha256:1.0.0", 1), ("shop_api:1.1.0:sha256:1.1.0", 1)]


def test_thousands_of_events_go_in_at_once(store: Store) -> None:
    run = Run(store)
    events = [run.event("task.ok", "web1", number=number) for number in range(3000)]
    assert store.apply(events) == 3000
    assert store.apply(events) == 3000
    assert store.count_events(run.request.run, "callback") == 3000
