# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that is away is left out within the budget, owed, seen when it comes back, and caught up with: with local hosts whose connection is broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.local_fleet import LocalFleet, free_ports
from tests.e2e.observation import rows

HOSTS = ["web1", "web2", "web3"]
NOWHERE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}
"""Port 9 of loopback: nobody listens there."""


@pytest.fixture
def shop(tmp_path: Path, sqlite_url: str) -> Iterator[LocalFleet]:
    fleet = LocalFleet(tmp_path, HOSTS, sqlite_url, rolling_batches=["100%"])
    for version in ("1.0", "1.1"):
        fleet.release(version)
    assert fleet.controller.deploy("shop_api", "1.0").code == 0
    yield fleet
    fleet.stop()


def change_inventory(shop: LocalFleet, **hosts: dict[str, Any] | None) -> None:
    """Set or (None) take away the connection of hosts; what is not named stays."""
    inventory = yaml.safe_load(shop.controller.inventory.read_text(encoding="utf-8"))
    of_group = inventory["all"]["children"]["shop_api"]["hosts"]
    for host, variables in hosts.items():
        kept = {name: value for name, value in of_group.get(host, {}).items() if name not in NOWHERE}
        of_group[host] = {**kept, **(variables or {})}
    shop.controller.inventory.write_text(yaml.safe_dump(inventory, width=1000), encoding="utf-8")


def owed(shop: LocalFleet) -> dict[str, str]:
    with shop.controller.store() as store:
        return {row["host"]: row["version"] for row in store.owed_hosts("shop_api", "test")}


def test_left_out_owed_seen_and_caught_up_with(shop: LocalFleet) -> None:
    change_inventory(shop, web2=NOWHERE)
    run = shop.controller.deploy("shop_api", "1.1", rolling_max_unreachable="34%")
    assert run.code == 0, run.output
    assert "left out as unreachable: web2" in run.output
    assert "web2 owes 1.1 (unreachable: PROVIDER_CONNECTION_ERROR" in run.output
    assert shop.serving() == {"web1": "1.1", "web2": "1.0", "web3": "1.1"}
    assert (shop.controller.latest()["status"], shop.controller.latest()["scope"]) == ("success", "whole")
    assert owed(shop) == {"web2": "1.1"}

    run = shop.controller.run("catchup", fraise="shop_api")
    assert run.code != 0, "nothing was brought up"
    assert "no host reached 1.1: web2" in run.output
    assert owed(shop) == {"web2": "1.1"}

    change_inventory(shop, web2=None)
    status = shop.controller.run("status", fraise="shop_api").output
    (line,) = [line for line in status.splitlines() if line.startswith("shop_api") and " web2 " in line and "answers" in line]
    assert line.endswith("NO      answers 1.0, the fleet has 1.1"), status
    assert "OWES" in status and "fraisier.deploy.catchup" in status

    run = shop.controller.run("catchup", fraise="shop_api")
    assert run.code == 0, run.output
    assert set(shop.serving().values()) == {"1.1"}
    latest = shop.controller.latest()
    assert (latest["kind"], latest["scope"], latest["version"], [host["host"] for host in latest["hosts"]]) == ("catchup", "part", "1.1", ["web2"])
    assert owed(shop) == {}
    assert "OWES" not in shop.controller.run("status", fraise="shop_api").output

    count = len(shop.controller.history())
    run = shop.controller.run("catchup", fraise="shop_api")
    assert run.code == 0, run.output
    assert "no host of this run owes anything, the fleet has 1.1" in run.output
    assert len(shop.controller.history()) == count


def test_more_than_the_budget_halts_before_anything_moves_and_owes_nothing(shop: LocalFleet) -> None:
    change_inventory(shop, web1=NOWHERE, web2=NOWHERE)
    run = shop.controller.deploy("shop_api", "1.1", rolling_max_unreachable=1)
    assert run.code != 0
    assert shop.controller.latest()["status"] == "failed"
    assert shop.controller.latest()["status_reason"] == "2 of 3 hosts failed (web1, web2), allowed: 0"
    assert set(shop.serving().values()) == {"1.0"}
    assert owed(shop) == {}


