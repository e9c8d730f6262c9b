# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts owe: made by a success that left them behind, settled by one that reaches them, whatever order the news comes in."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Event, Store, tables
from tests.unit.plugins.plugin_utils.store.builders import Run

WHY = "unreachable: PROVIDER_CONNECTION_ERROR no route to host"


def ended(run: Run, away: tuple[str, ...] = (), status: str = "success") -> list[Event]:
    """The events of a deployment that reached all of its hosts but those that were away."""
    version = run.request.version
    events: list[Event] = []
    for host in run.request.hosts:
        if host in away:
            events += run.step(host, "stage", "unreachable", release=None, error={"code": "PROVIDER_CONNECTION_ERROR"})
        else:
            events += run.step(host, "activate", release={"version": version, "previous": None, "digest": f"sha256:{version}"})
    reached = [host for host in run.request.hosts if host not in away]
    return [*events, run.closing(status, owed=dict.fromkeys(away, WHY), reached=reached)]


def deployed(store: Store, version: str, *away: str, status: str = "success", **request: Any) -> Run:
    run = Run(store, version=version, **request)
    store.apply(ended(run, away, status))
    return run


def owed(store: Store) -> dict[str, str]:
    return {row["host"]: row["version"] for row in store.owed_hosts("shop_api", "production")}


def settled(store: Store) -> list[tuple[str, str, str]]:
    debt = tables.owed_host
    with store._engine.connect() as connection:
        query = select(debt.c.host, debt.c.version, debt.c.settled_by).where(debt.c.settled_at.is_not(None)).order_by(debt.c.pk_owed_host)
        return [(row.host, row.version, row.settled_by) for row in connection.execute(query)]


def gauges(store: Store) -> tuple[int, int]:
    """(owed hosts, mixed fleet) of the one pair."""
    figures = store.metrics_rows()
    (owing,), (mixed,) = figures["owed_hosts"], figures["mixed_fleet"]
    assert {owing["fraise"], mixed["fraise"], owing["environment"], mixed["environment"]} == {"shop_api", "production"}
    return owing["value"], mixed["value"]


def test_a_host_that_was_left_out_of_a_success_owes_its_version(store: Store) -> None:
    deployed(store, "1.0.0")
    assert (owed(store), gauges(store)) == ({}, (0, 0))
    run = deployed(store, "1.1.0", "web2")
    (row,) = store.owed_hosts("shop_api")
    assert {name: row[name] for name in ("fraise", "environment", "host", "version", "reason", "deployment")} == {
        "fraise": "shop_api",
        "environment": "production",
        "host": "web2",
        "version": "1.1.0",
        "reason": WHY,
        "deployment": run.opened.identifier,
    }
    assert gauges(store) == (1, 1)


def test_an_end_that_is_no_success_makes_and_settles_no_debt(store: Store) -> None:
    deployed(store, "1.0.0", "web3")
    for status in ("failed", "rolled_back", "rollback_failed", "aborted", "interrupted"):
        deployed(store, "1.1.0", "web2", status=status)
        assert owed(store) == {"web3": "1.0.0"}, status


def test_catching_up_settles_the_debt_and_says_by_what(store: Store) -> None:
    deployed(store, "1.0.0")
    deployed(store, "1.1.0", "web2", "web3")
    run = deployed(store, "1.1.0", "web3", kind="catchup", scope="part", hosts=["web2", "web3"])
    assert owed(store) == {"web3": "1.1.0"}
    assert settled(store) == [("web2", "1.1.0", run.opened.identifier)]
    assert gauges(store) == (1, 1)
    deployed(store, "1.1.0", kind="catchup", scope="part", hosts=["web3"])
    assert (owed(store), gauges(store)) == ({}, (0, 0))


def test_a_later_deployment_or_rollback_that_reaches_the_host_settles_its_debt(store: Store) -> None:
    deployed(store, "1.0.0")
    deployed(store, "1.1.0", "web2")
    deployed(store, "1.2.0")
    assert (owed(store), gauges(store)) == ({}, (0, 0))
    deployed(store, "1.3.0", "web2")
    deployed(store, "1.2.0", kind="rollback")
    assert (owed(store), gauges(store)) == ({}, (0, 0))
    assert [row[:2] for row in settled(store)] == [("web2", "1.1.0"), ("web2", "1.3.0")]


def test_left_out_again_the_host_owes_the_newer_version_and_since_the_same_moment(store: Store) -> None:
    deployed(store, "1.0.0")
    deployed(store, "1.1.0", "web2")
    (before,) = store.owed_hosts("shop_api")
    run = deployed(store, "1.2.0", "web2")
    (after,) = store.owed_hosts("shop_api")
    assert (after["version"], after["deployment"], after["since"]) == ("1.2.0", run.opened.identifier, before["since"])
    assert settled(store) == []


