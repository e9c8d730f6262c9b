# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of a deployment, as people at a terminal meet it: locks, what an undo leaves, quarantine, freezes, and the override."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.controller import Run
from tests.e2e.local_fleet import LocalFleet
from tests.e2e.observation import rows

HOSTS = ["web1", "web2"]
ALL_ON = {version: dict.fromkeys(HOSTS, version) for version in ("1.0.0", "2.0.0", "3.0.0")}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalFleet]:
    """Two hosts that serve 1.0.0; 2.0.0 is never healthy."""
    fleet = LocalFleet(tmp_path, HOSTS, f"sqlite:///{tmp_path}/store.db", fraise_timeout=2)
    fleet.release("1.0.0")
    fleet.release("2.0.0", "unhealthy")
    fleet.release("3.0.0")
    first = fleet.controller.deploy("shop_api", "1.0.0")
    assert first.code == 0, first.output
    yield fleet
    fleet.stop()


def undone(shop: LocalFleet, **variables: Any) -> Run:
    """Deploy 2.0.0, which is turned back."""
    run = shop.controller.deploy("shop_api", "2.0.0", **variables)
    assert (run.code, shop.controller.latest()["status"], shop.serving()) == (2, "rolled_back", ALL_ON["1.0.0"]), run.output
    return run


def said(run: Run) -> str:
    """What a run printed, in one line."""
    return " ".join(run.output.split())


def refused(shop: LocalFleet, ask: Callable[[], Run], code: str, *words: str) -> Run:
    """Ask; it must change nothing, open nothing, and say ``words``."""
    serving, opened = shop.serving(), len(shop.controller.history())
    run = ask()
    assert run.code == 2, run.output
    assert f"[{code}]" in run.output
    for word in words:
        assert word in said(run), f"{word}: {run.output}"
    assert (shop.serving(), len(shop.controller.history())) == (serving, opened)
    return run


def events(shop: LocalFleet, kind: str) -> list[dict[str, Any]]:
    found = rows(shop.controller, "SELECT data FROM tb_event WHERE type = ? ORDER BY pk_event", kind)
    return [json.loads(row["data"]) for row in found]


def test_the_way_from_an_undo_back_to_a_deployment(shop: LocalFleet) -> None:
    controller = shop.controller
    undone(shop)

    locked = refused(
        shop,
        lambda: controller.deploy("shop_api", "3.0.0"),
        "DEPLOYMENT_LOCKED",
        "shop_api in test is locked by shop_api:test:2",
        "shop_api:test:2 was undone",
        "HEALTH_CHECK_FAILED",
    )
    assert "ansible-playbook fraisier.deploy.unlock -e fraise=shop_api -e \"reason='why'\"" in said(locked)
    refused(shop, lambda: controller.deploy("shop_api", "3.0.0", "--check"), "DEPLOYMENT_LOCKED", "shop_api:test:2 was undone")

    status = controller.run("status", fraise="shop_api")
    assert status.code == 0, status.output
    assert "LOCKED shop_api in test (undo) by shop_api:test:2" in status.output
    assert "QUARANTINED shop_api 2.0.0 (sha256:" in status.output

    looked = controller.run("unlock", "--check", fraise="shop_api", reason="it was the release")
    assert looked.code == 0, looked.output
    assert "would lift shop_api:test:undo:2" in said(looked)
    unlocked = controller.run("unlock", fraise="shop_api", reason="it was the release", operator="on-call")
    assert unlocked.code == 0, unlocked.output
    assert "shop_api in test: lifted shop_api:test:undo:2" in said(unlocked)
    assert events(shop, "operator.unlock")[0]["reason"] == "it was the release"
    assert events(shop, "operator.unlock")[0]["by"].startswith("on-call (")

    for check in ([], ["--check"]):
        words = ("shop_api 2.0.0 is quarantined in test since", "by shop_api:test:2", "add -e \"override='why'\"")
        refused(shop, partial(controller.deploy, "shop_api", "2.0.0", *check), "RELEASE_QUARANTINED", *words)

    # The same content under another name is known by its digest, before any host goes live.
    shutil.copy(shop.archives / "shop-api-2.0.0.tar.gz", shop.archives / "shop-api-2.0.1.tar.gz")
    copied = controller.deploy("shop_api", "2.0.1")
    assert copied.code == 2, copied.output
    assert "shop_api 2.0.1, which is 2.0.0 under another name, is quarantined in test" in said(copied)
    assert "[RELEASE_QUARANTINED]" in copied.output
    latest = controller.latest()
    assert (latest["status"], latest["error_code"], set(controller.states().values())) == ("failed", "RELEASE_QUARANTINED", {"staged"})
    assert shop.serving() == ALL_ON["1.0.0"]
    foretold = controller.deploy("shop_api", "2.0.1", "--check")
    assert (foretold.code, "[RELEASE_QUARANTINED]" in foretold.output) == (2, True), foretold.output

    # The check that failed was wrong, says a person; the release is as it was.
    mended = {"fraise_health": [], "override": "the check was wrong"}
    passed = controller.deploy("shop_api", "2.0.0", **mended)
    assert (passed.code, shop.serving()) == (0, ALL_ON["2.0.0"]), passed.output
    assert controller.latest()["override_reason"] == "the check was wrong"
    used = events(shop, "override.used")
    assert [[entry["code"] for entry in event["passed"]] for event in used] == [["RELEASE_QUARANTINED"]]
    assert used[0]["reason"] == "the check was wrong"
    with controller.store() as store:
        assert store.admissions.quarantines() == []
        assert store.admissions.holds() == []


