# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forgetting old deployments: what is needed stays, counters do not shrink, numbers go on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.plans import plan_hash
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import ApprovalRequest, PlanRequest, PlanUse, Store, tables
from tests.unit.plugins.plugin_utils.store.builders import Run

LIMITS = {"keep_days": 30, "keep": 1, "run": "prune-run", "by": "ada@controller"}


def age(store: Store, days: int) -> None:
    """Everything that is in the store now happened ``days`` days ago."""
    moment = store.now() - timedelta(days=days)

    def work(connection: Any) -> None:
        connection.execute(update(tables.deployment).values(started_at=moment, finished_at=moment))
        connection.execute(update(tables.event).values(at=moment))

    store._transactions.write("making it old", work)


def count(store: Store, table: Any) -> int:
    return int(store._transactions.read("counting", lambda connection: connection.execute(select(func.count()).select_from(table)).scalar_one()))


def deployed(store: Store, versions: int, major: int = 1) -> list[Run]:
    return [Run(store, version=f"{major}.{number}").done() for number in range(versions)]


def figures(store: Store) -> dict[str, Any]:
    return {name: sorted(map(repr, (sorted(row.items()) for row in rows))) for name, rows in store.metrics_rows().items()}


def test_old_deployments_go_with_all_that_hangs_on_them_and_the_counters_stay(store: Store) -> None:
    runs = [*deployed(store, 4), Run(store, version="1.x").done("failed", error={"code": "HEALTH_CHECK_FAILED", "message": "no"}), *deployed(store, 4, major=2)]
    age(store, 100)
    before = figures(store)
    status = store.status()[0]["version"], store.fleet()
    answer = store.retention.prune(**LIMITS)
    gone = answer["deployments"]
    assert gone == [runs[number].opened.identifier for number in range(len(gone))]
    assert len(gone) == 6
    assert figures(store) == before
    assert (store.status()[0]["version"], store.fleet()) == status
    assert count(store, tables.deployment) == len(runs) - len(gone)
    assert store.check()["ok"]
    assert Run(store, version="2.0").opened.number == len(runs) + 1


def test_pruning_again_forgets_no_more_and_counts_nothing_twice(store: Store) -> None:
    deployed(store, 8)
    age(store, 100)
    before = figures(store)
    first = store.retention.prune(**LIMITS)
    second = store.retention.prune(**LIMITS)
    assert (len(first["deployments"]), second["deployments"], second["events"]) == (5, [], 0)
    deployed(store, 3)
    age(store, 100)
    grown = figures(store)
    third = store.retention.prune(**LIMITS)
    assert third["deployments"]
    assert figures(store) == grown != before


def test_check_mode_says_what_would_go_and_keeps_it(store: Store) -> None:
    deployed(store, 8)
    age(store, 100)
    rows, events = count(store, tables.deployment), count(store, tables.event)
    would = store.retention.prune(**LIMITS, check=True)
    assert (count(store, tables.deployment), count(store, tables.event)) == (rows, events)
    done = store.retention.prune(**LIMITS)
    assert (would["deployments"], would["events"]) == (done["deployments"], done["events"])


def test_open_and_young_deployments_stay(store: Store) -> None:
    deployed(store, 8)
    assert store.retention.prune(**LIMITS)["deployments"] == []
    opened = Run(store, fraise="other", version="3.0")
    age(store, 100)
    store.retention.prune(**LIMITS)
    assert opened.row()["status"] == "in_progress"


def test_the_last_good_one_and_the_target_of_a_rollback_stay(store: Store) -> None:
    deployed(store, 8)
    age(store, 100)
    last, earlier = store.last_good("shop_api", "production"), store.last_good("shop_api", "production", before="1.7")
    store.retention.prune(**LIMITS)
    assert store.last_good("shop_api", "production") == last
    assert store.last_good("shop_api", "production", before="1.7") == earlier