def test_a_part_that_is_brought_to_a_version_of_its_own_owes_and_settles_nothing(store: Store) -> None:
    deployed(store, "1.0.0")
    deployed(store, "1.1.0", "web2")
    deployed(store, "2.0.0", "web3", scope="part", hosts=["web2", "web3"])
    assert owed(store) == {"web2": "1.1.0"}
    assert gauges(store) == (1, 1)


def test_a_part_that_is_brought_to_what_the_fleet_has_settles(store: Store) -> None:
    deployed(store, "1.0.0")
    deployed(store, "1.1.0", "web2")
    deployed(store, "1.1.0", scope="part", hosts=["web2"])
    assert owed(store) == {}


def test_a_host_that_left_the_inventory_owes_nothing_once_the_whole_fleet_was_deployed_to(store: Store) -> None:
    deployed(store, "1.0.0")
    deployed(store, "1.1.0", "web3")
    run = deployed(store, "1.2.0", hosts=["web1", "web2"])
    assert (owed(store), gauges(store)) == ({}, (0, 0)), "a host that is gone mixes no fleet"
    assert settled(store) == [("web3", "1.1.0", f"{run.opened.identifier}: no longer in the inventory")]


def test_the_same_end_twice_makes_one_debt(store: Store) -> None:
    run = Run(store, version="1.1.0")
    events = ended(run, ("web2",))
    store.apply(events)
    store.apply(events)
    assert len(store.owed_hosts()) == 1


def test_an_end_that_comes_late_changes_nothing_that_a_later_deployment_said(store: Store) -> None:
    deployed(store, "1.0.0")
    late = Run(store, version="1.1.0", lease_seconds=0.01)
    kept = ended(late, ("web2",))
    while store.read_lock("shop_api", "production").held:  # type: ignore[union-attr]
        pass
    deployed(store, "1.2.0", "web3")
    store.apply(kept)
    assert late.row()["status"] == "success"
    assert owed(store) == {"web3": "1.2.0"}


def test_an_end_that_comes_after_the_catching_up_leaves_no_debt(store: Store) -> None:
    late = Run(store, version="1.1.0", lease_seconds=0.01)
    kept = ended(late, ("web2",))
    while store.read_lock("shop_api", "production").held:  # type: ignore[union-attr]
        pass
    deployed(store, "1.1.0", scope="part", hosts=["web2"])
    store.apply(kept)
    assert owed(store) == {}


@pytest.mark.parametrize("odd", [{"owed": ["web1"]}, {"owed": None, "reached": "web1"}, {"owed": {"w" * 999: 7}, "reached": [None, 3]}])
def test_no_content_of_an_end_stands_in_its_way(store: Store, odd: dict[str, Any]) -> None:
    run = Run(store)
    store.apply([run.closing("success", **odd)])
    assert run.row()["status"] == "success"


def test_each_fraise_and_environment_has_debts_of_its_own(store: Store) -> None:
    deployed(store, "1.0.0", "web1")
    deployed(store, "1.0.0", "web2", environment="staging")
    deployed(store, "1.0.0", "web3", fraise="mailer")
    assert [(row["fraise"], row["environment"], row["host"]) for row in store.owed_hosts()] == [
        ("mailer", "production", "web3"),
        ("shop_api", "production", "web1"),
        ("shop_api", "staging", "web2"),
    ]
    assert [row["host"] for row in store.owed_hosts(environment="staging")] == ["web2"]
    assert {row["value"] for row in store.metrics_rows()["owed_hosts"]} == {1}


def test_the_fleet_has_what_the_last_success_of_all_hosts_brought(store: Store) -> None:
    assert store.last_good("shop_api", "production") is None
    deployed(store, "1.0.0")
    run = deployed(store, "1.1.0", "web2")
    deployed(store, "2.0.0", scope="part", hosts=["web1"])
    deployed(store, "3.0.0", status="rolled_back")
    good = store.last_good("shop_api", "production")
    assert good is not None
    assert (good.version, good.digest, good.deployment) == ("1.1.0", "sha256:1.1.0", run.opened.identifier)


def test_recorded_versions_are_those_that_hosts_were_last_heard_to_serve(store: Store) -> None:
    assert store.recorded_versions("shop_api", "production") == {}
    deployed(store, "1.0.0")
    deployed(store, "1.1.0", "web2", "web4", hosts=["web1", "web2", "web3", "web4"])
    assert store.recorded_versions("shop_api", "production") == {"web1": "1.1.0", "web2": "1.0.0", "web3": "1.1.0", "web4": None}


def test_a_scope_is_kept_and_none_but_the_two_is_taken(store: Store) -> None:
    deployed(store, "1.0.0")
    deployed(store, "1.0.0", scope="part")
    assert [row["scope"] for row in store.history()] == ["part", "whole"]
    with pytest.raises(ValidationError, match="whole or part"):
        Run(store, scope="half")