def test_a_rollback_passes_what_an_undo_left_and_a_freeze_but_not_a_person_s_lock(shop: LocalFleet) -> None:
    controller = shop.controller
    assert controller.deploy("shop_api", "3.0.0").code == 0
    failed = controller.deploy("shop_api", "2.0.0")
    assert (failed.code, shop.serving()) == (2, ALL_ON["3.0.0"]), failed.output
    day = datetime.now(UTC)
    freeze = [{"name": "sale", "reason": "a busy week", "from": (day - timedelta(days=1)).date(), "to": (day + timedelta(days=3)).date(), "timezone": "UTC"}]
    back = controller.run("rollback", fraise="shop_api", fraise_freezes=freeze)
    assert (back.code, shop.serving()) == (0, ALL_ON["1.0.0"]), back.output

    locked = controller.run("lock", fraise="shop_api", reason="looking into the disks")
    assert locked.code == 0, locked.output
    refused(shop, lambda: controller.run("rollback", fraise="shop_api", version="3.0.0"), "DEPLOYMENT_LOCKED", "looking into the disks")
    forced = controller.run("rollback", fraise="shop_api", version="3.0.0", override="the lock is about the disks")
    assert (forced.code, shop.serving()) == (0, ALL_ON["3.0.0"]), forced.output


def test_a_lock_of_a_person_refuses_until_it_is_lifted_or_ends(shop: LocalFleet) -> None:
    controller = shop.controller
    nameless = controller.run("lock", fraise="shop_api")
    assert (nameless.code, "reason: lock needs one" in said(nameless)) == (2, True), nameless.output
    checked = controller.run("lock", "--check", fraise="shop_api", reason="moving the database")
    assert (checked.code, "shop_api in test would be locked" in said(checked)) == (0, True), checked.output
    locked = controller.run("lock", fraise="shop_api", reason="moving the database", expires=3600, operator="on-call")
    assert locked.code == 0, locked.output
    began = datetime.now(UTC)
    waiting = partial(controller.deploy, "shop_api", "3.0.0", wait=600)
    refused(shop, waiting, "DEPLOYMENT_LOCKED", "shop_api in test is locked by on-call (", "moving the database", "until")
    assert datetime.now(UTC) - began < timedelta(seconds=60), "nobody waits for a person"
    assert "LOCKED shop_api in test by on-call (" in controller.run("status", fraise="shop_api", live=False).output
    whole = controller.run("unlock", reason="wrong one")
    assert "All of test: no lock to lift; still in force: shop_api:test:person:" in said(whole), whole.output
    assert controller.run("unlock", fraise="shop_api", reason="it has moved").code == 0
    freed = controller.deploy("shop_api", "3.0.0")
    assert (freed.code, shop.serving()) == (0, ALL_ON["3.0.0"]), freed.output