def test_catching_up_takes_the_very_content_that_the_fleet_runs_or_nothing(shop: LocalFleet) -> None:
    change_inventory(shop, web2=NOWHERE)
    assert shop.controller.deploy("shop_api", "1.1", rolling_max_unreachable=1).code == 0
    change_inventory(shop, web2=None)
    (shop.archives / "shop-api-1.1.tar.gz").rename(shop.archives / "kept")
    shop.release("1.1", padding=4096)
    run = shop.controller.run("catchup", fraise="shop_api")
    assert run.code != 0
    assert "SHA-256 mismatch" in run.output
    assert shop.serving()["web2"] == "1.0"
    assert owed(shop) == {"web2": "1.1"}
    (shop.archives / "kept").rename(shop.archives / "shop-api-1.1.tar.gz")
    run = shop.controller.run("catchup", fraise="shop_api")
    assert run.code == 0, run.output
    assert set(shop.serving().values()) == {"1.1"}


def test_catching_up_reaches_those_that_are_back_and_keeps_the_debt_of_those_that_are_not(shop: LocalFleet) -> None:
    change_inventory(shop, web1=NOWHERE, web2=NOWHERE)
    assert shop.controller.deploy("shop_api", "1.1", rolling_max_unreachable=2).code == 0
    change_inventory(shop, web1=None)
    run = shop.controller.run("catchup", fraise="shop_api")
    assert run.code == 0, run.output
    assert "web2 owes 1.1" in run.output
    assert owed(shop) == {"web2": "1.1"}
    assert shop.serving() == {"web1": "1.1", "web2": "1.0", "web3": "1.1"}


def test_a_host_that_the_inventory_gained_is_caught_up_with_when_asked_for(shop: LocalFleet) -> None:
    assert shop.controller.deploy("shop_api", "1.1", "--limit", "web1,web2,web3").code == 0
    (shop.ports["web4"],) = free_ports(1)
    shop.names.append("web4")
    change_inventory(shop, web4={"service_port": shop.ports["web4"]})
    assert "no host of this run owes anything" in shop.controller.run("catchup", fraise="shop_api").output
    run = shop.controller.run("catchup", fraise="shop_api", catchup="new")
    assert run.code == 0, run.output
    assert shop.serving()["web4"] == "1.1"
    assert [host["host"] for host in shop.controller.latest()["hosts"]] == ["web4"]


def test_a_part_of_the_fleet_is_recorded_as_a_part_and_owes_nothing_for_the_rest(shop: LocalFleet) -> None:
    run = shop.controller.deploy("shop_api", "1.1", "--limit", "web1")
    assert run.code == 0, run.output
    assert shop.controller.latest()["scope"] == "part"
    assert owed(shop) == {}
    status = shop.controller.run("status", fraise="shop_api").output
    assert "answers 1.1, the fleet has 1.0" in status


def test_check_mode_of_catching_up_says_what_would_be_done_and_writes_nothing(shop: LocalFleet) -> None:
    change_inventory(shop, web2=NOWHERE)
    assert shop.controller.deploy("shop_api", "1.1", rolling_max_unreachable=1).code == 0
    change_inventory(shop, web2=None)
    run = shop.controller.run("catchup", "--check", fraise="shop_api")
    assert run.code == 0, run.output
    assert "Plan: 1.1 on 1 hosts" in run.output
    assert shop.serving()["web2"] == "1.0"
    assert len(shop.controller.history()) == 2


def test_a_host_that_somebody_changed_is_told_and_recorded_at_the_next_deployment(shop: LocalFleet) -> None:
    link = shop.folder / "hosts" / "web3" / "current"
    shop.release("0.9")
    assert shop.controller.deploy("shop_api", "0.9", "--limit", "web3").code == 0
    assert shop.controller.deploy("shop_api", "1.0", "--limit", "web3").code == 0
    link.unlink()
    link.symlink_to("releases/0.9")
    run = shop.controller.deploy("shop_api", "1.1")
    assert run.code == 0, run.output
    assert "web3  answers 0.9, the record says 1.0" in run.output
    drifted = rows(shop.controller, "SELECT host, data FROM tb_event WHERE type = 'host.drifted'")
    assert [(row["host"], json.loads(row["data"])) for row in drifted] == [("web3", {"recorded": "1.0", "answers": "0.9"})]


def test_a_budget_that_is_none_is_refused_before_anything_is_locked(shop: LocalFleet) -> None:
    run = shop.controller.deploy("shop_api", "1.1", rolling_max_unreachable="a few")
    assert run.code != 0
    assert "rolling_max_unreachable: 'a few' is neither a count nor a percent of hosts" in run.output
    assert len(shop.controller.history()) == 1


def test_catching_up_needs_a_fraise_and_takes_no_other_version(shop: LocalFleet) -> None:
    assert "NOT_FOUND" in shop.controller.run("catchup").output
    run = shop.controller.run("catchup", fraise="shop_api", version="1.1")
    assert run.code != 0
    assert "version: 1.1 is not what the fleet has (1.0" in run.output
