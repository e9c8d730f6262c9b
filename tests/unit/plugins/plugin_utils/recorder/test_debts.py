# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Catching up as the recorder opens it, what it says at the end of hosts that were left behind, and hosts that are another than recorded."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NotFoundError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.feeder import Feeder
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import SOCKET_VARIABLE, call
from tests.unit.plugins.plugin_utils.recorder.test_recorder import OPEN, rows, settings

HOSTS = ["web1", "web2", "web3"]
AWAY = {"code": "PROVIDER_CONNECTION_ERROR", "message": "no route\n to host"}


@pytest.fixture
def feeder(tmp_path: Path) -> Iterator[Feeder]:
    started = Feeder("run-1", settings(tmp_path))
    started.start()
    yield started
    started.close()
    os.environ.pop(SOCKET_VARIABLE, None)


def report(host: str, step: str, outcome: str, **more: Any) -> dict[str, Any]:
    intent = call("intent", host=host, step=step, version="x", attempt=1)
    return call("outcome", step_id=intent["step_id"], host=host, step=step, outcome=outcome, **more)


def deploy(version: str, *away: str, serving: str | None = None, **request: Any) -> dict[str, Any]:
    """A deployment whose hosts stage and activate, but those that are away."""
    opened = call("open", **{**OPEN, "hosts": HOSTS, "version": version, "max_unreachable": 2, **request})["deployment"]
    for host in opened["plan"]["hosts"]:
        if host in away:
            report(host, "stage", "unreachable", error=AWAY)
            continue
        release = {"version": version or opened["version"], "current": serving, "digest": f"sha256:{opened['version']}"}
        report(host, "stage", "ok", changed=True, release=release)
        report(host, "activate", "ok", changed=True, release={**release, "current": opened["version"], "previous": serving})
    return call("close") if opened["plan"]["hosts"] else {"status": "nothing", "plan": opened["plan"], "version": opened["version"]}


def test_who_was_left_out_is_told_at_the_end_and_is_who_catching_up_goes_for(feeder: Feeder, tmp_path: Path) -> None:
    assert deploy("1.0")["status"] == "success"
    closed = deploy("1.1", "web2", serving="1.0")
    assert (closed["status"], closed["left_out"]) == ("success", ["web2"])
    assert closed["owed"] == {"web2": "unreachable: PROVIDER_CONNECTION_ERROR no route to host"}
    opened = call("open", **{**OPEN, "hosts": HOSTS, "version": "", "kind": "catchup", "scope": "part", "batches": ["50%"]})["deployment"]
    assert {name: opened["plan"][name] for name in ("version", "digest", "hosts", "max_unreachable")} == {
        "version": "1.1",
        "digest": "sha256:1.1",
        "hosts": ["web2"],
        "max_unreachable": 1,
    }
    assert call("intent", host="web2", step="stage", version="1.1", attempt=1)["digest"] == "sha256:1.1"
    release = {"version": "1.1", "current": "1.1", "previous": "1.0"}
    report("web2", "activate", "ok", changed=True, release=release)
    assert call("close")["status"] == "success"
    assert deploy("", kind="catchup", scope="part")["status"] == "nothing"
    feeder.close()
    assert rows(tmp_path, "SELECT host, version, settled_by FROM tb_owed_host") == [("web2", "1.1", "shop_api:test:3")]
    assert rows(tmp_path, "SELECT kind, scope FROM tb_deployment ORDER BY number") == [("deploy", "whole"), ("deploy", "whole"), ("catchup", "part")]


def test_nothing_owed_locks_and_writes_nothing(feeder: Feeder, tmp_path: Path) -> None:
    deploy("1.0")
    nothing = deploy("", kind="catchup", scope="part")
    assert (nothing["version"], nothing["plan"]["hosts"], nothing["plan"]["batches"]) == ("1.0", [], [])
    assert deploy("1.1")["status"] == "success", "the run may open a deployment after it"
    feeder.close()
    assert rows(tmp_path, "SELECT count(*) FROM tb_deployment") == [(2,)]


def test_hosts_of_this_run_only_and_new_ones_when_they_are_asked_for(feeder: Feeder) -> None:
    deploy("1.0", "web2", "web3")
    catchup = {**OPEN, "version": "", "kind": "catchup", "scope": "part", "check": True}
    assert call("open", **{**catchup, "hosts": ["web1", "web3", "web4"]})["deployment"]["plan"]["hosts"] == ["web3"]
    call("close")
    assert call("open", **{**catchup, "hosts": ["web1", "web3", "web4"], "new_hosts": True})["deployment"]["plan"]["hosts"] == ["web3", "web4"]


