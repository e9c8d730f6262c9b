# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scrape tells of the deployments in a store."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from ansible_collections.fraisier.deploy.monitoring.export.collector import StoreCollector
from ansible_collections.fraisier.deploy.monitoring.export.reading import Reader, Reading
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
from tests.unit.monitoring.exposition import counters, samples, value
from tests.unit.plugins.plugin_utils.store.builders import Run

Scrape = Callable[[], str]

UNHEALTHY = {"code": "HEALTH_CHECK_FAILED", "category": "TIMEOUT", "message": "never answered"}
SICK = {"status": "unhealthy", "checks": [{"type": "http", "target": "http://localhost/health", "ok": False, "attempts": 9, "duration": 4.0, "message": "503"}]}


def lasting(run: Run, seconds: float, status: str = "success", **data: Any) -> Run:
    """The deployment, whole and stored, ended ``seconds`` after it began."""
    return run.done(status, finished_at=(run.row()["started_at"] + timedelta(seconds=seconds)).isoformat(), **data)


def test_ended_deployments_are_counted_with_all_their_labels(store: Store, scrape: Scrape) -> None:
    Run(store, version="1.0.0").done()
    Run(store, version="1.1.0").done()
    Run(store, version="1.2.0").done("rolled_back", error=UNHEALTHY)
    common = {"fraise": "shop_api", "environment": "production", "provider": "bare_metal", "strategy": "rolling", "fraise_type": "api"}
    labels = {key[1]: number for key, number in samples(scrape()).items() if key[0] == "fraisier_deployments_total"}
    assert labels == {
        frozenset({**common, "status": "success"}.items()): 2,
        frozenset({**common, "status": "rolled_back"}.items()): 1,
    }


def test_a_deployment_that_runs_is_active_and_not_counted_yet(store: Store, scrape: Scrape) -> None:
    run = Run(store)
    text = scrape()
    assert value(text, "fraisier_active_deployments", provider="bare_metal") == 1
    with pytest.raises(KeyError):
        value(text, "fraisier_deployments_total")
    run.done()
    text = scrape()
    assert value(text, "fraisier_active_deployments", provider="bare_metal") == 0
    assert value(text, "fraisier_deployments_total", status="success") == 1


def test_durations_fall_into_the_buckets_of_the_contract(store: Store, scrape: Scrape) -> None:
    for number, seconds in enumerate((5, 5.1, 45, 700)):
        lasting(Run(store, version=f"1.{number}.0"), seconds)
    text = scrape()
    name = "fraisier_deployment_duration_seconds"
    buckets = {dict(pairs)["le"]: number for (found, pairs), number in samples(text).items() if found == f"{name}_bucket"}
    assert buckets == {"5.0": 1, "10.0": 2, "30.0": 2, "60.0": 3, "120.0": 3, "300.0": 3, "600.0": 3, "+Inf": 4}
    assert value(text, f"{name}_count", provider="bare_metal", status="success") == 4
    assert value(text, f"{name}_sum", provider="bare_metal", status="success") == pytest.approx(755.1)


def test_an_undo_is_told_by_its_error_code_and_a_rollback_as_the_operators(store: Store, scrape: Scrape) -> None:
    Run(store, version="1.0.0").done()
    Run(store, version="1.1.0").done("rolled_back", error=UNHEALTHY)
    Run(store, version="1.0.0", kind="rollback").done()
    text = scrape()
    reasons = {dict(pairs)["reason"]: number for (name, pairs), number in samples(text).items() if name == "fraisier_rollbacks_total"}
    assert reasons == {"health_check_failed": 1, "operator": 1}
    assert value(text, "fraisier_deployment_errors_total", provider="bare_metal", error_type="health_check_failed") == 1


def test_free_text_never_becomes_a_label(store: Store, scrape: Scrape) -> None:
    for number, code in enumerate(("disk /dev/sda1 full", "x" * 65, "Ärger", "request 4711")):
        Run(store, version=f"1.{number}.0").done("rolled_back", error={"code": code, "message": "x"})
    text = scrape()
    reasons = {dict(pairs)["reason"]: number for (name, pairs), number in samples(text).items() if name == "fraisier_rollbacks_total"}
    assert set(reasons) <= {"other", "x" * 64}
    assert sum(reasons.values()) == 4


def test_health_checks_are_counted_as_passed_or_failed(store: Store, scrape: Scrape) -> None:
    run = Run(store, hosts=["web1"])
    passed = run.step("web1", "stage") + run.step("web1", "activate", health={"checks": [{"type": "tcp", "ok": True, "duration": 0.3}]})
    store.apply([*passed, *run.step("web1", "activate", "reverted", health=SICK), run.closing("rolled_back", error=UNHEALTHY)])
    text = scrape()
    assert value(text, "fraisier_health_checks_total", provider="bare_metal", check_type="tcp", status="pass") == 1
    assert value(text, "fraisier_health_checks_total", provider="bare_metal", check_type="http", status="fail") == 1
    assert value(text, "fraisier_health_check_duration_seconds_bucket", check_type="tcp", le="0.5") == 1
    assert value(text, "fraisier_health_check_duration_seconds_bucket", check_type="tcp", le="0.1") == 0


