# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job on three systemd hosts: new versions roll out, a bad one is undone everywhere, the record says the same as the hosts."""

from __future__ import annotations

import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator

import pytest
import yaml

from tests.e2e.real_fleet import ROOT, RealFleet
from tests.testbed.hosts import Host

pytestmark = pytest.mark.alone
# Version 3.0.0 answers well everywhere; this check of the second and third host alone refuses it.
REFUSES_3 = {"exec": {"command": ["/bin/sh", "-c", f"! grep -q '^3.0.0' {ROOT}/current/VERSION"]}}
ANSWERS = {"http": {"url": "http://127.0.0.1:8000/health", "json": {"version": "{{ version }}"}}}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, hosts: list[Host]) -> Iterator[RealFleet]:
    folder = tmp_path_factory.mktemp("shop")
    fleet = RealFleet(folder, hosts, f"sqlite:///{folder}/store.db", rolling_batches=[1, 2])
    inventory = yaml.safe_load(fleet.controller.inventory.read_text(encoding="utf-8"))
    for host in hosts[1:]:
        inventory["all"]["hosts"][host.name]["fraise_health"] = [ANSWERS, REFUSES_3]
    fleet.controller.inventory.write_text(yaml.safe_dump(inventory, width=1000), encoding="utf-8")
    yield fleet
    fleet.remove()


def test_a_first_version_reaches_every_host(shop: RealFleet) -> None:
    shop.release("1.0.0")
    run = shop.controller.deploy("shop_api", "1.0.0")
    assert run.code == 0, run.output
    assert set(shop.answers().values()) == {"1.0.0"}
    assert shop.controller.latest()["status"] == "success"


def test_the_next_version_rolls_over_them_in_batches(shop: RealFleet) -> None:
    shop.release("2.0.0")
    run = shop.controller.deploy("shop_api", "2.0.0")
    assert run.code == 0, run.output
    assert set(shop.answers().values()) == {"2.0.0"}
    latest = shop.controller.latest()
    assert latest["status"] == "success"
    assert latest["previous_version"] == "1.0.0"
    assert latest["plan"]["batches"] == [1, 2]
    assert {row["host"]: (row["state"], row["version_before"], row["version_after"]) for row in latest["hosts"]} == {
        host.name: ("active", "1.0.0", "2.0.0") for host in shop.hosts
    }


def test_a_version_that_is_unhealthy_on_the_second_batch_is_undone_on_all_hosts(shop: RealFleet) -> None:
    shop.release("3.0.0")
    run = shop.controller.deploy("shop_api", "3.0.0")
    assert run.code != 0
    assert set(shop.answers().values()) == {"2.0.0"}, run.output
    assert set(shop.links().values()) == {"2.0.0"}
    latest = shop.controller.latest()
    assert latest["status"] == "rolled_back"
    assert shop.hosts[1].name in latest["status_reason"]
    states = shop.controller.states()
    assert [states[host.name] for host in shop.hosts] == ["undone", "reverted", "reverted"]
    assert latest["error_code"] == "HEALTH_CHECK_FAILED"


def test_the_undo_locks_the_fraise_until_a_person_unlocks_it(shop: RealFleet) -> None:
    refused = shop.controller.deploy("shop_api", "2.0.0")
    assert (refused.code, "[DEPLOYMENT_LOCKED]" in refused.output) == (2, True), refused.output
    unlocked = shop.controller.run("unlock", fraise="shop_api", reason="3.0.0 was bad, nothing else")
    assert unlocked.code == 0, unlocked.output


def test_status_agrees_with_what_the_hosts_answer(shop: RealFleet) -> None:
    run = shop.controller.run("status", fraise="shop_api")
    assert run.code == 0, run.output
    for host in shop.hosts:
        line = next(line for line in run.output.splitlines() if line.startswith("shop_api") and host.name in line)
        assert line.split()[2] == "2.0.0"
        assert line.split()[-2:] == ["2.0.0", "yes"]


def test_status_tells_a_host_that_serves_something_else(shop: RealFleet) -> None:
    host = shop.hosts[2]
    host.run(f"ln -sfn releases/1.0.0 {ROOT}/current.x && mv -T {ROOT}/current.x {ROOT}/current && systemctl restart shop-api")
    run = shop.controller.run("status", fraise="shop_api")
    line = next(line for line in run.output.splitlines() if line.startswith("shop_api") and host.name in line)
    assert " ".join(line.split()).endswith("1.0.0 NO answers 1.0.0, the fleet has 2.0.0"), line