def test_a_fleet_that_has_nothing_cannot_be_caught_up_with(feeder: Feeder) -> None:
    with pytest.raises(NotFoundError, match="nothing to catch up with"):
        deploy("", kind="catchup", scope="part")


def test_another_version_than_the_fleet_s_is_refused(feeder: Feeder) -> None:
    deploy("1.0", "web2")
    with pytest.raises(ValidationError, match=r"version: 1.2 is not what the fleet has \(1.0, by shop_api:test:1\)"):
        deploy("1.2", kind="catchup", scope="part")


def test_a_part_that_goes_to_a_version_of_its_own_leaves_no_debt(feeder: Feeder) -> None:
    deploy("1.0")
    closed = deploy("2.0", "web2", scope="part", hosts=["web1", "web2"])
    assert (closed["status"], closed["left_out"], closed["owed"]) == ("success", ["web2"], {})


def test_a_budget_that_is_no_number_of_hosts_is_refused_before_anything_is_locked(feeder: Feeder, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="rolling_max_unreachable: 'some'"):
        deploy("1.0", max_unreachable="some")
    feeder.close()
    assert rows(tmp_path, "SELECT count(*) FROM tb_lock") == [(0,)]


def test_a_host_that_serves_another_version_than_recorded_is_an_event_and_told_to_its_step(feeder: Feeder, tmp_path: Path) -> None:
    deploy("1.0")
    call("open", **{**OPEN, "hosts": HOSTS, "version": "1.1"})
    call("query", query="fleet")  # the question after the record is answered in order: once this is, that is, too
    as_recorded, changed, empty = ({"version": "1.1", "current": current} for current in ("1.0", "0.9", None))
    assert report("web1", "stage", "ok", release=as_recorded)["drift"] is None
    assert report("web2", "stage", "ok", release=changed)["drift"] == {"recorded": "1.0", "answers": "0.9"}
    assert report("web3", "stage", "ok", release=empty)["drift"] == {"recorded": "1.0", "answers": None}
    assert report("web1", "activate", "ok", release=changed)["drift"] is None, "only what a host served before we came"
    call("close")
    feeder.close()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        drifted = connection.execute("SELECT host, data FROM tb_event WHERE type = 'host.drifted' ORDER BY host").fetchall()
    assert [(host, json.loads(data)) for host, data in drifted] == [
        ("web2", {"recorded": "1.0", "answers": "0.9"}),
        ("web3", {"recorded": "1.0", "answers": None}),
    ]


def test_a_host_that_serves_what_a_cut_off_deployment_was_bringing_was_changed_by_nobody_else(feeder: Feeder, tmp_path: Path) -> None:
    deploy("1.0")
    feeder.close()
    cut = Feeder("run-2", settings(tmp_path, lease=0.5))
    cut.start()
    call("open", **{**OPEN, "hosts": HOSTS, "version": "1.1"})
    for host in ("web1", "web2"):
        call("intent", host=host, step="activate", version="1.1", attempt=1)
    cut.close()
    last = Feeder("run-3", settings(tmp_path))
    last.start()
    standing = call("query", query="status")["answer"]
    assert [row["cut_off"] for row in standing["fleet"]] == ["shop_api:test:2", "shop_api:test:2", None]
    (row,) = standing["status"]
    assert (row["hosts_on_version"], row["hosts_total"], row["unsettled"]) == (1, 3, ["shop_api:test:2"])
    call("open", **{**OPEN, "hosts": HOSTS, "version": "1.2"})
    call("query", query="fleet")
    known, other = ({"version": "1.2", "current": current} for current in ("1.1", "0.9"))
    assert report("web1", "stage", "ok", release=known)["drift"] == {"recorded": "1.0", "answers": "1.1", "cut_off": "shop_api:test:2"}
    assert report("web2", "stage", "ok", release=other)["drift"] == {"recorded": "1.0", "answers": "0.9"}
    call("close")
    last.close()
    assert rows(tmp_path, "SELECT host FROM tb_event WHERE type = 'host.drifted'") == [("web2",)]