def test_debts_and_a_mixed_fleet_are_told_for_each_pair_also_when_there_are_none(store: Store, scrape: Scrape) -> None:
    pair = {"fraise": "shop_api", "environment": "production"}
    reached = ["web1", "web2", "web3"]
    Run(store, version="1.0.0").done(reached=reached)
    Run(store, fraise="mailer").done(reached=reached)
    assert [value(scrape(), f"fraisier_{name}", **pair) for name in ("owed_hosts", "mixed_fleet")] == [0, 0]
    run = Run(store, version="1.1.0")
    moved = [event for host in ("web1", "web2") for event in run.step(host, "activate", release={"version": "1.1.0", "previous": "1.0.0"})]
    store.apply([*moved, run.closing(reached=["web1", "web2"], owed={"web3": "unreachable"})])
    text = scrape()
    assert [value(text, f"fraisier_{name}", **pair) for name in ("owed_hosts", "mixed_fleet")] == [1, 1]
    assert [value(text, f"fraisier_{name}", fraise="mailer", environment="production") for name in ("owed_hosts", "mixed_fleet")] == [0, 0]


def test_names_with_any_character_come_through(store: Store, scrape: Scrape) -> None:
    Run(store, fraise='shop "api"\\🍓').done()
    assert value(scrape(), "fraisier_deployments_total", fraise='shop "api"\\🍓') == 1


def test_a_store_without_deployments_is_up_and_tells_no_figures(store: Store, scrape: Scrape) -> None:
    assert {name for name, _labels in samples(scrape())} == {"fraisier_up"}
    assert value(scrape(), "fraisier_up") == 1


def test_two_scrapes_of_one_state_are_equal_to_the_byte(store: Store, scrape: Scrape) -> None:
    for number, fraise in enumerate(("shop_api", "mailer", "archive")):
        Run(store, fraise=fraise, version=f"1.{number}.0").done("success" if number else "failed", **({} if number else {"error": UNHEALTHY}))
    assert scrape() == scrape()


def test_counters_never_go_down_whatever_deployments_come_to(store: Store, scrape: Scrape) -> None:
    before: dict[Any, float] = {}
    for number, status in enumerate(("success", "failed", "rolled_back", "rollback_failed", "aborted", "interrupted", "success")):
        run = Run(store, version=f"1.{number}.0", lease_seconds=0.01)
        events = run.whole(status)
        for part in (events[:4], events[4:], events):
            store.apply(part)
            now = dict(counters(scrape()))
            assert {key: value for key, value in before.items() if now.get(key, -1) < value} == {}
            before = now
    left = Run(store, version="2.0.0", lease_seconds=0.01)
    time.sleep(0.05)
    Run(store, version="2.1.0")
    now = dict(counters(scrape()))
    assert left.row()["status"] == "interrupted"
    assert {key: value for key, value in before.items() if now.get(key, -1) < value} == {}


def test_figures_do_not_depend_on_the_life_of_the_exporter(store: Store, url: str, scrape: Scrape) -> None:
    registry = CollectorRegistry()
    registry.register(StoreCollector(Reader(url, timeout=5.0)))
    Run(store, version="1.0.0").done()
    generate_latest(registry)
    Run(store, version="1.1.0").done()
    assert generate_latest(registry).decode() == scrape()


def test_a_store_that_is_away_gives_up_0_and_nothing_else(scrape: Scrape) -> None:
    text = scrape()
    assert value(text, "fraisier_up") == 0
    assert len(samples(text)) == 1


def test_a_scrape_never_makes_or_changes_a_store(url: str, scrape: Scrape) -> None:
    folder = Path(url.removeprefix("sqlite:///")).parent
    scrape()
    assert not folder.exists()
    with Store.connect(url):
        assert value(scrape(), "fraisier_up") == 0, "a store without a schema has no figures"
        with Store.connect(url) as looked:
            assert looked.schema().empty


def test_trouble_is_logged_once_when_it_begins_and_once_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    readings = [Reading(None, "away"), Reading(None, "away"), Reading(None, "slow"), Reading({}), Reading({})]

    class Readings(Reader):
        def __init__(self) -> None:
            super().__init__("", 1.0)

        def read(self) -> Reading:
            return readings.pop(0)

    collector = StoreCollector(Readings())
    with caplog.at_level(logging.INFO, logger="fraisier.exporter"):
        for _ in range(5):
            list(collector.collect())
    assert [record.message for record in caplog.records] == ["away", "slow", "The store answers again"]
