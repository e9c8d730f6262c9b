# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment that was cut off anywhere is finished or undone by one ``recover``: one version on all hosts, the lock free, the record true."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.controller import UNDO_LEAVES_NO_LOCK, Run
from tests.e2e.local_fleet import LocalFleet
from tests.e2e.observation import answers, children, events, steps, wait_for

NAMES = ["web1", "web2", "web3"]
LEASE = 3
NEVER = {"exec": {"command": ["false"]}}
ANSWERS = {"http": {"url": "http://127.0.0.1:{{ service_port }}/health", "json": {"version": "{{ version }}"}}}


@dataclass
class Shop:
    """A fleet that many rounds share: ``good`` is what all of it serves now, ``next`` makes the version of the next round."""

    fleet: LocalFleet
    good: str = "1.0"
    rounds: int = 0

    def next(self) -> str:
        self.rounds += 1
        version = f"2.{self.rounds}"
        self.fleet.release(version)
        return version

    def journal(self, host: str) -> dict[str, Any]:
        """The open journal of a host, empty when there is none."""
        with suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads((self.fleet.folder / "hosts" / host / ".fraisier/journal.json").read_text())
            return found
        return {}

    def variables_of(self, host: str, **changes: Any) -> None:
        """Give one host variables of its own; None takes one away again."""
        inventory = yaml.safe_load(self.fleet.controller.inventory.read_text(encoding="utf-8"))
        variables = inventory["all"]["children"]["shop_api"]["hosts"][host]
        for name, value in changes.items():
            variables.pop(name, None)
            if value is not None:
                variables[name] = value
        self.fleet.controller.inventory.write_text(yaml.safe_dump(inventory, width=1000), encoding="utf-8")

    def cut_off(self, version: str, moment: str) -> None:
        """Deploy ``version`` and kill the controller at ``moment``; comes back when the record says so."""
        process = self.fleet.controller.start("deploy", fraise="shop_api", version=version, wait=20)
        try:
            wait_for(lambda: MOMENTS[moment](self, version) or process.poll() is not None, 40, f"never came to: {moment}")
            assert process.poll() is None, (self.fleet.folder / "output.log").read_text()
        finally:
            if moment == HOST_TOO:
                end_with_everything_below(process.pid)
            process.kill()
            process.wait(20)
        wait_for(lambda: self.fleet.controller.history()[0]["status"] == "interrupted", 5, "not marked as interrupted")

    def recover(self, *words: str, **options: Any) -> Run:
        return self.fleet.controller.run("recover", *words, fraise="shop_api", **options)

    def is_one(self, version: str) -> bool:
        wanted = dict.fromkeys(NAMES, version)
        return answers(self.fleet) == wanted and self.fleet.serving() == wanted and not any(self.journal(name) for name in NAMES)


def end_with_everything_below(pid: int) -> None:
    """SIGKILL to everything that a process has started, but for its recorder and the services: the program on a host dies with its controller."""
    for child, words in children(pid).items():
        if "recorder" not in words and "server.py" not in words:
            end_with_everything_below(child)
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


HOST_TOO = "in the middle of an activation, the host's program with it"
MOMENTS: dict[str, Callable[[Shop, str], bool]] = {
    "while it is staged": lambda shop, version: any((shop.fleet.folder / "hosts" / name / "releases" / version).exists() for name in NAMES),
    "in the first batch": lambda shop, version: shop.journal("web1").get("to") == version,
    HOST_TOO: lambda shop, version: shop.journal("web1").get("to") == version and shop.fleet.serving()["web1"] == version,
    "between batches": lambda shop, version: shop.fleet.serving()["web1"] == version and not shop.journal("web1"),
    "in its undo": lambda shop, version: shop.journal("web1").get("from") == version,
}
SAFER = {"while it is staged": "undo", "in the first batch": "finish", HOST_TOO: "undo", "between batches": "finish", "in its undo": "undo"}


def make(folder: Path, url: str) -> Shop:
    fleet = LocalFleet(folder, NAMES, url, rolling_batches=[1], fraise_min_healthy=0.6, **UNDO_LEAVES_NO_LOCK)
    fleet.controller.settings.update({"FRAISIER_LEASE_SECONDS": str(LEASE), "FRAISIER_HEARTBEAT_SECONDS": "1"})
    fleet.release("1.0")
    run = fleet.controller.deploy("shop_api", "1.0")
    assert run.code == 0, run.output
    return Shop(fleet)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("recover")
    made = make(folder, f"sqlite:///{folder}/store.db")
    yield made
    made.fleet.stop()