def test_a_deployment_that_put_a_release_into_quarantine_stays_until_it_is_let_out(store: Store) -> None:
    runs = deployed(store, 8)

    def banish(connection: Any) -> None:
        row = connection.execute(select(tables.deployment).where(tables.deployment.c.identifier == runs[0].opened.identifier)).one()
        keys = {"fk_fraise": row.fk_fraise, "fk_environment": row.fk_environment, "fk_deployment": row.pk_deployment}
        values = {"id": uuid7(), "identifier": "q", "version": "1.0", "reason": "bad", "placed_at": store.now()}
        connection.execute(tables.quarantine.insert().values(**keys, **values))

    store._transactions.write("banishing", banish)
    age(store, 100)
    assert runs[0].opened.identifier not in store.retention.prune(**LIMITS)["deployments"]
    lifted = update(tables.quarantine).values(lifted_at=store.now())
    store._transactions.write("lifting", lambda connection: connection.execute(lifted))
    assert store.retention.prune(**LIMITS)["deployments"] == [runs[0].opened.identifier]


def test_a_host_that_later_deployments_left_out_is_still_known(store: Store) -> None:
    Run(store, version="1.0", hosts=["web1", "web9"]).done()
    for number in range(1, 8):
        Run(store, version=f"1.{number}", hosts=["web1"]).done()
    age(store, 100)
    store.retention.prune(**LIMITS)
    assert store.recorded_versions("shop_api", "production") == {"web1": "1.7", "web9": "1.0"}


@pytest.mark.parametrize("wrong", [{"keep_days": 0}, {"keep_days": -3}, {"keep_days": 10**9}, {"keep": 0}])
def test_limits_that_would_forget_too_much_are_refused(store: Store, wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match="keep"):
        store.retention.prune(**(LIMITS | wrong))


def planned(store: Store, number: int) -> str:
    """A plan that was made a hundred days ago; its hash."""
    document = {"format": 1, "number": number}
    request = PlanRequest(plan_hash(document), document, "shop_api", "api", "production", "2.0", None, "", "ann@ctl", f"run-{number}")
    name = str(store.plans.make(request)["hash"])
    moment = store.now() - timedelta(days=100)
    store._transactions.write("making it old", lambda connection: connection.execute(update(tables.plan).values(made_at=moment)))
    return name


def test_a_plan_stays_while_it_may_be_applied_and_goes_when_nobody_will(store: Store) -> None:
    waiting, forgotten, applied = planned(store, 1), planned(store, 2), planned(store, 3)
    store.plans.approve(ApprovalRequest(waiting, "bob@ctl", "run-9", "", 3600))
    store.plans.approve(ApprovalRequest(forgotten, "bob@ctl", "run-9", "", 0.001))
    old = Run(store, version="0.9", applies=PlanUse(applied, 0, own=True)).done()
    deployed(store, 8)
    age(store, 100)
    would = store.retention.prune(**LIMITS, check=True)
    done = store.retention.prune(**LIMITS)
    assert old.opened.identifier in done["deployments"]
    assert done["plans"] == 2
    assert [plan["hash"] for plan in store.plans.latest(None, None, 10)] == [waiting]
    assert len(store.plans.find(waiting)["approvals"]) == 1
    kept = select(func.count()).select_from(tables.event).where(tables.event.c.type.in_(("plan.made", "operator.approve")))
    assert store._transactions.read("counting", lambda connection: connection.execute(kept).scalar_one()) == 2
    assert {**would, "before": None, "check": None} == {**done, "before": None, "check": None}


def test_a_plan_that_was_never_applied_stays_a_month_whatever_the_limit(store: Store) -> None:
    name = planned(store, 1)
    moment = store.now() - timedelta(days=20)
    store._transactions.write("making it younger", lambda connection: connection.execute(update(tables.plan).values(made_at=moment)))
    assert store.retention.prune(**(LIMITS | {"keep_days": 1}))["plans"] == 0
    assert store.plans.find(name)["hash"] == name
