# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An undo goes back to what each host really had, reports say what really answers, and no secret leaves on the way."""

from __future__ import annotations

import json
import sqlite3
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.local_fleet import LocalFleet

HOSTS = ["web1", "web2", "web3"]
ANSWERS = {"http": {"url": "http://127.0.0.1:{{ service_port }}/health", "json": {"version": "{{ version }}"}}}
NEVER = {"exec": {"command": ["false"]}}


@pytest.fixture
def shop(tmp_path: Path, sqlite_url: str) -> Iterator[LocalFleet]:
    fleet = LocalFleet(tmp_path, HOSTS, sqlite_url, rolling_batches=[1, 2], fraise_timeout=3)
    yield fleet
    fleet.stop()


def sicken(shop: LocalFleet, host: str, checks: list[dict] | None) -> None:
    """Give one host checks of its own, or take them away again."""
    inventory = yaml.safe_load(shop.controller.inventory.read_text(encoding="utf-8"))
    variables = inventory["all"]["children"]["shop_api"]["hosts"][host]
    variables.pop("fraise_health", None)
    if checks:
        variables["fraise_health"] = checks
    shop.controller.inventory.write_text(yaml.safe_dump(inventory, width=1000), encoding="utf-8")


def answering(shop: LocalFleet) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name, port in shop.ports.items():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
                found[name] = json.load(answer)["version"]
        except OSError:
            found[name] = None
    return found


def test_a_first_deployment_that_fails_leaves_nothing_serving_and_nothing_called_current(shop: LocalFleet) -> None:
    shop.release("1.0")
    sicken(shop, "web2", [ANSWERS, NEVER])
    run = shop.controller.deploy("shop_api", "1.0")
    assert run.code != 0
    assert set(answering(shop).values()) == {None}
    assert set(shop.serving().values()) == {None}
    assert shop.controller.latest()["status"] == "rolled_back"
    status = shop.controller.run("status", fraise="shop_api").output
    assert "nothing" in status
    assert " 1.0 " not in status.split("AGREES")[1].split("LOCKED")[0], status
    # and a later failure, once a person has unlocked, brings nothing of it back
    shop.release("2.0")
    assert shop.controller.run("unlock", fraise="shop_api", reason="once more").code == 0
    assert shop.controller.deploy("shop_api", "2.0").code != 0
    assert (len(shop.controller.history()), shop.controller.latest()["status"]) == (2, "rolled_back")
    assert set(answering(shop).values()) == {None}


def test_redeploying_the_live_version_and_failing_leaves_every_host_on_it(shop: LocalFleet) -> None:
    for version in ("1.0", "1.1"):
        shop.release(version)
        assert shop.controller.deploy("shop_api", version).code == 0
    sicken(shop, "web2", [ANSWERS, NEVER])
    run = shop.controller.deploy("shop_api", "1.1", fraise_environment_variables={"COLOUR": "blue"})
    assert run.code != 0
    assert set(answering(shop).values()) == {"1.1"}, run.output
    assert set(shop.serving().values()) == {"1.1"}


def test_status_says_that_a_host_with_a_dead_service_does_not_agree(shop: LocalFleet) -> None:
    shop.release("1.0")
    assert shop.controller.deploy("shop_api", "1.0").code == 0
    shop.stop()
    output = shop.controller.run("status", fraise="shop_api").output
    lines = [line for line in output.splitlines() if line.startswith("shop_api") and " web" in line]
    assert [line.split()[-3:] for line in lines] == [["1.0", "(unhealthy)", "NO"]] * 3, output


def test_a_fraise_that_is_not_there_is_no_empty_success(shop: LocalFleet) -> None:
    for playbook in ("status", "history"):
        run = shop.controller.run(playbook, fraise="shop_apj")
        assert run.code != 0
        assert "shop_api" in run.output and "NOT_FOUND" in run.output


def test_a_secret_of_group_vars_that_a_build_prints_reaches_neither_terminal_nor_store_nor_spool(shop: LocalFleet) -> None:
    secret = "hunter2-of-the-vault"
    folder = shop.folder / "group_vars"
    folder.mkdir()
    (folder / "shop_api.yml").write_text(
        yaml.safe_dump({"vault_db_password": secret, "fraise_environment_variables": {"DB_PASSWORD": "{{ vault_db_password }}"}}), encoding="utf-8"
    )
    shop.release("1.0")
    run = shop.controller.deploy("shop_api", "1.0", fraise_build="echo the password is $DB_PASSWORD; exit 3")
    assert run.code != 0
    assert secret not in run.output
    path = Path(shop.controller.store_url.removeprefix("sqlite:///"))
    with sqlite3.connect(path) as connection:
        assert secret not in "\n".join(connection.iterdump())
    assert not list((shop.folder / "spool").glob("*"))
