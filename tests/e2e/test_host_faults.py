# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that reboot, are switched off, run out of disk or lack the unit: the fleet serves what it served before, and the record says why."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.e2e.controller import UNDO_LEAVES_NO_LOCK
from tests.e2e.real_fleet import ROOT, RealFleet
from tests.testbed.application import install_service
from tests.testbed.hosts import Host


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, hosts: list[Host]) -> Iterator[RealFleet]:
    folder = tmp_path_factory.mktemp("faults")
    fleet = RealFleet(folder, hosts, f"sqlite:///{folder}/store.db", rolling_batches=[1, 2], **UNDO_LEAVES_NO_LOCK)
    # a host that is switched off must be noticed before the test's patience ends
    fleet.controller.settings["ANSIBLE_SSH_ARGS"] = (
        "-o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=1 -o ServerAliveCountMax=3 -o ConnectTimeout=3"
    )
    fleet.release("1.0.0")
    run = fleet.controller.deploy("shop_api", "1.0.0")
    assert run.code == 0, run.output
    yield fleet
    fleet.remove()


def fleet_version(shop: RealFleet) -> str:
    """The one version that all hosts answer."""
    (version,) = set(shop.answers(timeout=10).values())
    assert version is not None
    return version


def everyone_serves(shop: RealFleet, version: str) -> bool:
    return set(shop.answers(timeout=10).values()) == {version} and set(shop.links().values()) == {version}


def test_a_host_that_reboots_while_its_new_release_is_verified_is_undone_once_it_is_back(shop: RealFleet) -> None:
    host = shop.hosts[0]
    good = fleet_version(shop)
    shop.release("2.0.0")
    process = shop.controller.start("deploy", fraise="shop_api", version="2.0.0", fraise_min_healthy=8, fraise_timeout=60)
    deadline = time.monotonic() + 40
    while host.run(f"readlink {ROOT}/current").stdout.strip() != "releases/2.0.0":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    host.reboot()
    code = process.wait(180)
    output = (shop.folder / "output.log").read_text(encoding="utf-8")
    assert code != 0, output
    assert everyone_serves(shop, good), output
    latest = shop.controller.latest()
    assert latest["status"] == "rolled_back", output
    assert host.name in latest["status_reason"]
    assert shop.controller.states()[host.name] == "undone"


def test_a_host_that_is_switched_off_halts_the_deployment_before_anything_moves(shop: RealFleet) -> None:
    host = shop.hosts[1]
    good = fleet_version(shop)
    shop.release("2.1.0")
    host.kill()
    try:
        run = shop.controller.deploy("shop_api", "2.1.0")
    finally:
        host.start()
    assert run.code != 0
    assert "PROVIDER_CONNECTION_ERROR" in run.output
    assert everyone_serves(shop, good)
    latest = shop.controller.latest()
    assert latest["status"] == "failed"
    assert shop.controller.states()[host.name] == "unreachable"


def test_within_the_budget_the_rest_of_the_fleet_moves_on_and_the_record_names_who_did_not(shop: RealFleet) -> None:
    host = shop.hosts[1]
    good = fleet_version(shop)
    shop.release("2.2.0")
    host.kill()
    try:
        run = shop.controller.deploy("shop_api", "2.2.0", rolling_max_failed=1)
    finally:
        host.start()
    assert run.code == 0, run.output
    assert shop.controller.latest()["status"] == "success"
    assert host.name in shop.controller.latest()["status_reason"]
    answers = shop.answers(timeout=10)
    assert answers.pop(host.name) == good
    assert set(answers.values()) == {"2.2.0"}
    run = shop.controller.deploy("shop_api", "2.2.0")
    assert run.code == 0, run.output
    assert everyone_serves(shop, "2.2.0")


def gauges(shop: RealFleet) -> dict[str, float]:
    with shop.controller.store() as store:
        figures = store.metrics_rows()
    return {name: row["value"] for name in ("owed_hosts", "mixed_fleet") for row in figures[name]}


def test_a_host_that_is_switched_off_within_its_budget_is_left_out_owed_seen_and_caught_up_with(shop: RealFleet) -> None:
    host = shop.hosts[1]
    good = fleet_version(shop)
    shop.release("2.2.1")
    host.kill()
    try:
        run = shop.controller.deploy("shop_api", "2.2.1", rolling_max_unreachable=1)
        assert run.code == 0, run.output
        assert shop.controller.latest()["status_reason"] == f"left out as unreachable: {host.name}"
        assert gauges(shop) == {"owed_hosts": 1, "mixed_fleet": 1}
        run = shop.controller.run("status", fraise="shop_api")
        assert run.code == 0, run.output
        (line,) = [line for line in run.output.splitlines() if host.name in line and "PROVIDER_CONNECTION_ERROR" in line]
        assert line.split()[:4] == ["shop_api", "test", host.name, "2.2.1"]
    finally:
        host.start()
    answers = shop.answers(timeout=10)
    assert answers.pop(host.name) == good
    assert set(answers.values()) == {"2.2.1"}
    assert f"answers {good}, the fleet has 2.2.1" in shop.controller.run("status", fraise="shop_api").output
    run = shop.controller.run("catchup", fraise="shop_api")
    assert run.code == 0, run.output
    assert everyone_serves(shop, "2.2.1"), run.output
    assert gauges(shop) == {"owed_hosts": 0, "mixed_fleet": 0}


