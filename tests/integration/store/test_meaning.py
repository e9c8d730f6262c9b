# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same values mean the same on all three databases."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError, OperationalError

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DeploymentLockedError, LeaseLostError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Event, Store, plain, tables
from tests.unit.plugins.plugin_utils.store.builders import HEALTHY, Run, request

MOMENTS = [
    datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 10, 25, 2, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2))),
    datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=-9, minutes=-30))),
    datetime(2038, 1, 19, 3, 14, 8, 0, tzinfo=UTC),
    datetime(8999, 12, 31, 23, 0, 0, 500001, tzinfo=UTC),
]
ERROR = {"code": "HEALTH_CHECK_FAILED", "category": "INTERNAL", "message": "503"}


def _events(store: Store, run: Run) -> list[Any]:
    event = tables.event
    with store._engine.connect() as connection:
        return list(connection.execute(select(event).where(event.c.run == run.request.run, event.c.source == "callback").order_by(event.c.seq)))


def test_moments_come_back_to_the_microsecond(store: Store) -> None:
    run = Run(store, at=MOMENTS[1])
    store.apply([run.event("tick", at=moment) for moment in MOMENTS])
    assert [row.at for row in _events(store, run)] == MOMENTS
    assert {row.at.utcoffset() for row in _events(store, run)} == {timedelta(0)}
    assert run.row()["requested_at"] == MOMENTS[1]
    store.apply([run.closing(finished_at=MOMENTS[5].isoformat())])
    assert store.history()[0]["finished_at"] == store.status()[0]["deployed_at"] == MOMENTS[5]


def test_the_clock_is_in_utc_and_has_microseconds(store: Store) -> None:
    read = [store.now() for _ in range(20)]
    assert read == sorted(read)
    assert abs((read[0] - datetime.now(UTC)).total_seconds()) < 5
    assert any(moment.microsecond % 1000 for moment in read)


def test_names_differ_by_case_and_accent(store: Store) -> None:
    for fraise in ("shop", "Shop", "SHOP", "shöp", "shop\N{COMBINING DIAERESIS}"):
        assert Run(store, fraise=fraise, environment="prod", hosts=["web", "Web", "WEB"]).opened.number == 1
    assert Run(store, fraise="shop", environment="Prod").opened.number == 1
    assert len(store.history("Shop")) == 1
    assert store.last_good("shop", "prod") is None
    run = Run(store, fraise="other", version="v1").done()
    assert store.last_good("OTHER", "production") is None
    good = store.last_good("other", "production", before="V1")
    assert good is not None
    assert good.deployment == run.opened.identifier


def test_emoji_and_every_script_come_back(store: Store) -> None:
    reason = "🍓 dépannage — 緊急 👩‍💻 \u202eabc"
    run = Run(store, reason=reason, user="Ωλ 🦊", plan={"🍓": ["é", {"深": "い"}]})
    store.apply([run.event("note", "wéb-🍓", text=reason)])
    row = run.row()
    assert (row["reason"], row["user_name"], row["plan"]) == (reason, "Ωλ 🦊", {"🍓": ["é", {"深": "い"}]})
    assert _events(store, run)[0].data == {"text": reason}
    with pytest.raises(DeploymentLockedError, match="緊急"):
        store.open_deployment(request())


def test_long_texts_are_cut_and_never_fail(store: Store) -> None:
    run = Run(store, reason="because " * 10_000, user="u" * 1000, owner_name="o" * 1000)
    check = {"type": "http" * 100, "target": "t" * 100_000, "ok": False, "message": "🍓" * 100_000}
    error = {"code": "E" * 500, "category": "C" * 500, "message": "🍓" * 1_000_000}
    store.apply(run.step("web1", "activate", "failed", error=error, health={"checks": [check]}))
    store.apply([run.closing("failed", reason="r" * 100_000, error=error)])
    row = run.row()
    assert [len(row[name]) for name in ("reason", "status_reason", "error_message")] == [4096] * 3
    assert len(row["hosts"][0]["error_message"]) == len(row["steps"][0]["error_message"]) == len(row["checks"][0]["message"]) == 4096
    assert row["error"]["truncated_bytes"] > 4_000_000


def test_a_big_document_comes_back_and_a_huge_one_keeps_its_start(store: Store) -> None:
    run = Run(store, plan={"steps": [{"host": f"web{number}", "do": "x" * 100} for number in range(5000)]})
    assert len(run.row()["plan"]["steps"]) == 5000
    store.apply([run.event("task.ok", text="y" * 900_000), run.event("task.ok", text="z" * 9_000_000)])
    big, huge = _events(store, run)
    assert len(big.data["text"]) == 900_000
    assert huge.data["truncated_bytes"] > 9_000_000


