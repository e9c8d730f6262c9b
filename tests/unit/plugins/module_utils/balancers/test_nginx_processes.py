# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says of connections: read from a real process of its own, and from tables that are damaged."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.balancers import nginx_processes
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ProviderUnavailableError


@pytest.mark.parametrize("words", ["", "nonsense", "999999999", "ours"])
def test_a_pid_file_without_a_master_behind_it(tmp_path: Path, words: str) -> None:
    (tmp_path / "nginx.pid").write_text(str(os.getpid()) if words == "ours" else words)
    with pytest.raises(ProviderUnavailableError, match="nginx does not run"):
        nginx_processes.master(str(tmp_path / "nginx.pid"))
    with pytest.raises(ProviderUnavailableError, match="No such file"):
        nginx_processes.master(str(tmp_path / "none.pid"))


def test_addresses_are_read_as_the_kernel_writes_them() -> None:
    digits = f"{struct.unpack('=I', socket.inet_aton('127.0.0.1'))[0]:08X}"
    assert nginx_processes._remote(f"{digits}:1F90", socket.AF_INET) == (socket.inet_aton("127.0.0.1"), 8080)
    packed = socket.inet_pton(socket.AF_INET6, "::ffff:10.0.0.1")
    digits = "".join(f"{struct.unpack('=I', packed[start : start + 4])[0]:08X}" for start in range(0, 16, 4))
    assert nginx_processes._remote(f"{digits}:0050", socket.AF_INET6) == (socket.inet_aton("10.0.0.1"), 80)


def test_only_connections_of_the_workers_count(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = nginx_processes.packed_addresses("127.0.0.1", listener.getsockname()[1])
        monkeypatch.setattr(nginx_processes, "workers", lambda _master: {os.getpid(): False})
        assert nginx_processes.connections(os.getpid(), place) == 0
        with socket.create_connection(listener.getsockname()):
            assert nginx_processes.connections(os.getpid(), place) == 1
            with subprocess.Popen(["sleep", "60"]) as other:
                monkeypatch.setattr(nginx_processes, "workers", lambda _master: {other.pid: False})
                assert nginx_processes.connections(os.getpid(), place) == 0
                other.kill()
        monkeypatch.setattr(nginx_processes, "workers", lambda _master: {os.getpid(): False})
        assert nginx_processes.connections(os.getpid(), place) == 0


def test_a_name_without_an_address_is_told() -> None:
    with pytest.raises(ProviderUnavailableError, match=r"no-such-host\.invalid has no address on the balancer"):
        nginx_processes.packed_addresses("no-such-host.invalid", 80)
