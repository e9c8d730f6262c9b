# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the last batch all hosts are watched: what does not hold goes back by itself, in every strategy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.controller import UNDO_LEAVES_NO_LOCK
from tests.e2e.local_fleet import LocalFleet
from tests.e2e.observation import rows, wait_for

NAMES = ["web1", "web2"]
WATCH = {"fraise_watch": 30, "fraise_watch_interval": 1, "rolling_batches": ["100%"]}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFleet]:
    folder = tmp_path_factory.mktemp("watch")
    fleet = LocalFleet(folder, NAMES, f"sqlite:///{folder}/store.db", **WATCH, **UNDO_LEAVES_NO_LOCK)
    for version in ("1.0.0", "2.0.0"):
        fleet.release(version)
    fleet.release("3.0.0", "crash_later", seconds=4)
    first = fleet.controller.deploy("shop_api", "1.0.0", fraise_watch=0)
    assert first.code == 0, first.output
    yield fleet
    fleet.stop()


def status(fleet: LocalFleet) -> str:
    (row,) = rows(fleet.controller, "SELECT status FROM tb_deployment ORDER BY pk_deployment DESC LIMIT 1")
    return str(row["status"])


def test_a_release_that_dies_while_it_is_watched_goes_back_everywhere_and_is_kept_out(shop: LocalFleet) -> None:
    run = shop.controller.deploy("shop_api", "3.0.0")
    assert run.code != 0
    assert "3.0.0 did not hold on web" in run.output
    assert set(shop.serving().values()) == {"1.0.0"}
    assert shop.controller.latest()["status"] == "rolled_back"
    again = shop.controller.deploy("shop_api", "3.0.0")
    assert "RELEASE_QUARANTINED" in again.output


def test_the_record_says_that_it_is_validating_and_promote_ends_that(shop: LocalFleet) -> None:
    process = shop.controller.start("deploy", fraise="shop_api", version="2.0.0")
    wait_for(lambda: status(shop) == "validating" or process.poll() is not None, 40, "it was never watched")
    assert set(shop.serving().values()) == {"2.0.0"}
    told = shop.controller.run("promote", fraise="shop_api", reason="looks well")
    assert told.code == 0, told.output
    assert process.wait(20) == 0, (shop.controller.folder / "output.log").read_text(encoding="utf-8")
    assert shop.controller.latest()["status"] == "success"


def test_an_abort_while_it_is_watched_takes_all_hosts_back(shop: LocalFleet) -> None:
    process = shop.controller.start("deploy", fraise="shop_api", version="1.0.0", fraise_strategy="canary", canary_steps=[{"hosts": 1}])
    wait_for(lambda: status(shop) == "validating" or process.poll() is not None, 40, "it was never watched")
    assert set(shop.serving().values()) == {"1.0.0"}
    assert shop.controller.run("abort", fraise="shop_api", reason="looks odd").code == 0
    assert process.wait(30) != 0
    assert set(shop.serving().values()) == {"2.0.0"}
    assert shop.controller.latest()["status"] == "aborted"


def test_a_watch_that_nobody_ends_lasts_its_seconds_and_a_second_run_finds_nothing_to_watch(shop: LocalFleet) -> None:
    run = shop.controller.deploy("shop_api", "1.0.0", fraise_watch=2)
    assert run.code == 0, run.output
    assert run.output.count("watching 1.0.0 for 2 s") == 1, "said once, not at each look"
    again = shop.controller.deploy("shop_api", "1.0.0")
    assert again.code == 0, again.output
    assert "watching" not in again.output
    check = shop.controller.run("deploy", "--check", fraise="shop_api", version="2.0.0")
    assert check.code == 0, check.output
