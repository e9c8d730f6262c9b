# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debts are the same story on every database."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
from tests.unit.plugins.plugin_utils.store.builders import Run
from tests.unit.plugins.plugin_utils.store.test_debts import WHY, deployed, ended, gauges, owed, settled


def test_debts_are_made_updated_and_settled_alike(store: Store) -> None:
    deployed(store, "1.0.0")
    assert (owed(store), gauges(store)) == ({}, (0, 0))
    first = deployed(store, "1.1.0", "web2", "wéb-🍓", hosts=["web1", "web2", "wéb-🍓"])
    assert owed(store) == {"web2": "1.1.0", "wéb-🍓": "1.1.0"}
    assert {row["reason"] for row in store.owed_hosts()} == {WHY}
    assert gauges(store) == (2, 1)
    since = {row["host"]: row["since"] for row in store.owed_hosts()}
    second = deployed(store, "1.2.0", "web2", hosts=["web1", "web2", "wéb-🍓"])
    (row,) = store.owed_hosts("shop_api", "production")
    assert (row["host"], row["version"], row["deployment"], row["since"]) == ("web2", "1.2.0", second.opened.identifier, since["web2"])
    third = deployed(store, "1.2.0", kind="catchup", scope="part", hosts=["web2"])
    assert settled(store) == [("web2", "1.2.0", third.opened.identifier), ("wéb-🍓", "1.1.0", second.opened.identifier)]
    assert (owed(store), gauges(store)) == ({}, (0, 0))
    assert first.opened.identifier != second.opened.identifier
    good = store.last_good("shop_api", "production")
    assert good is not None
    assert (good.version, good.digest, good.deployment) == ("1.2.0", "sha256:1.2.0", second.opened.identifier)
    assert store.recorded_versions("shop_api", "production") == {"web1": "1.2.0", "web2": "1.2.0", "web3": "1.0.0", "wéb-🍓": "1.2.0"}
    assert store.check()["ok"]


def test_host_names_that_differ_by_case_owe_apart(store: Store) -> None:
    deployed(store, "1.0.0", "WEB", hosts=["web", "WEB"])
    assert owed(store) == {"WEB": "1.0.0"}
    deployed(store, "1.0.0", scope="part", hosts=["web"])
    assert owed(store) == {"WEB": "1.0.0"}


def test_the_same_end_twice_makes_one_debt(store: Store) -> None:
    run = Run(store, version="1.1.0")
    events = ended(run, ("web2",))
    assert store.apply(events) == store.apply([*reversed(events), *events]) == len(events)
    assert len(store.owed_hosts()) == 1