def one_round(shop: Shop, moment: str, wish: str | None) -> None:
    version, good = shop.next(), shop.good
    if moment == "in its undo":
        shop.variables_of("web2", fraise_health=[ANSWERS, NEVER])
    try:
        shop.cut_off(version, moment)
    finally:
        shop.variables_of("web2", fraise_health=None)
    run = shop.recover(**({"recover": wish} if wish else {}))
    how = wish or SAFER[moment]
    wanted = version if how == "finish" else good
    assert run.code == 0, run.output
    assert shop.is_one(wanted), (answers(shop.fleet), shop.fleet.serving(), run.output)
    shop.good = wanted
    recovery, interrupted = shop.fleet.controller.history()[:2]
    assert (recovery["kind"], recovery["version"], recovery["resumes"]) == ("recover", version, interrupted["identifier"])
    assert recovery["status"] == {"finish": "success", "undo": "rolled_back"}[how], run.output
    assert interrupted["status"] == "interrupted"
    assert f"recovered by {recovery['identifier']} ({how})" in interrupted["status_reason"]
    assert f"{'finish' if how == 'finish' else 'undo'}ing {interrupted['identifier']} ({version}): " in run.output
    with shop.fleet.controller.store() as store:
        lock = store.read_lock("shop_api", "test")
        assert lock is not None
        assert not lock.held
        assert store.unsettled("shop_api", "test") == []
        assert {row["version"] for row in store.fleet("shop_api", "test")} == {wanted}


