# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit: what gets into it, that it stays as it was written, and that every way of changing it is found."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DatabaseError, FraisierError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import CommandRequest, Event, Store
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.chain import GENESIS, chained
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.clock import read_clock
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.notes import note
from tests.unit.plugins.plugin_utils.store.builders import Run
from tests.unit.plugins.plugin_utils.store.tampering import TAMPERINGS, drop_guards, execute, restored, rows

REFUSED = (
    "UPDATE tb_audit SET actor = 'x' WHERE position = 2",
    "UPDATE tb_audit SET body = ''",
    "DELETE FROM tb_audit",
    "DELETE FROM tb_audit WHERE position = 1",
)


@pytest.fixture
def told(store: Store) -> Store:
    """A store with the audit of one deployment, and whole."""
    Run(store).done()
    assert store.audit.verify()["ok"]
    return store


def found(store: Store) -> tuple[int, str]:
    problem = store.audit.verify()["problem"]
    return (problem["position"], problem["kind"]) if problem else (0, "whole")


def test_a_deployment_leaves_its_deeds_in_order_with_who_what_and_where(store: Store) -> None:
    run = Run(store, user="ada")
    run.store.apply([run.event("playbook.started", user="ada", controller="ctl"), run.event("play.started"), run.event("task.ok", "web1", action="ping")])
    run.store.apply([*run.step("web1", "activate"), run.event("gate.decided", go=True), run.closing()])
    written = rows(store)
    assert [(row.position, row.event, row.type) for row in written] == [
        (1, "lock.taken", "lock"),
        (2, "deployment.opened", "deployment"),
        (3, "playbook.started", "system"),
        (4, "step.intent", "deployment"),
        (5, "step.outcome", "deployment"),
        (6, "gate.decided", "deployment"),
        (7, "deployment.closed", "deployment"),
        (8, "lock.released", "lock"),
    ]
    assert {(row.fraise, row.environment, row.deployment) for row in written} == {("shop_api", "production", run.opened.identifier)}
    assert [row.actor for row in written] == ["ada", "ada", "ada@ctl", *["ada"] * 5]
    assert [row.host for row in written] == [None, None, None, "web1", "web1", None, None, None]
    assert json.loads(written[4].body)["data"]["outcome"] == "ok"


def test_each_row_carries_the_hash_of_the_row_before_it(told: Store) -> None:
    before = GENESIS
    for number, row in enumerate(rows(told), start=1):
        assert (row.position, row.previous_hash) == (number, before)
        assert row.hash == chained(before, row.body)
        values = json.loads(row.body)
        assert row.body == json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        before = row.hash
    answer = told.audit.verify()
    assert (answer["position"], answer["hash"], answer["first"]) == (len(rows(told)), before, 1)


def test_a_replayed_event_is_not_audited_again(store: Store) -> None:
    run = Run(store)
    events = run.whole()
    store.apply(events)
    count = len(rows(store))
    assert store.apply([*reversed(events), *events]) == len(events)
    assert len(rows(store)) == count
    assert store.audit.verify()["ok"]


def test_what_an_operator_asks_is_audited_with_the_name(store: Store) -> None:
    Run(store)
    store.commands.issue(CommandRequest("pause", "shop_api", "production", "bob (deploy@ctl)", "run-9", "lunch"))
    row = rows(store)[-1]
    assert (row.event, row.type, row.actor, row.fraise) == ("operator.pause", "operator", "bob (deploy@ctl)", "shop_api")
    assert json.loads(row.body)["data"]["reason"] == "lunch"


def test_a_transaction_that_fails_leaves_nothing_in_the_audit(told: Store) -> None:
    count = len(rows(told))

    def work(connection: Any) -> None:
        note(connection, "run-1", "operator.pause", {"by": "bob"}, read_clock(connection))
        connection.execute(text("SELECT nothing FROM tb_nowhere"))

    with pytest.raises(FraisierError):
        told._transactions.write("failing", work)
    assert told.audit.verify()["ok"]
    assert len(rows(told)) == count


def test_text_of_all_scripts_is_kept_letter_by_letter(store: Store) -> None:
    run = Run(store, user="Ægir 🍓", reason="l\u0000u\ud800cky")
    store.apply([*run.step("wéb-🍓", "stage", error={"message": "bad \x00 \ud83c byte", "code": "X"}), run.closing()])
    assert store.audit.verify()["ok"]


def test_the_database_itself_refuses_to_change_the_audit(told: Store) -> None:
    for statement in REFUSED:
        with pytest.raises(DatabaseError, match="append-only"):
            execute(told, statement)
    assert found(told) == (0, "whole")


def test_whoever_takes_the_guards_away_and_changes_the_audit_is_found(told: Store) -> None:
    last = len(rows(told))
    drop_guards(told)
    restore = restored(told)
    for tamper, (position, kind) in TAMPERINGS.items():
        tamper(told)
        assert found(told) == (position if position > 0 else last + 1 + position, kind), tamper.__name__
        restore()
        assert found(told) == (0, "whole"), tamper.__name__


def test_an_audit_without_rows_is_whole(store: Store) -> None:
    answer = store.audit.verify()
    assert (answer["ok"], answer["rows"], answer["position"], answer["hash"]) == (True, 0, 0, GENESIS)


def test_the_newest_rows_come_first_and_can_be_chosen(told: Store) -> None:
    assert [row["position"] for row in told.audit.latest(3)] == sorted((row.position for row in rows(told)), reverse=True)[:3]
    locks = told.audit.latest(50, type="lock", fraise="shop_api", environment=None)
    assert [row["event"] for row in locks] == ["lock.released", "lock.taken"]
    assert locks[1]["data"]["token"]
    assert told.audit.latest(50, fraise="other") == []


def test_what_belongs_to_no_environment_is_listed_with_each(told: Store) -> None:
    told.apply([Event("run-2", "callback", 1, datetime.now(UTC), "store.restored", None, None, {"by": "on-call"})])
    events = {environment: [row["event"] for row in told.audit.latest(50, environment=environment)] for environment in ("production", "nowhere")}
    assert events["production"][0] == "store.restored"
    assert "lock.taken" in events["production"]
    assert set(events["nowhere"]) == {row["event"] for row in told.audit.latest(50) if row["environment"] is None}
    assert told.audit.latest(50, environment="nowhere", fraise="shop_api") == []
