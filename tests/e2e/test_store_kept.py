# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook that looks after the store: check says what is wrong and fails, prune forgets what is old, backup and restore save and bring back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.local_fleet import LocalFleet
from tests.unit.plugins.plugin_utils.store.test_retention import age, deployed


@pytest.fixture
def shop(tmp_path: Path, sqlite_url: str) -> Iterator[LocalFleet]:
    """A controller whose store has eight deployments of a hundred days ago."""
    fleet = LocalFleet(tmp_path, ["web1"], sqlite_url)
    migrated = fleet.controller.run("store", store="migrate")
    assert migrated.code == 0, migrated.output
    with fleet.controller.store() as store:
        deployed(store, 8)
        age(store, 100)
    yield fleet
    fleet.stop()


def test_prune_says_in_check_mode_what_goes_and_then_forgets_it(shop: LocalFleet) -> None:
    limits = {"store": "prune", "keep_days": 30, "keep": 1}
    would = shop.controller.run("store", "--check", "--diff", **limits)
    assert would.code == 0, would.output
    assert "Would forget 5 deployments" in would.output
    assert "-shop_api:production:5" in would.output
    assert len(shop.controller.history()) == 8
    done = shop.controller.run("store", **limits)
    assert done.code == 0, done.output
    assert "Forgot 5 deployments" in done.output
    assert [row["number"] for row in shop.controller.history()] == [8, 7, 6]
    refused = shop.controller.run("store", store="prune", keep_days=0)
    assert refused.code != 0
    assert "keep_days: 0 is not a number of days" in refused.output


def test_check_fails_when_nobody_works_on_an_open_deployment_and_says_what_helps(shop: LocalFleet) -> None:
    well = shop.controller.run("store", store="check")
    assert well.code == 0, well.output
    with shop.controller.store() as store:
        (run,) = deployed(store, 1, major=3)
        store._transactions.write("breaking", lambda connection: connection.exec_driver_sql("UPDATE tb_deployment SET status = 'in_progress' WHERE number = 9"))
    ill = shop.controller.run("store", store="check")
    assert ill.code != 0
    assert f"nobody works on: {run.opened.identifier}" in ill.output
    assert "fraisier.deploy.recover" in ill.output


def seen_token(fleet: LocalFleet) -> int:
    return int(json.loads((fleet.folder / "hosts/web1/.fraisier/fence.json").read_text(encoding="utf-8"))["token"])


def test_a_store_comes_back_from_its_backup_and_no_host_refuses_what_is_deployed_then(tmp_path: Path, sqlite_url: str) -> None:
    fleet = LocalFleet(tmp_path, ["web1"], sqlite_url)
    path = tmp_path / "backups" / "store.db"
    path.parent.mkdir(mode=0o700)
    run = fleet.controller.run
    try:
        for version in ("1.0", "1.1", "1.2"):
            fleet.release(version)
        assert fleet.controller.deploy("shop_api", "1.0").code == 0
        would = run("store", "--check", store="backup", path=str(path))
        assert (would.code, "Would back up SQLite file" in would.output, path.exists()) == (0, True, False), would.output
        made = run("store", store="backup", path=str(path))
        assert (made.code, "Verified: restored into a scratch database" in made.output) == (0, True), made.output
        # The database's clock was ahead when the next deployment got its token, and the store that knows of it is lost.
        with fleet.controller.store() as store:
            store._transactions.write("ahead", lambda connection: connection.exec_driver_sql("UPDATE tb_lock SET token = token + 50000"))
        assert fleet.controller.deploy("shop_api", "1.1").code == 0
        ahead = seen_token(fleet)
        refused = run("store", store="restore", path=str(path))
        assert (refused.code != 0, "is not empty: it holds 2 deployments" in refused.output) == (True, True), refused.output
        file = Path(sqlite_url.removeprefix("sqlite:///"))
        file.write_bytes(b"noise" * 20000)
        restored = run("store", store="restore", path=str(path), replace=True)
        assert restored.code == 0, restored.output
        assert "Restored" in restored.output
        assert [row["version"] for row in fleet.controller.history()] == ["1.0"]
        last = fleet.controller.deploy("shop_api", "1.2")
        assert last.code == 0, last.output
        assert (seen_token(fleet) > ahead, fleet.serving()) == (True, {"web1": "1.2"})
        with fleet.controller.store() as store:
            assert store.check()["ok"]
    finally:
        fleet.stop()