@pytest.mark.parametrize("wish", [None, "finish", "undo"], ids=["the safer way", "finish", "undo"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_deployment_that_was_cut_off(shop: Shop, moment: str, wish: str | None) -> None:
    one_round(shop, moment, wish)


@pytest.mark.parametrize("moment", ["between batches", "in its undo"])
def test_the_same_on_postgresql(tmp_path: Path, postgresql_url: str, moment: str) -> None:
    made = make(tmp_path, postgresql_url)
    try:
        for wish in (None, "finish", "undo"):
            one_round(made, moment, wish)
    finally:
        made.fleet.stop()


def test_when_nothing_was_cut_off_it_says_so_and_changes_nothing(shop: Shop) -> None:
    before = len(shop.fleet.controller.history())
    run = shop.recover()
    assert run.code == 0, run.output
    assert "Nothing needs a recovery for shop_api in test: the newest deployment" in run.output
    assert len(shop.fleet.controller.history()) == before


def test_deploying_the_same_version_again_goes_on_and_leaves_finished_hosts_alone(shop: Shop) -> None:
    version = shop.next()
    shop.cut_off(version, "between batches")
    run = shop.fleet.controller.deploy("shop_api", version, wait=30)
    assert run.code == 0, run.output
    assert shop.is_one(version)
    shop.good = version
    latest = shop.fleet.controller.latest()
    older = shop.fleet.controller.history()[1]
    assert latest["resumes"] == older["identifier"]
    assert f"resumed by {latest['identifier']}" in older["status_reason"]
    assert "activate unchanged" in steps(latest)["web1"]


@pytest.mark.parametrize("playbook", ["deploy", "recover"])
def test_a_wait_between_batches_that_was_waited_out_is_not_waited_again(shop: Shop, playbook: str) -> None:
    version = shop.next()
    process = shop.fleet.controller.start("deploy", fraise="shop_api", version=version, rolling_pause=3)
    wait_for(lambda: shop.fleet.serving()["web2"] == version and not shop.journal("web2"), 40, "the second batch never shifted")
    process.kill()
    process.wait(20)
    options = {"version": version, "rolling_pause": 3} if playbook == "deploy" else {"recover": "finish"}
    run = shop.fleet.controller.run(playbook, fraise="shop_api", wait=30, **options)
    assert run.code == 0, run.output
    assert shop.is_one(version)
    shop.good = version
    told = events(shop.fleet.controller, shop.fleet.controller.latest()["run"], "recorder")
    assert [event["data"]["batch"] for event in told if event["type"] == "gate.waiting"] == [3], (
        f"the first wait was over, the second one was not:\n{run.output}"
    )


def test_a_run_that_goes_on_and_fails_takes_back_what_the_first_one_had_changed(shop: Shop) -> None:
    version, good = shop.next(), shop.good
    shop.cut_off(version, "between batches")
    shop.variables_of("web3", fraise_health=[ANSWERS, NEVER])
    try:
        run = shop.fleet.controller.deploy("shop_api", version, wait=30)
    finally:
        shop.variables_of("web3", fraise_health=None)
    assert run.code != 0
    assert shop.is_one(good), run.output
    assert shop.fleet.controller.history()[0]["status"] == "rolled_back"
    assert "Nothing needs a recovery" in shop.recover().output


def test_a_deployment_whose_recorder_was_killed_is_recovered_once_its_lease_is_over(shop: Shop) -> None:
    version = shop.next()
    process = shop.fleet.controller.start("deploy", fraise="shop_api", version=version)
    wait_for(lambda: MOMENTS["between batches"](shop, version), 40, "the first batch never shifted")
    for child, words in children(process.pid).items():
        if "recorder" in words:
            os.kill(child, signal.SIGKILL)
    assert process.wait(60) != 0
    run = shop.recover()
    assert run.code == 0, run.output
    recovery, older = shop.fleet.controller.history()[:2]
    assert shop.is_one(version if recovery["status"] == "success" else shop.good), run.output
    assert (older["status"], recovery["resumes"]) == ("interrupted", older["identifier"])
    shop.good = version if recovery["status"] == "success" else shop.good


def test_check_mode_says_what_it_would_do_and_changes_nothing(shop: Shop) -> None:
    version = shop.next()
    shop.cut_off(version, "between batches")
    wait_for(lambda: not held(shop), LEASE + 5, "the lock outlived its lease")
    before = (shop.fleet.serving(), len(shop.fleet.controller.history()))
    run = shop.recover("--check", recover="undo")
    assert run.code == 0, run.output
    assert "undo was asked for; going back: web1" in run.output
    assert "WOULD GO BACK TO" in run.output
    assert (shop.fleet.serving(), len(shop.fleet.controller.history())) == before
    assert shop.recover(recover="undo").code == 0
    assert shop.is_one(shop.good)


def held(shop: Shop) -> bool:
    with shop.fleet.controller.store() as store:
        row = store.read_lock("shop_api", "test")
    return row is not None and row.held


def test_a_deployment_that_lives_is_not_recovered_though_the_wait_for_its_lease_is_over(shop: Shop) -> None:
    version = shop.next()
    living = shop.fleet.controller.start("deploy", fraise="shop_api", version=version, fraise_min_healthy=4, fraise_timeout=30)
    try:
        wait_for(lambda: held(shop), 20, "the deployment was never opened")
        run = shop.recover()
        assert run.code != 0
        assert "[DEPLOYMENT_LOCKED]" in run.output, run.output
        assert "waiting up to" in run.output
    finally:
        assert living.wait(90) == 0
    shop.good = version


def test_hosts_that_were_changed_cannot_be_left_out(shop: Shop) -> None:
    shop.cut_off(shop.next(), "between batches")
    run = shop.recover("--limit", "web2", wait=30)
    assert run.code != 0
    assert "changed hosts that are not in this run: web1" in " ".join(run.output.split())
    assert shop.recover(recover="undo").code == 0
    assert shop.is_one(shop.good)


def test_a_version_cannot_be_given(shop: Shop) -> None:
    run = shop.recover(version="9.9")
    assert run.code != 0
    assert "version cannot be given to recover" in run.output
    bad = shop.recover(recover="both")
    assert bad.code != 0
    assert "finish, undo" in bad.output


def test_history_shows_what_a_recovery_went_on_with(shop: Shop) -> None:
    run = shop.fleet.controller.run("history", fraise="shop_api")
    line = next(line for line in run.output.splitlines() if " recover" in line)
    assert "recover (of shop_api:test:" in line


def test_the_status_tells_what_is_in_doubt_and_the_next_run_blames_nobody_else(shop: Shop) -> None:
    version, other = shop.next(), shop.next()
    shop.cut_off(version, HOST_TOO)
    cut = shop.fleet.controller.latest()["identifier"]
    away = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_extra_args": "-o ConnectTimeout=2"}
    shop.variables_of("web3", **away)
    try:
        told = shop.fleet.controller.run("status", fraise="shop_api").output
    finally:
        shop.variables_of("web3", **dict.fromkeys(away))
    assert re.search(rf"^ *shop_api +test +{shop.good} +2 of 3 ", told, re.MULTILINE), told
    assert re.search(rf"^ *shop_api +web1 +{shop.good} +cut off by {cut} .* {version} +NO ", told, re.MULTILINE), told
    assert re.search(r"^ *shop_api +web3 .* no answer +NO ", told, re.MULTILINE), told
    assert f"UNSETTLED {cut}: finish or undo it with ansible-playbook fraisier.deploy.recover -e fraise=shop_api" in told
    run = shop.fleet.controller.deploy("shop_api", other, wait=30)
    assert run.code == 0, run.output
    assert f"web1  answers {version}, the record says {shop.good}: {cut} was cut off while it changed it" in run.output
    shop.good = other
    assert shop.is_one(other)