def test_what_no_database_stores_is_replaced(store: Store) -> None:
    run = Run(store, reason="nul \x00 here")
    store.apply([run.event("task.ok", "h\x00", text="a\x00b\udc80", number=float("nan"), big=2**80)])
    row = _events(store, run)[0]
    assert (row.data["text"], row.data["number"], row.host) == ("a\ufffdb\ufffd", "nan", "h\ufffd")
    assert run.row()["reason"] == "nul \ufffd here"


def test_uniqueness_holds_in_the_database_itself(store: Store) -> None:
    run = Run(store).done()
    now = store.now()
    with store._engine.connect() as connection:
        lock = connection.execute(select(tables.lock)).one()
        host = connection.execute(select(tables.deployment_host)).first()
        deployment = connection.execute(select(tables.deployment)).one()
    assert host is not None
    again: list[tuple[Any, dict[str, Any]]] = [
        (tables.fraise, {"identifier": "shop_api", "type": "api", "created_at": now}),
        (tables.environment, {"identifier": "production", "created_at": now}),
        (tables.lock, {name: lock._mapping[name] for name in ("fk_fraise", "fk_environment", "token", "reason", "last_number")} | {"identifier": "other"}),
        (tables.deployment_host, {"identifier": "other", "fk_deployment": host.fk_deployment, "host": host.host, "state": "pending"}),
        (tables.deployment, {**{name: value for name, value in deployment._mapping.items() if name != "pk_deployment"}, "identifier": "other"}),
        (
            tables.event,
            {"identifier": "x", "run": run.request.run, "source": "callback", "seq": 1, "at": now, "stored_at": now, "type": "t", "data": {}},
        ),
    ]
    for table, row in again:
        with pytest.raises((IntegrityError, OperationalError)), store._engine.begin() as connection:
            connection.execute(insert(table).values(**{**row, "id": uuid7()}))


def test_a_deployment_is_the_same_story_on_every_database(store: Store) -> None:
    Run(store, version="1.0.0").done(duration=12.25)
    undone = Run(store, version="2.0.0")
    events = []
    for host in undone.request.hosts:
        events += undone.step(host, "activate", release={"version": "2.0.0", "previous": "1.0.0"}, health=HEALTHY)
        events += undone.step(host, "revert", version="1.0.0")
    store.apply([*events, undone.closing("rolled_back", reason="unhealthy", error=ERROR, duration=3.5)])
    (status,) = store.status()
    assert (status["version"], status["hosts_on_version"], status["hosts_total"], status["rolled_back_deployments"]) == ("1.0.0", 3, 3, 1)
    assert [(row["identifier"], row["status"], row["duration_seconds"], row["hosts_undone"]) for row in store.history()] == [
        ("shop_api:production:2", "rolled_back", 3.5, 3),
        ("shop_api:production:1", "success", 12.25, 0),
    ]
    assert {(row["host"], row["version"], row["state"]) for row in store.fleet()} == {(f"web{number}", "1.0.0", "undone") for number in (1, 2, 3)}
    good = store.last_good("shop_api", "production")
    assert good is not None
    assert (good.version, good.digest) == ("1.0.0", "sha256:1.0.0")
    figures = store.metrics_rows()
    assert figures["rollbacks"] == [{"provider": "bare_metal", "reason": "health_check_failed", "value": 1}]
    assert figures["health_checks"] == [{"provider": "bare_metal", "check_type": "http", "status": "pass", "value": 6}]
    durations = {row["status"]: (row["count"], row["sum"], row["buckets"][5.0], row["buckets"][30.0]) for row in figures["deployment_durations"]}
    assert durations == {"success": (1, 12.25, 0, 1), "rolled_back": (1, 3.5, 1, 1)}
    plain(store.deployment(undone.opened.id))
    assert {type(value) for rows in figures.values() for row in rows for value in row.values()} <= {str, int, float, dict}
    assert store.check()["ok"]


def test_a_lock_is_lost_inherited_and_given_back_alike(store: Store) -> None:
    dead = Run(store, lease_seconds=0.05)
    lease = store.renew_lease(dead.opened.lease, 0.05)
    assert lease.expires_at > dead.opened.lease.expires_at
    time.sleep(0.06)
    heir = Run(store)
    assert heir.opened.lease.token > lease.token
    assert dead.row()["status"] == "interrupted"
    with pytest.raises(LeaseLostError):
        store.renew_lease(lease, 30)
    assert store.release_lease(lease) is False
    assert store.renew_lease(heir.opened.lease, 30).token == heir.opened.lease.token
    store.apply([heir.closing()])
    lock = store.read_lock("shop_api", "production")
    assert lock is not None
    assert (lock.held, lock.owner) == (False, heir.request.owner)


def test_the_same_events_twice_change_nothing(store: Store) -> None:
    run = Run(store)
    events = run.whole()
    assert store.apply(events) == len(events)
    before = run.row()
    assert store.apply([*reversed(events), *events]) == len(events)
    assert run.row() == before
    stranger = Event(uuid7(), "recorder", 1, store.now(), "deployment.closed", uuid7(), None, {"status": "success"})
    assert store.apply([stranger, stranger]) == 1
