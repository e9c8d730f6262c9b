# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk without room: nothing half is left, what is live stays live, and the error says so without blaming the release."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError

if TYPE_CHECKING:
    from tests.unit.plugins.module_utils.bare_metal.conftest import Host

BIG = {"big": "x" * 1_000_000}


def mounts_work(folder: Path) -> bool:
    if os.geteuid() != 0:
        return False
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k,mode=0755", "fraisier", str(folder)], capture_output=True, timeout=10, check=False)
    return done.returncode == 0


@contextlib.contextmanager
def little_room(host: Host) -> Iterator[None]:
    """The host's folder on a file system of 400 kB; where no file system can be mounted, files may not grow beyond 100 kB."""
    host.root.mkdir()
    if mounts_work(host.root):
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", str(host.root)], timeout=10, check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def assert_full(error: FraisierError) -> None:
    assert error.category == "RESOURCE"
    assert error.infrastructure
    assert error.recoverable
    assert "No space left" in error.message


def test_staging_onto_a_full_disk_leaves_nothing_half(host: Host) -> None:
    small, big = host.archive("1.0"), host.archive("1.1", BIG)
    with little_room(host):
        host.call("staged", "1.0", source={"archive": {"src": str(small)}})
        host.call("active", "1.0")
        with pytest.raises(FraisierError) as caught:
            host.call("staged", "1.1", source={"archive": {"src": str(big)}})
        assert_full(caught.value)
        assert host.releases() == ["1.0"]
        assert host.leftovers() == []
        assert host.current == "1.0"
        assert not host.call("active", "1.0")["changed"]


def test_a_build_that_fills_the_disk_is_not_the_releases_fault(host: Host) -> None:
    small = host.archive("1.0")
    with pytest.raises(FraisierError) as caught:
        host.call("staged", "1.0", source={"archive": {"src": str(small)}}, build="echo 'write error: No space left on device' >&2; exit 1")
    assert_full(caught.value)
    assert host.releases() == []


@pytest.mark.parametrize("at_write", range(1, 5))
def test_a_disk_that_is_full_when_activating_begins_or_fills_up_meanwhile_harms_nothing(host: Host, at_write: int, monkeypatch: pytest.MonkeyPatch) -> None:
    host.deploy("1.0")
    host.stage("1.1")
    genuine, count = os.write, 0

    def write(descriptor: int, data: bytes) -> int:
        nonlocal count
        count += 1
        if count >= at_write:
            raise OSError(28, "No space left on device")
        return genuine(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        try:
            result = host.call("active", "1.1")
        except FraisierError as error:
            assert_full(error)
            assert host.current == "1.0"
        else:
            assert result["release"]["version"] == host.current == "1.1"
    found = host.call("inspected")
    assert found["interrupted"] is None
    assert found["release"]["version"] == host.current
    assert host.call("active", "1.1")["release"]["previous"] == "1.0"


def test_a_host_whose_disk_fills_up_while_the_new_release_runs_still_goes_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal import activation

    host.deploy("1.0")
    host.stage("1.1")
    genuine_verify = activation.Activation._verify

    def full(*words: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:

        def fill_then_verify(self, *words):
            patch.setattr(os, "write", full)
            patch.setattr(os, "symlink", full)
            return genuine_verify(self, *words)

        patch.setattr(activation.Activation, "_verify", fill_then_verify)
        with pytest.raises(FraisierError) as caught:
            host.call("active", "1.1", health=[{"tcp": {"port": 1}}], timeout=0.3)
    assert caught.value.code == "HEALTH_CHECK_FAILED"
    assert caught.value.result["reverted"]
    assert host.current == "1.0"
    assert host.call("inspected")["interrupted"] is None


def test_a_healthy_release_that_could_not_be_written_down_stays_live_and_the_next_call_settles_it(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.state import HostState

    host.deploy("1.0")
    host.stage("1.1")

    def broken(_self: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(HostState, "commit", broken)
        with pytest.raises(FraisierError, match="live and healthy") as caught:
            host.call("active", "1.1")
    assert caught.value.infrastructure
    assert caught.value.result["release"]["version"] == host.current == "1.1"
    assert host.call("inspected")["interrupted"]["from"] == "1.0"
    assert host.call("active", "1.1")["release"]["previous"] == "1.0"
    assert host.call("inspected")["interrupted"] is None
