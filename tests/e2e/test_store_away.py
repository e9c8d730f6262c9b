# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store dies in the middle of a deployment: the deployment ends well, and every event is stored exactly once when the store is back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.e2e.local_fleet import LocalFleet
from tests.testbed.databases import Server

HOSTS = [f"web{number}" for number in range(1, 5)]


@pytest.fixture
def shop(tmp_path: Path, postgresql_url: str) -> Iterator[LocalFleet]:
    fleet = LocalFleet(tmp_path, HOSTS, postgresql_url, rolling_batches=[1])
    fleet.release("1.0.0")
    run = fleet.controller.deploy("shop_api", "1.0.0")
    assert run.code == 0, run.output
    fleet.release("2.0.0")
    yield fleet
    fleet.stop()


def steps_told(fleet: LocalFleet) -> int:
    return (fleet.folder / "output.log").read_text(encoding="utf-8").count("serves 2.0.0, was")


def wait_for_first_shift(fleet: LocalFleet) -> None:
    deadline = time.monotonic() + 30
    while steps_told(fleet) < 1:
        assert time.monotonic() < deadline, (fleet.folder / "output.log").read_text(encoding="utf-8")
        time.sleep(0.05)


def numbers_of_events(url: str) -> dict[tuple[str, str], list[int]]:
    """(run, source) to the numbers of its stored events."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    found: dict[tuple[str, str], list[int]] = {}
    with engine.connect() as connection:
        for run, source, number in connection.execute(text("SELECT run, source, seq FROM tb_event ORDER BY seq")):
            found.setdefault((run, source), []).append(number)
    engine.dispose()
    return found


def test_a_store_killed_in_the_middle_and_not_back_in_time_costs_no_event_and_no_deployment(shop: LocalFleet, postgresql_server: Server) -> None:
    process = shop.controller.start("deploy", fraise="shop_api", version="2.0.0")
    wait_for_first_shift(shop)
    postgresql_server.kill()
    code = process.wait(120)
    output = (shop.folder / "output.log").read_text(encoding="utf-8")
    assert code == 0, output
    assert set(shop.serving().values()) == {"2.0.0"}
    assert "events wait in" in output.replace("\n", " ")
    assert list((shop.folder / "spool").glob("*.jsonl"))

    postgresql_server.start()
    run = shop.controller.run("history", fraise="shop_api")
    assert run.code == 0, run.output
    assert not list((shop.folder / "spool").glob("*.jsonl")), "the spool was not brought in"
    assert shop.controller.history()[0]["status"] == "success"
    assert set(shop.controller.states().values()) == {"active"}
    events = numbers_of_events(shop.controller.store_url)
    # three runs: 1.0.0, 2.0.0, history (whose callback is the only source)
    assert len(events) >= 5
    for numbers in events.values():
        assert numbers == list(range(1, len(numbers) + 1)), "an event is missing or twice in the store"


def test_a_store_that_restarts_in_the_middle_is_caught_up_by_the_same_run(shop: LocalFleet, postgresql_server: Server) -> None:
    process = shop.controller.start("deploy", fraise="shop_api", version="2.0.0")
    wait_for_first_shift(shop)
    postgresql_server.kill()
    time.sleep(1)
    postgresql_server.start()
    code = process.wait(120)
    output = (shop.folder / "output.log").read_text(encoding="utf-8")
    assert code == 0, output
    assert not list((shop.folder / "spool").glob("*.jsonl")), output
    assert shop.controller.history()[0]["status"] == "success"
    with shop.controller.store() as store:
        lock = store.read_lock("shop_api", "test")
    assert lock is not None and not lock.held
    for numbers in numbers_of_events(shop.controller.store_url).values():
        assert numbers == list(range(1, len(numbers) + 1))


def test_with_store_required_the_deployment_halts_and_undoes_instead(shop: LocalFleet, postgresql_server: Server) -> None:
    shop.controller.settings["FRAISIER_STORE_REQUIRED"] = "true"
    process = shop.controller.start("deploy", fraise="shop_api", version="2.0.0")
    wait_for_first_shift(shop)
    postgresql_server.kill()
    code = process.wait(120)
    output = (shop.folder / "output.log").read_text(encoding="utf-8")
    postgresql_server.start()
    assert code != 0, output
    assert "fraisier_store_required" in output
    assert set(shop.serving().values()) == {"1.0.0"}
    run = shop.controller.run("history", fraise="shop_api")
    assert run.code == 0, run.output
    assert shop.controller.history()[0]["status"] == "rolled_back"