def test_a_host_whose_power_is_cut_while_it_shifts_is_left_out_within_the_budget_and_whole_again_after_catching_up(shop: RealFleet) -> None:
    host = shop.hosts[0]
    shop.release("2.2.2")
    words = {"fraise_min_healthy": 4, "fraise_timeout": 30, "rolling_max_unreachable": 1}
    process = shop.controller.start("deploy", fraise="shop_api", version="2.2.2", **words)
    deadline = time.monotonic() + 40
    while host.run(f"readlink {ROOT}/current").stdout.strip() != "releases/2.2.2":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    host.kill()
    try:
        code = process.wait(180)
        output = (shop.folder / "output.log").read_text(encoding="utf-8")
        assert code == 0, output
        assert f"left out as unreachable: {host.name}" in output
        assert gauges(shop)["owed_hosts"] == 1
    finally:
        host.start()
    run = shop.controller.run("catchup", fraise="shop_api")
    assert run.code == 0, run.output
    assert everyone_serves(shop, "2.2.2"), run.output
    assert shop.complete_releases()
    assert gauges(shop) == {"owed_hosts": 0, "mixed_fleet": 0}


def test_over_the_budget_for_unreachable_hosts_those_that_shifted_are_undone(shop: RealFleet) -> None:
    good = fleet_version(shop)
    shop.release("2.2.3")
    first, second = shop.hosts[1:]
    second.kill()
    process = shop.controller.start("deploy", fraise="shop_api", version="2.2.3", rolling_batches=[1], rolling_max_unreachable=1, fraise_min_healthy=3)
    try:
        deadline = time.monotonic() + 60
        while first.run(f"readlink {ROOT}/current").stdout.strip() != "releases/2.2.3":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        first.kill()
        time.sleep(1)
        first.start()
        code = process.wait(180)
    finally:
        second.start()
    output = (shop.folder / "output.log").read_text(encoding="utf-8")
    assert code != 0, output
    latest = shop.controller.latest()
    assert latest["status"] == "rolled_back", output
    assert "2 of 3 hosts failed" in latest["status_reason"]
    assert everyone_serves(shop, good), output
    assert gauges(shop) == {"owed_hosts": 0, "mixed_fleet": 0}


def test_a_unit_that_does_not_exist_is_found_before_the_switch(shop: RealFleet) -> None:
    good = fleet_version(shop)
    shop.release("2.3.0")
    run = shop.controller.deploy("shop_api", "2.3.0", fraise_service="no-such-unit.service")
    assert run.code != 0
    assert "PROVIDER_CONFIG_ERROR" in run.output
    assert "no-such-unit.service" in run.output
    assert everyone_serves(shop, good)
    assert shop.controller.latest()["status"] == "failed"


@pytest.mark.parametrize("behaviour", ["crash", "silent", "wrong_version"])
def test_a_release_that_crashes_hangs_or_answers_another_version_never_stays(shop: RealFleet, behaviour: str) -> None:
    good = fleet_version(shop)
    version = f"2.4.0-{behaviour.replace('_', '-')}"
    shop.release(version, behaviour)
    run = shop.controller.deploy("shop_api", version)
    assert run.code != 0
    assert "HEALTH_CHECK_FAILED" in run.output
    assert everyone_serves(shop, good), run.output
    assert shop.controller.latest()["status"] == "rolled_back"


def test_a_full_disk_leaves_the_live_release_alone_and_no_half_release_behind(shop: RealFleet) -> None:
    host = shop.hosts[2]
    disk, root = "/mnt/small", "/mnt/small/shop_api"
    host.small_disk(disk, 8)
    install_service(host, name="small-api", root=root, port=8100)
    here = {
        "fraise_path": root,
        "fraise_service": "small-api.service",
        "fraise_health": [{"http": {"url": "http://127.0.0.1:8100/health", "json": {"version": "{{ version }}"}}}],
    }
    try:
        shop.release("3.0.0", padding=1_000_000)
        run = shop.controller.deploy("shop_api", "3.0.0", "--limit", host.name, **here)
        assert run.code == 0, run.output
        host.fill_disk(disk, leave_kilobytes=300)
        shop.release("3.1.0", padding=1_000_000)
        run = shop.controller.deploy("shop_api", "3.1.0", "--limit", host.name, **here)
        assert run.code != 0
        assert "PROVIDER_ERROR" in run.output
        assert "space" in run.output
        assert host.get(8100)[1].count("3.0.0") == 1
        assert host.run(f"ls {root}/releases").stdout.split() == ["3.0.0"]
        assert shop.controller.latest()["status"] == "failed"
        host.free_disk(disk)
        run = shop.controller.deploy("shop_api", "3.1.0", "--limit", host.name, **here)
        assert run.code == 0, run.output
        assert host.get(8100)[1].count("3.1.0") == 1
    finally:
        host.run("systemctl disable --now small-api; rm -f /etc/systemd/system/small-api.service; systemctl daemon-reload", check=False)
        host.remove_disk(disk)
