# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One suite for every balancer: what the drivers promise, on real HAProxy and real nginx."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    DeploymentLockedError,
    FencedError,
    FraisierError,
    HealthCheckError,
    NotFoundError,
    ProviderConfigurationError,
    ProviderUnavailableError,
)
from ansible_collections.fraisier.deploy.plugins.module_utils.host_lock import host_lock
from tests.integration.balancers.backends import Backend, answers, steady_load, until
from tests.integration.balancers.conftest import Call
from tests.testbed.balancers import RunningBalancer

Backends = dict[str, Backend]


def states(told: dict[str, Any]) -> dict[str, str]:
    return {server["name"]: server["state"] for server in told["servers"]}


def test_a_look_tells_every_server_and_changes_nothing(call: Call, backends: Backends) -> None:
    told = call("inspected")
    assert (told["changed"], told["available"]) == (False, 3)
    for server in told["servers"]:
        assert {key: server[key] for key in ("state", "weight", "health", "in_flight")} == {"state": "ready", "weight": 100, "health": "up", "in_flight": 0}
        assert server["address"] == f"127.0.0.1:{backends[server['name']].port}"


def test_a_drained_server_gets_no_requests_until_it_is_ready_again(call: Call, balancer: RunningBalancer) -> None:
    told = call("drained", "web2")
    assert (told["changed"], told["ended"], told["in_flight"], told["available"]) == (True, "drained", 0, 2)
    assert states(told) == {"web1": "ready", "web2": "drained", "web3": "ready"}
    assert set(answers(balancer)) == {"web1", "web3"}

    assert call("ready", "web2")["changed"] is True
    assert set(answers(balancer)) == {"web1", "web2", "web3"}


def test_what_is_so_already_is_no_change(call: Call) -> None:
    assert [call("ready", "web1")["changed"], call("weighted", "web1", weight=100)["changed"]] == [False, False]
    assert [call("drained", "web1")["changed"], call("drained", "web1")["changed"]] == [True, False]
    assert [call("ready", "web1")["changed"], call("ready", "web1")["changed"]] == [True, False]
    assert [call("weighted", "web1", weight=30)["changed"], call("weighted", "web1", weight=30)["changed"]] == [True, False]


