# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopping, removing, tidying up and looking."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import HealthCheckError, ValidationError

if TYPE_CHECKING:
    from tests.unit.plugins.module_utils.bare_metal.conftest import Host

SICK = {"health": [{"exec": {"command": ["false"]}}], "timeout": 0.15}


def test_inactive_stops_the_service_leaves_nothing_current_keeps_the_releases_and_is_idempotent(serving: Host) -> None:
    serving.deploy("1.0")
    assert serving.call("inactive", check_mode=True)["changed"]
    assert serving.call("inspected")["service"]["active"] is True
    result = serving.call("inactive", diff=True)
    assert result["changed"]
    assert (result["diff"]["before"], result["diff"]["after"]) == ({"active": True, "current": "1.0"}, {"active": False, "current": None})
    assert result["release"]["version"] is None
    assert serving.current is None
    assert serving.releases() == ["1.0"]
    assert serving.call("inspected")["release"]["version"] is None
    assert not serving.call("inactive")["changed"]
    assert serving.call("active", "1.0")["changed"]


def test_pruning_keeps_the_newest_and_whatever_may_be_needed(host: Host) -> None:
    for version in ("0.1", "0.2", "0.3", "0.4", "0.5"):
        host.deploy(version)
        if version == "0.2":
            host.call("pruned", good=True)
    host.stage("0.6-bad")
    with pytest.raises(HealthCheckError):
        host.call("active", "0.6-bad", **SICK)
    host.stage("0.7")
    plan = host.call("pruned", keep=1, protect=["0.1"], check_mode=True, diff=True)
    assert sorted(plan["pruned"]) == ["0.3", "0.6-bad"]
    assert "0.3" in host.releases()
    done = host.call("pruned", keep=1, protect=["0.1"], diff=True)
    assert done["pruned"] == plan["pruned"]
    assert done["diff"] == plan["diff"]
    # 0.1 protected, 0.2 last good, 0.4 previous, 0.5 live, 0.7 newest
    assert host.releases() == ["0.1", "0.2", "0.4", "0.5", "0.7"]
    assert not host.call("pruned", keep=1, protect=["0.1"])["changed"]


def test_good_remembers_the_live_release_once(host: Host) -> None:
    host.deploy("1.0")
    assert host.call("pruned", good=True, check_mode=True)["release"]["last_good"] == "1.0"
    assert host.call("inspected")["release"]["last_good"] is None
    assert host.call("pruned", good=True)["changed"]
    assert host.call("inspected")["release"]["last_good"] == "1.0"
    assert not host.call("pruned", good=True)["changed"]


def test_pruning_removes_forgotten_archives_but_not_one_that_just_came(host: Host) -> None:
    host.deploy("1.0")
    incoming = host.root / ".fraisier/incoming"
    for name, age in (("archive-old", 7200), ("archive-new", 0)):
        (incoming / name).write_text("")
        os.utime(incoming / name, (time.time() - age, time.time() - age))
    host.call("pruned")
    assert host.leftovers() == ["archive-new"]


def test_one_release_can_be_removed_but_never_the_live_one(host: Host) -> None:
    host.deploy("1.0")
    host.deploy("1.1")
    with pytest.raises(ValidationError, match="is live"):
        host.call("absent", "1.1")
    assert host.call("absent", "1.0", check_mode=True)["changed"]
    assert host.call("absent", "1.0")["changed"]
    assert not host.call("absent", "1.0")["changed"]
    assert host.call("inspected")["release"]["previous"] is None
    assert host.releases() == ["1.1"]


def test_absent_removes_all_but_what_was_shared_and_force_that_too(serving: Host) -> None:
    serving.stage("1.0", shared=["data"])
    serving.call("active", "1.0")
    (serving.root / "shared/data/kept").write_text("kept")
    assert serving.call("absent", check_mode=True)["changed"]
    assert serving.current == "1.0"
    assert serving.call("absent")["changed"]
    assert (serving.root / "shared/data/kept").read_text() == "kept"
    assert [path.name for path in serving.root.iterdir()] == ["shared"]
    assert not serving.call("absent")["changed"]
    assert serving.call("absent", force=True)["changed"]
    assert not serving.root.exists()


def test_a_host_with_nothing_answers_nothing_and_stays_untouched(host: Host) -> None:
    result = host.call("inspected", health=[{"exec": {"command": ["false"]}}])
    assert result["release"]["version"] is None
    assert result["health"] is None
    assert result["releases"] == []
    assert not host.root.exists()
    for state in ("inactive", "pruned", "absent"):
        assert not host.call(state)["changed"]
    assert not host.root.exists()


def test_inspecting_tells_what_is_there_and_how_it_is(serving: Host) -> None:
    serving.deploy("1.0")
    serving.deploy("1.1")
    result = serving.call("inspected", diff=True)
    assert not result["changed"]
    assert (result["release"]["version"], result["release"]["previous"]) == ("1.1", "1.0")
    assert result["health"]["status"] == "healthy"
    assert result["service"]["active"] is True
    assert [release["version"] for release in result["releases"]] == ["1.1", "1.0"]
    assert result["diff"]["before"] == result["diff"]["after"]


def test_as_recorded_checks_the_live_release_as_it_was_activated(serving: Host) -> None:
    serving.deploy("1.0")
    result = serving.call("inspected", as_recorded=True, health=[], service=None)
    assert result["health"]["status"] == "healthy"
    assert result["service"]["manager"] == "process"