def test_a_lock_without_a_fraise_holds_the_whole_environment(shop: LocalFleet) -> None:
    controller = shop.controller
    locked = controller.run("lock", reason="the data centre moves")
    assert (locked.code, "All of test is locked" in said(locked)) == (0, True), locked.output
    refused(shop, lambda: controller.deploy("shop_api", "3.0.0"), "DEPLOYMENT_LOCKED", "All of test is locked by", "the data centre moves")
    only = controller.run("unlock", fraise="shop_api", reason="only mine")
    assert "shop_api in test: no lock to lift; still in force: all:test:person:" in said(only), only.output
    assert controller.run("unlock", reason="it has moved").code == 0
    assert controller.deploy("shop_api", "3.0.0").code == 0


def test_an_error_of_the_infrastructure_locks_but_never_quarantines(shop: LocalFleet) -> None:
    controller = shop.controller
    # Something of the disk of web2 is in the way: web1 is live by then and must go back, but the release is not to blame.
    in_the_way = shop.folder / "hosts" / "web2" / ".fraisier" / "current.next" / "folder"
    in_the_way.mkdir(parents=True)
    run = controller.deploy("shop_api", "3.0.0")
    shutil.rmtree(in_the_way.parent)
    latest = controller.latest()
    assert (run.code, latest["status"], shop.serving()) == (2, "rolled_back", ALL_ON["1.0.0"]), run.output
    assert latest["error"]["infrastructure"] is True
    with controller.store() as store:
        assert store.admissions.quarantines() == []
        assert [hold["kind"] for hold in store.admissions.holds()] == ["undo"]
    assert controller.run("unlock", fraise="shop_api", reason="the disk is in order").code == 0
    again = controller.deploy("shop_api", "3.0.0")
    assert (again.code, shop.serving()) == (0, ALL_ON["3.0.0"]), again.output


def test_three_undos_in_a_row_stop_deployments_even_where_an_undo_locks_nothing(shop: LocalFleet) -> None:
    controller = shop.controller
    for version in ("2.0.0", "2.0.2", "2.0.3"):
        shop.release(version, "unhealthy")
        run = controller.deploy("shop_api", version, fraise_lock_after_undo=False)
        assert (run.code, controller.latest()["status"]) == (2, "rolled_back"), run.output
    stopped = partial(controller.deploy, "shop_api", "3.0.0", fraise_lock_after_undo=False)
    refused(shop, stopped, "DEPLOYMENT_LOCKED", "3 deployments in a row were undone, shop_api:test:4 the last")
    assert controller.run("unlock", fraise="shop_api", reason="found it").code == 0
    shop.release("2.0.4", "unhealthy")
    once = controller.deploy("shop_api", "2.0.4", fraise_lock_after_undo=False)
    assert (once.code, controller.latest()["status"]) == (2, "rolled_back"), once.output
    free = controller.deploy("shop_api", "3.0.0", fraise_lock_after_undo=False)
    assert (free.code, shop.serving()) == (0, ALL_ON["3.0.0"]), free.output


def test_a_freeze_refuses_with_its_end_on_both_clocks_and_override_passes(shop: LocalFleet) -> None:
    controller = shop.controller
    always = {"name": "year's end", "reason": "nobody is there", "cron": "0 0 * * *", "hours": 25, "timezone": "Europe/Zurich"}
    for name, check in (("fraise_freezes", []), ("fraise_environment_freezes", ["--check"])):
        frozen = partial(controller.deploy, "shop_api", "3.0.0", *check, **{name: [always]})
        refused(
            shop, frozen, "FROZEN", "shop_api in test is frozen: year's end (nobody is there) until", "Europe/Zurich (", "UTC)", "A rollback is never frozen"
        )
    planned = controller.run("plan", fraise="shop_api", version="3.0.0", fraise_freezes=[always])
    assert (planned.code, "In its way now: shop_api in test is frozen: year's end" in said(planned)) == (0, True), planned.output
    wrong = partial(controller.deploy, "shop_api", "3.0.0", fraise_freezes=[{**always, "timezone": "Zurich"}])
    refused(shop, wrong, "CONFIG_ERROR", "fraise_freezes[0].timezone: 'Zurich' is not a time zone")
    passed = controller.deploy("shop_api", "3.0.0", fraise_freezes=[always], override="the shop is down")
    assert (passed.code, shop.serving()) == (0, ALL_ON["3.0.0"]), passed.output
    assert [[entry["code"] for entry in event["passed"]] for event in events(shop, "override.used")] == [["FROZEN"]]