def hold(balancer: RunningBalancer, backends: Backends) -> tuple[Any, Backend]:
    """A request that is under way, and the server that has it."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(balancer.get, "/hold")
    found: list[Backend] = []
    until(lambda: found or [found.append(backend) for backend in backends.values() if backend.held.acquire(blocking=False)], "the request")
    return future, found[0]


def test_a_drain_ends_when_the_last_request_has_its_answer(call: Call, balancer: RunningBalancer, backends: Backends) -> None:
    future, busy = hold(balancer, backends)
    with ThreadPoolExecutor(1) as pool:
        drain = pool.submit(call, "drained", busy.name, limit=20)
        until(lambda: states(call("inspected"))[busy.name] == "drained", "the drain to begin")
        time.sleep(1.5)
        assert not drain.done()
        assert {server["name"]: server["in_flight"] for server in call("inspected")["servers"]}[busy.name] == 1
        busy.let_go.set()
        told = drain.result(20)
    assert (told["ended"], told["in_flight"]) == ("drained", 0)
    assert told["timings"]["drain"] >= 1.4
    assert future.result(20) == (200, busy.name)


def test_a_drain_that_reaches_its_limit_says_so_and_cuts_nothing_off(call: Call, balancer: RunningBalancer, backends: Backends) -> None:
    future, busy = hold(balancer, backends)
    warnings: list[str] = []
    told = call("drained", busy.name, limit=1, warn=warnings.append)
    assert (told["ended"], told["in_flight"]) == ("limit", 1)
    assert 1 <= told["timings"]["drain"] < 10
    assert warnings == [f"{busy.name} still had 1 in flight after 1 s"]
    busy.let_go.set()
    assert future.result(20) == (200, busy.name)


def test_a_server_is_ready_only_when_the_balancer_sees_it_well(call: Call, balancer: RunningBalancer, backends: Backends) -> None:
    call("drained", "web2")
    backends["web2"].stop()
    with pytest.raises(HealthCheckError, match=r"web2 \(127\.0\.0\.1:\d+\) is down after 1 s\. It stays out of service"):
        call("ready", "web2", ready_timeout=1)
    assert set(answers(balancer)) == {"web1", "web3"}

    backends["web2"].well = False
    backends["web2"].start()
    with ThreadPoolExecutor(1) as pool:
        ready = pool.submit(call, "ready", "web2", ready_timeout=20)
        time.sleep(1)
        assert not ready.done()
        backends["web2"].well = True
        assert ready.result(20)["changed"] is True
    assert set(answers(balancer)) == {"web1", "web2", "web3"}


def test_weights_move_real_traffic(call: Call, balancer: RunningBalancer) -> None:
    for name in ("web2", "web3"):
        assert call("weighted", name, weight=10)["server"]["weight"] == 10
    found = answers(balancer, 48)
    assert found["web1"] >= 36 and found["web2"] >= 1, found

    assert call("weighted", "web3", weight=0)["available"] == 2
    assert set(answers(balancer)) == {"web1", "web2"}
    for name in ("web2", "web3"):
        call("weighted", name, weight=100)
    assert max(answers(balancer, 30).values()) <= 14


def test_several_servers_get_the_same_weight_in_one_call(call: Call, balancer: RunningBalancer) -> None:
    told = call("weighted", None, servers=["web2", "web3"], weight=10)
    assert (told["changed"], [server["weight"] for server in told["servers"]]) == (True, [100, 10, 10])
    assert call("weighted", None, servers=["web2", "web3"], weight=10)["changed"] is False
    assert answers(balancer, 48)["web1"] >= 36
    with pytest.raises(ProviderUnavailableError, match="fewer than min_available 2"):
        call("weighted", None, servers=["web2", "web3"], weight=0, min_available=2)
    with pytest.raises(NotFoundError, match="no server 'web9'"):
        call("weighted", None, servers=["web2", "web9"], weight=100)
    assert [server["weight"] for server in call("inspected")["servers"]] == [100, 10, 10]
    assert call("weighted", None, servers=["web2", "web3"], weight=100, check_mode=True)["changed"] is True
    assert call("weighted", None, servers=["web1", "web2", "web3"], weight=100)["changed"] is True


def test_a_weight_outlives_a_drain(call: Call) -> None:
    call("weighted", "web2", weight=20)
    call("drained", "web2")
    assert call("ready", "web2")["server"]["weight"] == 20


def test_state_and_weight_outlive_a_reload(call: Call, balancer: RunningBalancer) -> None:
    call("drained", "web1")
    call("weighted", "web2", weight=50)
    balancer.reload()
    time.sleep(0.5)
    told = call("inspected")
    assert states(told) == {"web1": "drained", "web2": "ready", "web3": "ready"}
    assert [server["weight"] for server in told["servers"]] == [100, 50, 100]
    assert set(answers(balancer)) == {"web2", "web3"}
    call("ready", "web1")
    balancer.reload()
    time.sleep(0.5)
    assert set(answers(balancer)) == {"web1", "web2", "web3"}


def test_never_fewer_than_min_available_are_in_service(call: Call, balancer: RunningBalancer) -> None:
    call("drained", "web1", min_available=2)
    started = time.monotonic()
    with pytest.raises(
        ProviderUnavailableError, match=r"web2 was not drained: without it backend app would have 1 server in service \(web3\), fewer than min_available 2"
    ):
        call("drained", "web2", min_available=2, limit=1)
    assert 1 <= time.monotonic() - started < 15
    assert set(answers(balancer)) == {"web2", "web3"}


def test_a_drain_waits_for_another_server_to_come_back(call: Call) -> None:
    call("drained", "web1", min_available=2)
    with ThreadPoolExecutor(1) as pool:
        drain = pool.submit(call, "drained", "web2", min_available=2, limit=20)
        time.sleep(1)
        assert not drain.done()
        call("ready", "web1")
        told = drain.result(20)
    assert (told["ended"], states(told)) == ("drained", {"web1": "ready", "web2": "drained", "web3": "ready"})
    assert told["timings"]["wait"] >= 0.9


def test_a_server_that_is_down_does_not_count_as_in_service(call: Call, backends: Backends) -> None:
    backends["web3"].stop()
    until(lambda: call("inspected")["available"] == 2, "the balancer to notice")
    with pytest.raises(ProviderUnavailableError, match=r"would have 1 server in service"):
        call("drained", "web2", min_available=2, limit=0.5)
    assert call("drained", "web3", min_available=2)["changed"] is True  # nothing is lost by it


def test_what_no_waiting_helps_is_refused_at_once(call: Call) -> None:
    started = time.monotonic()
    with pytest.raises(ProviderConfigurationError, match=r"backend app has 3 servers in all, so without web1 it cannot keep 3 in service.*Nothing was changed"):
        call("drained", "web1", min_available=3, limit=60)
    assert time.monotonic() - started < 20
    with pytest.raises(FraisierError, match="cannot keep 3"):
        call("drained", "web1", min_available=3, check_mode=True)
    assert call("inspected")["available"] == 3


def test_weight_0_counts_as_out_of_service(call: Call) -> None:
    call("drained", "web1", min_available=2)
    with pytest.raises(ProviderUnavailableError, match="fewer than min_available 2"):
        call("weighted", "web2", weight=0, min_available=2)


def test_check_mode_tells_what_would_change_and_changes_nothing(call: Call, balancer: RunningBalancer, tmp_path: Path) -> None:
    told = call("drained", "web1", check_mode=True, diff=True)
    assert (told["changed"], told["server"]["state"], told["ended"]) == (True, "drained", None)
    assert told["diff"]["before"]["web1"] == {"state": "ready", "weight": 100}
    assert told["diff"]["after"]["web1"] == {"state": "drained", "weight": 100}
    assert call("weighted", "web1", weight=10, check_mode=True)["server"]["weight"] == 10
    assert call("ready", "web1", check_mode=True)["changed"] is False
    assert states(call("inspected"))["web1"] == "ready"
    assert not (tmp_path / "notes").exists()
    told = call("drained", "web1", diff=True)
    assert (told["diff"]["before"]["web1"]["state"], told["diff"]["after"]["web1"]["state"]) == ("ready", "drained")


def test_a_backend_obeys_no_deployment_that_is_older_than_the_newest_it_has_seen(call: Call) -> None:
    call("drained", "web1", fence={"token": 7, "owner": "b", "owner_name": "on-call"})
    for state in ("drained", "ready", "weighted"):
        with pytest.raises(FencedError, match="refuses token 6"):
            call(state, "web1", weight=10, fence={"token": 6, "owner": "a", "owner_name": "late"})
    assert states(call("inspected"))["web1"] == "drained"
    call("ready", "web1", fence={"token": 7, "owner": "b", "owner_name": "on-call"})


def test_what_somebody_else_took_out_of_service_stays_out(call: Call, tmp_path: Path) -> None:
    call("drained", "web1")
    (notes,) = (tmp_path / "notes").glob("*.drained.json")
    assert list(json.loads(notes.read_text())) == ["web1"]
    notes.unlink()  # as if by another hand
    warnings: list[str] = []
    told = call("ready", "web1", only_ours=True, warn=warnings.append)
    assert (told["changed"], told["ended"], warnings) == (False, "left out", ["web1 was taken out of service by somebody else, and stays out"])
    assert call("ready", "web1")["changed"] is True
    call("drained", "web1")
    assert call("ready", "web1", only_ours=True)["changed"] is True


def test_two_calls_at_once_never_mix(call: Call, tmp_path: Path) -> None:
    names, lowest, ended = ["web1", "web2", "web3"], [3], threading.Event()

    def watch() -> None:
        while not ended.is_set():
            lowest.append(sum(server["state"] == "ready" for server in call("inspected")["servers"]))

    watcher = threading.Thread(target=watch)
    watcher.start()

    def turn(name: str) -> None:
        for _number in range(2):
            assert call("drained", name, min_available=2, limit=60)["ended"] == "drained"
            assert call("ready", name)["server"]["in_service"] is True

    with ThreadPoolExecutor(3) as pool:
        for future in [pool.submit(turn, name) for name in names]:
            future.result(120)
    ended.set()
    watcher.join()
    assert min(lowest) >= 2
    assert states(call("inspected")) == dict.fromkeys(names, "ready")
    (lock,) = (tmp_path / "notes").glob("*.lock")
    with host_lock(str(lock), timeout=0, purpose="a test"), pytest.raises(DeploymentLockedError, match="a test"):
        call("drained", "web1", lock_timeout=0.2)


def test_unknown_names_are_refused_with_those_that_there_are(call: Call) -> None:
    with pytest.raises(NotFoundError, match=r"backend app has no server 'web9'\. It has: web1, web2, web3"):
        call("drained", "web9")


def test_a_balancer_that_is_away_is_told_with_its_address(call: Call, balancer: RunningBalancer) -> None:
    balancer.stop()
    for state in ("inspected", "drained", "ready"):
        with pytest.raises(FraisierError) as caught:
            call(state, "web1")
        assert caught.value.code in ("PROVIDER_CONNECTION_ERROR", "PROVIDER_UNAVAILABLE"), caught.value
        assert caught.value.infrastructure
        assert str(balancer.folder) in str(caught.value)


def test_counters_grow_with_requests_and_errors(call: Call, balancer: RunningBalancer) -> None:
    before = {server["name"]: server for server in call("inspected")["servers"]}
    for _number in range(30):
        balancer.get("/")
    for _number in range(6):
        assert balancer.get("/error")[0] == 500
    after = {server["name"]: server for server in call("inspected")["servers"]}
    assert sum(after[name]["requests"] - before[name]["requests"] for name in after) == 36
    assert sum(after[name]["errors"] - before[name]["errors"] for name in after) == 6


def test_no_request_is_lost_while_every_server_is_restarted_in_turn(call: Call, balancer: RunningBalancer, backends: Backends) -> None:
    with steady_load(balancer) as load:
        for name, backend in backends.items():
            assert call("drained", name)["ended"] == "drained"
            backend.stop()
            time.sleep(0.3)
            backend.start()
            call("ready", name)
    assert load.failed == []
    assert load.done > 200