def test_deploying_the_same_version_again_mends_that_host_and_leaves_the_others_alone(shop: RealFleet) -> None:
    before = {host.name: host.run("systemctl show -p MainPID --value shop-api").stdout for host in shop.hosts}
    run = shop.controller.deploy("shop_api", "2.0.0")
    assert run.code == 0, run.output
    after = {host.name: host.run("systemctl show -p MainPID --value shop-api").stdout for host in shop.hosts}
    assert [before[host.name] == after[host.name] for host in shop.hosts] == [True, True, False]
    assert set(shop.answers().values()) == {"2.0.0"}


def test_check_mode_prints_the_plan_and_touches_neither_hosts_nor_record(shop: RealFleet) -> None:
    shop.release("2.5.0")
    before = [host.run(f"find {ROOT} -printf '%p %T@ %l\\n' | sort").stdout for host in shop.hosts]
    deployments = len(shop.controller.history())
    run = shop.controller.deploy("shop_api", "2.5.0", "--check", "--diff")
    assert run.code == 0, run.output
    for number, host in zip((1, 2, 2), shop.hosts, strict=True):
        line = next(line for line in run.output.splitlines() if line.startswith(f"{number} ") and f" {host.name} " in line)
        assert line.split()[2:4] == ["2.0.0", "2.5.0"], line
    assert [host.run(f"find {ROOT} -printf '%p %T@ %l\\n' | sort").stdout for host in shop.hosts] == before
    assert len(shop.controller.history()) == deployments


def test_a_rollback_needs_no_archive_where_the_hosts_have_the_release(shop: RealFleet) -> None:
    (shop.archives / "shop-api-1.0.0.tar.gz").unlink()
    run = shop.controller.run("rollback", "--check", fraise="shop_api")
    assert run.code == 0, run.output


def test_rollback_goes_to_the_last_good_version_before_and_skips_the_bad_one(shop: RealFleet) -> None:
    run = shop.controller.run("rollback", fraise="shop_api")
    assert run.code == 0, run.output
    assert set(shop.answers().values()) == {"1.0.0"}
    assert shop.controller.latest()["kind"] == "rollback"


class Load(threading.Thread):
    """Asks each host in turn, as often as it can, and counts what it hears."""

    def __init__(self, urls: list[str]) -> None:
        super().__init__(daemon=True)
        self.urls, self.heard, self.over = urls, Counter[str](), threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            for url in self.urls:
                try:
                    with urllib.request.urlopen(url, timeout=2) as answer:
                        self.heard["answered" if answer.status == 200 else "refused"] += 1
                except OSError:
                    self.heard["lost"] += 1
            time.sleep(0.002)


def test_what_a_rolling_deployment_loses_behind_the_hosts_own_restart_is_printed(shop: RealFleet, capsys: pytest.CaptureFixture[str]) -> None:
    load = Load([host.url() for host in shop.hosts])
    load.start()
    for version in ("4.0.0", "5.0.0"):
        shop.release(version)
        run = shop.controller.deploy("shop_api", version)
        assert run.code == 0, run.output
    load.over.set()
    load.join(10)
    with capsys.disabled():
        total = sum(load.heard.values())
        print(f"\nload through two rolling deployments, no load balancer: {total} requests, {load.heard['lost']} lost, {load.heard['refused']} refused")
    assert load.heard["answered"] > 0
    assert set(shop.answers().values()) == {"5.0.0"}


def test_a_deployment_needs_three_ssh_sessions_a_host(shop: RealFleet) -> None:
    host = shop.hosts[0]
    host.disconnect()
    host.run("sed -i 's/^#*LogLevel.*/LogLevel VERBOSE/' /etc/ssh/sshd_config && systemctl reload ssh")
    host.disconnect()
    host.wait()  # sshd begins anew on a reload: for a moment its port refuses
    cursor = host.run("journalctl -q -n 0 --show-cursor").stdout.split("cursor: ")[1].strip()
    host.disconnect()
    shop.release("6.0.0")
    with tempfile.TemporaryDirectory(prefix="frz-") as sockets:  # no connection kept from the tests before
        shop.controller.settings["ANSIBLE_SSH_CONTROL_PATH_DIR"] = sockets
        run = shop.controller.deploy("shop_api", "6.0.0", "--limit", host.name)
        del shop.controller.settings["ANSIBLE_SSH_CONTROL_PATH_DIR"]
    assert run.code == 0, run.output
    log = host.run(f"journalctl --sync; journalctl -t sshd -q --no-pager --after-cursor='{cursor}'").stdout
    sessions = [line for line in log.splitlines() if "Starting session: command" in line]
    # the last one is the journalctl above
    assert len(sessions) - 1 == 3, log
