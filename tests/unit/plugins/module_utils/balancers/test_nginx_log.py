# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and errors of each server, counted from a log that grows, turns over, and holds other lines."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.nginx_log import count
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ProviderConfigurationError

ADDRESSES = {
    (socket.inet_pton(socket.AF_INET, "10.0.0.1"), 80): "web1",
    (socket.inet_pton(socket.AF_INET, "10.0.0.2"), 80): "web2",
    (socket.inet_pton(socket.AF_INET6, "2001:db8::3"), 80): "web3",
}


def test_each_try_counts_for_the_server_that_had_it(tmp_path: Path) -> None:
    log, notes = tmp_path / "access.log", str(tmp_path / "notes")
    log.write_text("10.0.0.1:80 200\n10.0.0.1:80, 10.0.0.2:80 502, 200\n[2001:db8::3]:80 500\n- -\ngarbage\n\n10.9.9.9:80 200\n10.0.0.2:80 20")
    assert count(str(log), notes, ADDRESSES) == {"web1": (2, 1), "web2": (1, 0), "web3": (1, 1)}
    with log.open("a") as stream:
        stream.write("0\n10.0.0.2:80 503\n")
    assert count(str(log), notes, ADDRESSES)["web2"] == (3, 1)
    assert count(str(log), notes, ADDRESSES)["web2"] == (3, 1)


def test_counters_only_grow_when_the_log_is_turned_over(tmp_path: Path) -> None:
    log, notes = tmp_path / "access.log", str(tmp_path / "notes")
    log.write_text("10.0.0.1:80 200\n10.0.0.1:80 200\n")
    count(str(log), notes, ADDRESSES)
    log.rename(tmp_path / "access.log.1")
    log.write_text("10.0.0.1:80 200\n")
    assert count(str(log), notes, ADDRESSES)["web1"] == (3, 0)
    log.write_text("")  # copied and truncated
    assert count(str(log), notes, ADDRESSES)["web1"] == (3, 0)


def test_a_log_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProviderConfigurationError, match=r"nginx\.access_log: .*access\.log: No such file"):
        count(str(tmp_path / "access.log"), str(tmp_path / "notes"), ADDRESSES)
