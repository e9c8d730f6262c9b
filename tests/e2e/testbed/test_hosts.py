# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the testbed behave like machines that a person manages by ssh."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.testbed.application import answered_version, build_release, install_service, remove_service
from tests.testbed.fleet import fleets, open_fleet, remove_abandoned
from tests.testbed.hosts import Host

pytestmark = pytest.mark.alone
CHECKOUT = Path(__file__).resolve().parents[3]


def test_three_hosts_run_systemd_without_failed_units(hosts: list[Host]) -> None:
    assert [host.run("systemctl is-system-running --wait", check=False).stdout.strip() for host in hosts] == ["running"] * 3


def test_ten_hosts_are_up_in_fifteen_seconds(hosts: list[Host]) -> None:
    started = time.monotonic()
    opened = open_fleet(10)
    try:
        assert time.monotonic() - started < 15
        assert len({host.run("cat /proc/sys/kernel/hostname").stdout for host in opened.hosts}) == 10
    finally:
        opened.close()
    assert opened.name not in fleets()


def test_a_rebooted_host_comes_back_with_its_address_and_an_empty_run(hosts: list[Host]) -> None:
    host = hosts[2]
    host.run("touch /run/before /root/before")
    host.reboot()
    assert host.run("ls /run/before /root/before", check=False).stdout.split() == ["/root/before"]
    host.run("rm /root/before")


def test_a_killed_host_is_gone_until_it_is_started(hosts: list[Host]) -> None:
    host = hosts[2]
    host.kill()
    assert not host.is_running()
    assert host.run("true", check=False).returncode == 255
    host.start()
    assert host.run("true").returncode == 0


def test_a_full_disk_refuses_another_byte(hosts: list[Host]) -> None:
    host = hosts[2]
    host.small_disk("/srv/small", megabytes=2)
    host.fill_disk("/srv/small")
    assert "No space left" in host.run("echo x > /srv/small/file", check=False).stderr
    host.free_disk("/srv/small")
    host.run("echo x > /srv/small/file")
    host.remove_disk("/srv/small")


def test_the_service_answers_its_version_and_dies_with_its_unit(hosts: list[Host], tmp_path: Path) -> None:
    host = hosts[2]
    root, name = "/srv/testbed_probe", "testbed-probe"
    release = build_release(tmp_path, "3.1.4")
    install_service(host, name=name, root=root, port=8099)
    host.put(release.path, f"{root}/release.tar.gz")
    host.run(f"mkdir {root}/current && tar xzf {root}/release.tar.gz -C {root}/current && systemctl start {name}")
    assert answered_version(host, port=8099, timeout=10) == "3.1.4"
    remove_service(host, name=name, root=root)
    assert answered_version(host, port=8099) is None


@pytest.mark.timeout(60)
def test_what_a_killed_session_left_is_removed_by_the_next(hosts: list[Host]) -> None:
    program = "from tests.testbed.fleet import open_fleet; import os; print(open_fleet(1).name, flush=True); os.kill(os.getpid(), 9)"
    killed = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, timeout=50, check=False)
    name = killed.stdout.strip()
    assert name in fleets()
    assert name in remove_abandoned()
    assert name not in fleets()
