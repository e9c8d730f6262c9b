# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NoOpenDeploymentError, NotFoundError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import CommandRequest, Store, tables
from tests.unit.plugins.plugin_utils.store.builders import Run


def asked(verb: str = "pause", **changes: Any) -> CommandRequest:
    usual: dict[str, Any] = {"fraise": "shop_api", "environment": "production", "user": "ada (ops@desk)", "run": uuid7(), "reason": "errors on web1"}
    return CommandRequest(**{"verb": verb, **usual, **changes})


def rows(store: Store, table: Any) -> list[Any]:
    with store._engine.connect() as connection:
        return list(connection.execute(select(table)).all())


def events(store: Store, kind: str) -> list[Any]:
    return [row for row in rows(store, tables.event) if row.type == kind]


def test_a_command_is_written_with_who_when_and_why_and_so_is_its_event(store: Store) -> None:
    run = Run(store)
    before = store.now()
    request = asked("abort", argument="leave")
    answer = store.commands.issue(request)
    (row,) = rows(store, tables.command)
    assert (row.id, row.verb, row.argument, row.reason, row.user_name) == (answer["command"], "abort", "leave", "errors on web1", "ada (ops@desk)")
    assert before <= row.issued_at <= store.now()
    (event,) = events(store, "operator.abort")
    assert (event.run, event.deployment, event.at) == (request.run, run.opened.id, row.issued_at)
    assert (event.data["by"], event.data["reason"], event.data["command"]) == ("ada (ops@desk)", "errors on web1", row.id)
    assert answer["deployment"] == run.opened.identifier


def test_a_command_waits_until_the_deployment_has_obeyed_and_the_first_word_stays(store: Store) -> None:
    run = Run(store)
    command = store.commands.issue(asked(expires=600.0))["command"]
    waiting = store.commands.waiting(run.opened.id)
    assert [entry["id"] for entry in waiting["commands"]] == [command]
    assert 590 < (waiting["commands"][0]["expires_at"] - waiting["now"]).total_seconds() <= 600
    assert store.commands.outcome(command) == {"obeyed_at": None, "outcome": None}
    at = datetime.now(UTC)
    store.apply([run.event("command.obeyed", command=command, outcome="paused before batch 2", at=at)])
    store.apply([run.event("command.obeyed", command=command, outcome="something else")])
    assert store.commands.outcome(command) == {"obeyed_at": at, "outcome": "paused before batch 2"}
    assert store.commands.waiting(run.opened.id)["commands"] == []


def test_a_second_pause_is_told_who_paused(store: Store) -> None:
    Run(store)
    store.commands.issue(asked(expires=600.0))
    again = store.commands.issue(asked(user="bob@desk", expires=600.0))
    assert again["command"] is None
    assert "shop_api:production:1 is paused already, by ada (ops@desk) since " in again["already"]
    assert len(rows(store, tables.command)) == len(events(store, "operator.pause")) == 1


def test_a_pause_can_follow_one_that_was_ended(store: Store) -> None:
    Run(store)
    for verb in ("pause", "resume", "pause", "promote", "pause"):
        assert store.commands.issue(asked(verb, expires=600.0 if verb == "pause" else None))["command"], verb


def test_nothing_is_written_when_it_is_only_foreseen(store: Store) -> None:
    Run(store)
    assert store.commands.foresee(asked())["already"] == ""
    assert store.commands.foresee(asked("resume"))["already"] == "shop_api:production:1 is not paused"
    assert rows(store, tables.command) == events(store, "operator.pause") == []


def test_a_command_goes_to_the_deployment_that_is_named(store: Store) -> None:
    Run(store)
    assert store.commands.issue(asked(deployment="shop_api:production:1"))["deployment"] == "shop_api:production:1"
    with pytest.raises(NotFoundError, match="shop_api in production has no deployment shop_api:production:9"):
        store.commands.issue(asked(deployment="shop_api:production:9"))


def test_without_an_open_deployment_the_error_says_how_the_last_one_ended(store: Store) -> None:
    with pytest.raises(NoOpenDeploymentError, match="No deployment of shop_api in production is under way: it was never deployed"):
        store.commands.issue(asked())
    Run(store).done()
    with pytest.raises(NoOpenDeploymentError, match="shop_api:production:1 ended success") as caught:
        store.commands.issue(asked())
    assert "fraisier.deploy.history" in caught.value.hint
    assert rows(store, tables.command) == []


def test_a_deployment_whose_lease_has_ended_is_told_to_have_nobody_who_obeys(store: Store) -> None:
    Run(store, lease_seconds=0.000001)
    with pytest.raises(NoOpenDeploymentError, match="nobody is there to obey"):
        store.commands.issue(asked())


def test_a_command_is_shown_with_its_deployment(store: Store) -> None:
    run = Run(store)
    store.commands.issue(asked("abort", argument="undo"))
    (shown,) = run.row()["commands"]
    assert (shown["verb"], shown["argument"], shown["user_name"], shown["reason"]) == ("abort", "undo", "ada (ops@desk)", "errors on web1")
    assert timedelta(0) <= store.now() - shown["issued_at"] < timedelta(seconds=30)
