# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One change of traffic: what is refused before anything is asked, and what the recorder is told of a balancer that answers or does not."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.fraisier.deploy.plugins.action.traffic import ActionModule
from ansible_collections.fraisier.deploy.plugins.plugin_utils import traffic_action
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import SOCKET_VARIABLE
from tests.unit.plugins.action.acting import Recorder, act
from tests.unit.plugins.module_utils.balancers.answering import answering
from tests.unit.plugins.module_utils.balancers.test_haproxy import STAT, STATES

READY = STATES.replace("web2 10.0.0.2 0 8", "web2 10.0.0.2 2 0")


@pytest.fixture
def deployment(listening: Recorder) -> Recorder:
    """A recorder with an open deployment."""
    listening.answers["intent"] = [{"step_id": "0199", "fence": {"token": 7, "owner": "me", "owner_name": "on-call"}}]
    return listening


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fraisier-") as folder:  # a socket's path is short
        yield Path(folder)


def traffic(place: Path, state: str, *, check: bool = False, variables: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    arguments = {"state": state, "driver": "haproxy", "backend": "app", "server": "web1", "path": f"{place}/notes", "haproxy": {"socket": f"{place}/lb.sock"}}
    return act(ActionModule, {**arguments, **more}, check=check, variables=variables)


def test_intent_and_outcome_are_told_with_how_the_drain_ended(deployment: Recorder, place: Path) -> None:
    drained = STATES.replace("web1 10.0.0.1 2 0", "web1 10.0.0.1 2 8").replace("web2 10.0.0.2 0 8", "web2 10.0.0.2 2 0")
    idle = STAT.replace("web1,1,2", "web1,0,0")

    def answer(asked: list[str]) -> bytes:
        begun = any(command.startswith("set") for command in asked)
        return {"set": "\n"}.get(asked[-1][:3], idle if asked[-1] == "show stat" else drained if begun else READY).encode()

    with answering(place / "lb.sock", answer):
        result = traffic(place, "drained", min_available=1)
    assert not result.get("failed"), result
    assert (result["changed"], result["step"], result["balancer"]) == (True, "drain", "web1")
    assert deployment.of("intent") == [{"host": "web1", "step": "drain", "version": None, "attempt": 1}]
    (told,) = deployment.of("outcome")
    assert {key: told[key] for key in ("step_id", "host", "step", "outcome", "changed", "error")} == {
        "step_id": "0199",
        "host": "web1",
        "step": "drain",
        "outcome": "ok",
        "changed": True,
        "error": None,
    }
    assert told["traffic"] == {"balancer": "web1", "ended": "drained", "in_flight": 0, "available": 1, "backend": "app"}
    assert told["timings"]["drain"] >= 0.2
    assert '"token": 7' in (place / "notes" / "haproxy-app.fence.json").read_text()


def test_a_balancer_that_answers_garbage_fails_the_step_and_is_told(deployment: Recorder, place: Path) -> None:
    with answering(place / "lb.sock", b"<html>"):
        result = traffic(place, "drained")
    assert result["failed"] and result["msg"].startswith("web1: ") and result["msg"].endswith("[PROVIDER_ERROR]")
    (told,) = deployment.of("outcome")
    assert (told["outcome"], told["changed"], told["error"]["infrastructure"]) == ("failed", False, True)


def test_a_balancer_host_that_is_away_fails_the_step_not_the_host(deployment: Recorder, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def __init__(self, *_words: object) -> None:
            pass

        def call(self, *_words: object) -> None:
            raise AnsibleConnectionFailure("no route")

    monkeypatch.setattr(traffic_action, "HostCall", Away)
    result = traffic(place, "ready")
    assert (result["failed"], result.get("unreachable", False)) == (True, False)
    assert "The balancer's host web1 cannot be reached: no route" in result["msg"]
    (told,) = deployment.of("outcome")
    assert (told["outcome"], told["error"]["code"], "changed" in told) == ("failed", "PROVIDER_CONNECTION_ERROR", False)


def test_several_hosts_get_their_share_under_the_names_that_this_balancer_knows(deployment: Recorder, place: Path) -> None:
    known = {
        "web1": {"traffic_balancers": [{"host": "web1", "server": "web1"}], "traffic_server": "elsewhere"},
        "api2": {"traffic_balancers": ["web1"], "traffic_server": "web2"},
        "web3": {},
    }
    assert traffic_action.servers_of(["web1", "api2", "web3"], "web1", {"hostvars": known}) == ["web1", "web2", "web3"]
    with answering(place / "lb.sock", lambda asked: {"set": b"\n"}.get(asked[-1][:3], (STAT if asked[-1] == "show stat" else READY).encode())):
        result = traffic(place, "weighted", server=None, hosts=["web1", "api2"], weight=10, variables={"hostvars": known})
    assert not result.get("failed"), result
    assert result["weighted"] == ["web1", "web2"]
    (told,) = deployment.of("outcome")
    assert (told["step"], told["traffic"]["servers"]) == ("weight", ["web1", "web2"])


def test_a_host_that_the_inventory_has_not_is_named(place: Path) -> None:
    result = traffic(place, "weighted", server=None, hosts=["web9"], weight=10, variables={"hostvars": {"web1": {}}})
    assert result["failed"] and "hosts: the inventory has no host web9" in result["msg"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"balancers": []}, "traffic_balancers is empty, so no balancer would be told"),
        ({"balancers": [{"driver": "nginx"}]}, "names no host"),
        ({"balancers": ["lb1"], "balancer": {"host": "lb1", "socket": "/x"}}, "socket of lb1 is no option of a balancer"),
        ({"state": "weighted", "weight": "110%"}, "traffic_weight: '110%' is no share"),
        ({"state": "weighted", "weight": "much"}, "traffic_weight: 'much' is no share"),
        ({"state": "weighted"}, "weight: None is missing"),
        ({"server": "web1; show env"}, "is not a name"),
        ({"min_available": -1}, "min_available: -1 is too small"),
        ({"driver": "nginx"}, "nginx.include is missing"),
        ({"driver": "caddy"}, "value of driver must be one of"),
    ],
)
def test_what_cannot_work_is_refused_before_the_recorder_or_the_balancer_hear_of_it(
    deployment: Recorder, place: Path, more: dict[str, Any], words: str
) -> None:
    result = traffic(place, **{"state": "drained", **more})
    assert result["failed"] and words in result["msg"], result
    assert deployment.asked == []
    assert list(place.iterdir()) == []


def test_a_weight_may_be_written_with_its_sign(deployment: Recorder, place: Path) -> None:
    with answering(place / "lb.sock", READY.encode(), STAT.encode()):
        result = traffic(place, "weighted", weight="50%", check=True)
    assert (result["changed"], result["server"]["weight"]) == (False, 50)
    assert not (place / "notes").exists()


def test_a_look_is_no_step(deployment: Recorder, place: Path) -> None:
    with answering(place / "lb.sock", READY.encode(), STAT.encode()):
        result = traffic(place, "inspected", server=None)
    assert [server["name"] for server in result["servers"]] == ["web1", "web2", "web3"]
    assert deployment.asked == []


def test_outside_a_run_of_ours_traffic_is_changed_all_the_same(place: Path) -> None:
    assert SOCKET_VARIABLE not in os.environ
    with answering(place / "lb.sock", READY.encode(), STAT.encode()):
        assert traffic(place, "ready", only_ours=True)["changed"] is False
