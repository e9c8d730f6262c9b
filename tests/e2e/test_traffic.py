# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments behind real balancers under a steady load: nothing is lost on the way there, in an undo, and on the way back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.behind_balancers import BalancedFleet, balanced_fleet
from tests.e2e.local_fleet import LocalFleet
from tests.e2e.observation import rows, wait_for
from tests.e2e.steady_load import steady_load
from tests.e2e.test_recover import end_with_everything_below
from tests.testbed.balancers import KINDS

HOSTS = ["web1", "web2", "web3"]


def traffic(fleet: BalancedFleet, step: str) -> list[dict[str, Any]]:
    """What the record has of the steps ``drain`` or ``undrain`` of the newest deployment, in order."""
    found = rows(
        fleet.controller,
        "SELECT data FROM tb_event WHERE type = 'step.outcome' AND fk_deployment = (SELECT MAX(pk_deployment) FROM tb_deployment) ORDER BY pk_event",
    )
    return [told for told in (json.loads(row["data"]) for row in found) if told["step"] == step]


@pytest.fixture(params=KINDS)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BalancedFleet]:
    """Three hosts that serve 1.0.0 behind one balancer; web3 alone finds fault with 3.0.0."""
    with balanced_fleet(tmp_path, HOSTS, [request.param]) as fleet:
        for version in ("1.0.0", "2.0.0", "3.0.0"):
            fleet.release(version)
        answer = "{{ 'another' if version == '3.0.0' and inventory_hostname == 'web3' else version }}"
        fleet.set(fraise_health=[{"http": {"url": "http://127.0.0.1:{{ service_port }}/health", "json": {"version": answer}}}], fraise_timeout=3)
        first = fleet.controller.deploy("shop_api", "1.0.0")
        assert first.code == 0, first.output
        yield fleet


@pytest.mark.timeout(280)
def test_nothing_is_lost_through_deploy_undo_and_rollback(shop: BalancedFleet) -> None:
    with steady_load(shop.balancers["lb1"].port) as load:
        deployed = shop.controller.deploy("shop_api", "2.0.0")
        assert deployed.code == 0, deployed.output
        drains = traffic(shop, "drain")
        assert [told["traffic"]["ended"] for told in drains] == ["drained"] * 3, drains
        assert all(told["traffic"]["balancer"] == "lb1" and told["timings"]["drain"] >= 0 for told in drains)
        assert [told["traffic"]["ended"] for told in traffic(shop, "undrain")] == ["ready"] * 3
        assert "web1  lb1: drained" in deployed.output and "web1  lb1: in service again" in deployed.output

        undone = shop.controller.deploy("shop_api", "3.0.0", rolling_batches=[2, 1])
        assert (undone.code, shop.controller.latest()["status"]) == (2, "rolled_back"), undone.output
        assert {told["traffic"]["ended"] for told in traffic(shop, "drain")} == {"drained"}
        assert len(traffic(shop, "drain")) == 5  # three on the way there, two on the way back
        assert shop.in_service() == {"lb1": HOSTS}

        back = shop.controller.run("rollback", fraise="shop_api", version="1.0.0")
        assert back.code == 0, back.output
    assert load.failed == []
    assert load.done > 500
    assert set(load.versions) == {"1.0.0", "2.0.0", "3.0.0"}
    assert set(shop.serving().values()) == {"1.0.0"}


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[BalancedFleet]:
    """Two hosts that serve 1.0.0, behind HAProxy and nginx."""
    with balanced_fleet(tmp_path, HOSTS[:2], ["haproxy", "nginx"], fraise_timeout=3) as fleet:
        fleet.controller.settings.update({"FRAISIER_LEASE_SECONDS": "3", "FRAISIER_HEARTBEAT_SECONDS": "1"})
        for version, behaviour in (("1.0.0", "healthy"), ("2.0.0", "healthy"), ("3.0.0", "unhealthy")):
            fleet.release(version, behaviour)
        first = fleet.controller.deploy("shop_api", "1.0.0")
        assert first.code == 0, first.output
        yield fleet


BOTH = {"lb1": ["web1", "web2"], "lb2": ["web1", "web2"]}


@pytest.mark.timeout(280)
def test_two_balancers_never_differ_for_long(pair: BalancedFleet) -> None:
    controller = pair.controller
    refused = controller.deploy("shop_api", "2.0.0", traffic_min_available=2)
    assert refused.code == 2
    assert "backend app has 2 servers in all, so without web1 it cannot keep 2 in service" in refused.output
    assert (set(pair.serving().values()), pair.in_service()) == ({"1.0.0"}, BOTH), refused.output

    wide = controller.deploy("shop_api", "2.0.0", rolling_batches=[2])
    assert wide.code == 2
    assert "2 hosts at once are too many: backend app has 2 servers, and 1 must stay in service" in wide.output
    assert (set(pair.serving().values()), pair.in_service()) == ({"1.0.0"}, BOTH), wide.output

    checked = controller.deploy("shop_api", "2.0.0", "--check")
    assert checked.code == 0, checked.output
    assert "web1  lb1: would be drained" in checked.output
    assert pair.in_service() == BOTH

    process = controller.start("deploy", fraise="shop_api", version="2.0.0", wait=20)
    wait_for(lambda: "web1" not in pair.in_service()["lb1"], 40, "the first drain")
    end_with_everything_below(process.pid)
    process.kill()
    process.wait(20)
    recovered = controller.run("recover", fraise="shop_api", recover="undo", wait=30)
    assert (recovered.code, pair.in_service(), set(pair.serving().values())) == (0, BOTH, {"1.0.0"}), recovered.output

    (pair.folder / "hosts/web1/releases/1.0.0/server.py").unlink()  # so that there is no way back
    broken = controller.deploy("shop_api", "3.0.0")
    assert "ROLLBACK_FAILED" in broken.output, broken.output
    assert "web1 stays out of service" in broken.output
    assert pair.in_service() == {"lb1": ["web2"], "lb2": ["web2"]}
    mended = controller.deploy("shop_api", "2.0.0")
    assert (mended.code, pair.in_service()) == (0, BOTH), mended.output

    pair.balancers["lb2"].stop()
    away = controller.deploy("shop_api", "1.0.0")
    assert away.code == 2
    assert "web1 was not drained and is not changed: lb2:" in " ".join(away.output.split()), away.output
    assert "nginx does not run" in away.output
    assert (set(pair.serving().values()), pair.in_service(["lb1"])) == ({"2.0.0"}, {"lb1": ["web1", "web2"]})


def test_a_hook_takes_hosts_out_and_puts_them_back(tmp_path: Path) -> None:
    hook = tmp_path / "hook.yml"
    line = "{{ traffic_state }} {{ traffic_server }} of {{ traffic_backend }} while {{ lookup('pipe', 'readlink ' ~ fraise_path ~ '/current || true') }}"
    task = {"name": "Tell the cloud", "ansible.builtin.shell": f"echo '{line}' >> {tmp_path}/told", "delegate_to": "localhost"}
    hook.write_text(yaml.safe_dump([task], width=1000), encoding="utf-8")
    fleet = LocalFleet(tmp_path, ["web1"], f"sqlite:///{tmp_path}/store.db", traffic_driver="hook", traffic_hook=str(hook))
    fleet.release("1.0.0")
    try:
        run = fleet.controller.deploy("shop_api", "1.0.0")
        assert run.code == 0, run.output
        assert (tmp_path / "told").read_text().splitlines() == ["drained web1 of shop_api while ", "ready web1 of shop_api while releases/1.0.0"]
    finally:
        fleet.stop()
