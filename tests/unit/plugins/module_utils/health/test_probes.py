# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of ports and commands; units are checked in the integration tests, where systemd runs."""

from __future__ import annotations

import socket
import sys
import time

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.health import probe
from ansible_collections.fraisier.deploy.plugins.module_utils.health.network import Deadline


def look(kind: str, **options):
    return probe([{kind: options}]).checks[0]


def test_a_listening_port_is_healthy(site):
    row = look("tcp", port=site.port)
    assert (row.ok, row.target, row.message) == (True, f"127.0.0.1:{site.port}", "accepts connections")


def test_a_closed_port_is_not(closed_port):
    row = look("tcp", port=closed_port)
    assert (row.ok, row.message) == (False, "Connection refused")


def test_ipv6_addresses_are_asked_too():
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
        for host in ("::1", "[::1]"):
            row = look("tcp", host=host, port=port)
            assert (row.ok, row.target) == (True, f"[::1]:{port}")


def test_a_port_whose_queue_is_full_times_out():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            waiting.append(client)
        time.sleep(0.05)
        started = time.monotonic()
        row = look("tcp", port=listener.getsockname()[1], timeout=0.3)
        for client in waiting:
            client.close()
    assert not row.ok
    assert "within 0.3 s" in row.message
    assert time.monotonic() - started < 1


def test_a_command_must_end_with_the_wanted_return_code():
    assert look("exec", command=["true"]).ok
    assert look("exec", command=["sh", "-c", "exit 3"], rc=3).ok
    row = look("exec", command=["sh", "-c", "echo queue is stuck; exit 1"])
    assert (row.ok, row.message) == (False, "return code 1, wanted 0: queue is stuck")


def test_a_command_that_hangs_is_killed():
    started = time.monotonic()
    row = look("exec", command=[sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.3)
    assert "was killed: it ran longer than 0.3 s" in row.message
    assert time.monotonic() - started < 2


def test_a_command_that_does_not_exist_is_unhealthy_and_told():
    assert "no-such-command cannot be started" in look("exec", command=["no-such-command"]).message


def test_a_command_runs_where_it_is_told(tmp_path):
    (tmp_path / "ready").touch()
    assert look("exec", command=["test", "-e", "ready"], chdir=str(tmp_path)).ok
    assert not look("exec", command=["test", "-e", "ready"]).ok


def test_passwords_of_urls_in_commands_are_not_shown():
    row = look("exec", command=["sh", "-c", "exit 1", "https://joe:hunter2@example.org"])
    assert row.target == "sh -c 'exit 1' 'https://***@example.org'" or row.target == "sh -c 'exit 1' https://***@example.org"


def test_a_deadline_counts_down_and_then_refuses():
    now = [100.0]
    deadline = Deadline(5.0, clock=lambda: now[0])
    now[0] = 102.0
    assert deadline.left() == pytest.approx(3.0)
    now[0] = 105.0
    with pytest.raises(TimeoutError, match="no answer within 5 s"):
        deadline.left()
