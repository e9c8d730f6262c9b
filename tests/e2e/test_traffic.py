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

from tests.e2e.behind_balancers import BalancedFleet, balanced_fleet
from tests.e2e.observation import rows
from tests.e2e.steady_load import steady_load
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
    """Three hosts that serve 1.0.0 behind one balancer."""
    with balanced_fleet(tmp_path, HOSTS, [request.param]) as fleet:
        for version, behaviour in (("1.0.0", "healthy"), ("2.0.0", "healthy"), ("3.0.0", "unhealthy")):
            fleet.release(version, behaviour)
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

        undone = shop.controller.deploy("shop_api", "3.0.0", rolling_batches=[2])
        assert undone.code == 2, undone.output
        assert shop.controller.latest()["status"] == "rolled_back"

        back = shop.controller.run("rollback", fraise="shop_api", version="1.0.0")
        assert back.code == 0, back.output
        assert set(shop.serving().values()) == {"1.0.0"}
    assert load.failed == []
    assert load.done > 500
    assert set(load.versions) == {"1.0.0", "2.0.0"}
