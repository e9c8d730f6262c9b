# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only HAProxy has: a TCP socket, clients that are bound to a server, and answers that may be anything."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NotFoundError, ProviderConfigurationError
from tests.integration.balancers.backends import Backend, until
from tests.integration.balancers.conftest import caller
from tests.testbed.balancers import RunningBalancer

pytestmark = pytest.mark.parametrize("balancer", ["haproxy"], indirect=True)


def test_the_socket_may_be_tcp(balancer: RunningBalancer, tmp_path: Path) -> None:
    balancer.options["haproxy"] = {"socket": balancer.options["tcp"]}
    call = caller(balancer, tmp_path)
    until(lambda: call("inspected")["available"] == 3, "three servers in service")
    assert call("drained", "web1")["ended"] == "drained"
    assert call("ready", "web1")["changed"] is True


def test_a_client_that_is_bound_to_a_drained_server_goes_elsewhere(balancer: RunningBalancer, tmp_path: Path, backends: dict[str, Backend]) -> None:
    call = caller(balancer, tmp_path)
    until(lambda: call("inspected")["available"] == 3, "three servers in service")

    def ask(cookie: str | None) -> tuple[int, str, str | None]:
        link = http.client.HTTPConnection("127.0.0.1", balancer.port, timeout=20)
        link.request("GET", "/", headers={"Cookie": cookie} if cookie else {})
        answer = link.getresponse()
        said = answer.read().decode()
        link.close()
        return answer.status, said, answer.getheader("Set-Cookie")

    _status, bound, cookie = ask(None)
    assert cookie
    cookie = cookie.split(";")[0]
    assert {ask(cookie)[1] for _number in range(6)} == {bound}
    call("drained", bound)
    backends[bound].stop()
    assert {ask(cookie)[:2] for _number in range(6)}.isdisjoint({(200, bound)})
    assert {ask(cookie)[0] for _number in range(6)} == {200}


def test_an_unknown_backend_is_named(balancer: RunningBalancer, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="HAProxy has no backend 'shop'"):
        caller(balancer, tmp_path)("inspected", backend="shop")


def test_a_weight_that_cannot_be_expressed_is_refused(balancer: RunningBalancer, tmp_path: Path) -> None:
    path = balancer.folder / "haproxy.cfg"
    path.write_text(path.read_text().replace("rise 2 weight 100", "rise 2 weight 1"))
    balancer.reload()
    call = caller(balancer, tmp_path)
    until(lambda: call("inspected")["available"] == 3, "three servers in service")
    with pytest.raises(ProviderConfigurationError, match="10 % of the weight 1 that web1 has in HAProxy's configuration is less than 1"):
        call("weighted", "web1", weight=10)


def test_an_algorithm_without_weights_is_refused(balancer: RunningBalancer, tmp_path: Path) -> None:
    path = balancer.folder / "haproxy.cfg"
    path.write_text(path.read_text().replace("balance roundrobin", "balance static-rr"))
    balancer.reload()
    call = caller(balancer, tmp_path)
    until(lambda: call("inspected")["available"] == 3, "three servers in service")
    with pytest.raises(ProviderConfigurationError, match="roundrobin or leastconn"):
        call("weighted", "web1", weight=10)
    assert call("drained", "web1")["ended"] == "drained"
