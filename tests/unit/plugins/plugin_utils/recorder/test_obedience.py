# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running deployment and its operators: the commands come from a real store, the clock is the test's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import Progress
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.waits import Waits
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.admission import Admission
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.obedience import Obedience
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.opening import OpenDeployment
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.sink import Job, Sink
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.verbs import VerbRequest, operate
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Event, Store
from tests.unit.plugins.plugin_utils.store.builders import Run, empty_store

HOSTS = ["web1", "web2", "web3"]
PLAN: dict[str, Any] = {"hosts": HOSTS, "batches": [1, 1, 1], "groups": [["web1"], ["web2"], ["web3"]]}


class Answering:
    """A sink whose store answers at once, or is away."""

    def __init__(self, store: Store) -> None:
        self.store, self.away, self.asked = store, "", 0

    def ask(self, job: Job) -> None:
        self.asked += 1
        job.done(job.ask(self.store), None)


class Running:
    """A deployment whose gate before its second batch is asked next; what its recorder says goes into the store at once."""

    def __init__(self, store: Store, bake: float = 0.0) -> None:
        self.store, self.now = store, 1000.0
        self.run = Run(store)
        self.sink = Answering(store)
        progress, opened = Progress.start("1.0.0", "0.9.0", HOSTS, 0), self.run.opened
        admission = Admission({"kind": "deploy", "fraise": "shop_api", "environment": "production"})
        self.current = OpenDeployment("1.0.0", PLAN, progress, opened, opened.lease, admission, waits=Waits(bake))
        self.events: list[Event] = []
        self.obedience = Obedience(cast(Sink, self.sink), self.emit, lambda: self.now)
        for host in HOSTS:
            self.current.progress.record(host, "stage", "ok", {"version": "1.0.0", "current": "0.9.0"}, None, True)
        self.shift("web1")

    def shift(self, host: str, changed: bool = True) -> None:
        self.current.batches_seen = HOSTS.index(host) + 1
        self.current.progress.record(host, "activate", "ok" if changed else "unchanged", {"version": "1.0.0", "previous": "0.9.0"}, None, changed)
        self.obedience.batch_ended(self.current)
        self.current.batches_seen += 1

    def emit(self, event_type: str, data: dict[str, Any]) -> None:
        event = Event(self.run.request.run, "recorder", len(self.events), datetime.now(UTC), event_type, self.run.opened.id, None, data)
        self.events.append(event)
        self.store.apply([event])

    def gate(self, at: str = "before") -> dict[str, Any] | None:
        return self.obedience.hold(self.current, at)

    def told(self, verb: str, **request: Any) -> dict[str, Any]:
        """An operator's act, and the recorder's next look."""
        usual: dict[str, Any] = {"user": "ada@desk", "run": uuid7(), "fraise": "shop_api", "environment": "production", "reason": "errors"}
        answer = operate(self.store, VerbRequest(verb, **{**usual, **request}))
        self.pass_time(1.0)
        return answer

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.obedience.look(self.current)

    def commands(self) -> list[tuple[str, str | None]]:
        return [(row["verb"], row["outcome"]) for row in self.run.row()["commands"]]

    def types(self) -> list[str]:
        return [event.type for event in self.events]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    empty_store(tmp_path / "store.db")
    with Store.connect(f"sqlite:///{tmp_path}/store.db") as connected:
        yield Running(connected)


@pytest.fixture
def baking(tmp_path: Path) -> Iterator[Running]:
    empty_store(tmp_path / "store.db")
    with Store.connect(f"sqlite:///{tmp_path}/store.db") as connected:
        yield Running(connected, bake=60.0)


def test_without_a_command_no_gate_waits_and_nothing_is_said(running: Running) -> None:
    running.pass_time(1.0)
    assert running.gate() is running.gate("settle") is running.gate("after") is None
    assert running.events == []


def test_a_pause_holds_the_next_gate_and_the_record_says_paused_until_it_goes_on(running: Running) -> None:
    running.told("pause", expires=600.0)
    assert running.run.row()["status"] == "in_progress", "a batch is under way still"
    hold = running.gate()
    assert hold is not None and hold["wait"] is True
    assert 598 < hold["left"] <= 600
    row = running.run.row()
    assert row["status"] == "paused"
    assert row["status_reason"].startswith("paused by ada@desk: errors, before batch 2 of 3, until ")
    assert running.gate() is not None
    assert running.types() == ["deployment.paused", "command.obeyed"], "said once, however often the gate asks"
    running.told("resume", reason="")
    assert running.gate() is None
    row = running.run.row()
    assert (row["status"], row["status_reason"]) == ("in_progress", None)
    assert running.commands() == [("pause", "paused before batch 2"), ("resume", "goes on, after 1 s")]


def test_a_pause_in_the_last_batch_holds_before_anything_is_cleared_away(running: Running) -> None:
    running.shift("web2")
    running.told("pause", expires=600.0)
    running.shift("web3")
    assert running.gate("after") is None
    hold = running.gate("settle")
    assert hold is not None and "before it settles" in hold["reason"]


def test_a_pause_that_is_over_lets_the_deployment_go_on(running: Running) -> None:
    running.told("pause", expires=30.0)
    assert running.gate() is not None
    running.pass_time(31.0)
    assert running.gate() is None
    assert running.run.row()["status"] == "in_progress"
    assert running.current.progress.may_go().go


def test_a_pause_that_is_over_aborts_when_it_was_to(running: Running) -> None:
    running.told("pause", expires=30.0, argument="abort")
    assert running.gate() is not None
    running.now += 31.0
    assert running.gate() is None
    assert running.current.progress.to_undo() == {"web1": "0.9.0"}
    assert running.current.progress.may_go().reason == "aborted, for a pause ended without a word (paused by ada@desk: errors)"


def test_a_pause_that_no_gate_met_was_not_obeyed(running: Running) -> None:
    running.told("pause", expires=30.0)
    running.told("resume", reason="")
    assert running.gate() is None
    assert running.commands() == [
        ("pause", "not obeyed: it ended before a gate was reached; resumed by ada@desk"),
        ("resume", "goes on, before a gate was reached"),
    ]
    assert "deployment.paused" not in running.types()


def test_promote_skips_the_time_between_batches_and_only_that(baking: Running) -> None:
    baking.told("promote")
    assert baking.commands() == [("promote", "not obeyed: nothing was being waited for")]
    hold = baking.gate()
    assert hold == {"wait": True, "reason": "waiting 60 s before batch 2 of 3", "left": 59.0}
    baking.told("promote")
    assert baking.gate() is None
    assert baking.commands()[-1] == ("promote", "goes on, 58 s before the end of the wait between batches")
    assert baking.obedience.heard() == ["promoted by ada@desk: errors"]
    assert baking.obedience.heard() == [], "it is told once"
    baking.shift("web2")
    assert baking.gate() is not None, "the next batch is watched again"
    assert baking.types().count("gate.waiting") == 2


def test_a_batch_is_not_watched_again_once_the_run_that_was_cut_off_had_gone_past_it(baking: Running) -> None:
    progress = baking.current.progress
    progress.hosts["web2"].resumed = True
    baking.shift("web2", changed=False)
    assert baking.gate() is not None, "the run was cut off while this batch was watched"
    progress.passed = frozenset({"web2"})
    baking.shift("web2", changed=False)
    assert baking.gate() is None


def test_an_abort_ends_a_wait_and_halts(baking: Running) -> None:
    assert baking.gate() is not None
    baking.told("abort", reason="wrong release")
    assert baking.gate() is None
    assert baking.current.progress.may_go().reason == "aborted by ada@desk: wrong release"
    assert baking.commands() == [("abort", "no further host is shifted; what has changed will be undone, from its next gate on")]
    again = baking.told("pause", expires=60.0)
    assert again["changed"] is False
    assert "is being aborted already, by ada@desk" in again["msg"]


def test_an_abort_that_leaves_the_hosts_undoes_nothing(running: Running) -> None:
    running.told("abort", argument="leave")
    assert running.current.progress.to_undo() == {}
    assert running.commands() == [("abort", "no further host is shifted; the hosts stay as they are")]


def test_an_abort_that_comes_too_late_says_so_and_the_next_one_is_heard_too(running: Running) -> None:
    running.current.progress.begin_undo()
    for _time in range(2):
        assert running.told("abort")["changed"] is True
    assert running.commands() == [("abort", "not obeyed: the last gate was passed already")] * 2


def test_commands_that_a_deployment_did_not_speak_of_before_it_ended_were_not_obeyed(running: Running) -> None:
    running.told("pause", expires=600.0)
    running.store.apply([running.run.closing()])
    assert running.commands() == [("pause", "not obeyed: the deployment ended before its next gate")]


def test_the_store_is_asked_once_a_second_and_twice_while_a_gate_waits(baking: Running) -> None:
    baking.gate()
    baking.current.waits.holding = ""
    for _look in range(40):
        baking.pass_time(0.25)
    assert baking.sink.asked == 10
    baking.gate()
    for _look in range(40):
        baking.pass_time(0.25)
    assert baking.sink.asked == 30


def test_a_store_that_is_away_is_not_asked_and_a_pause_still_ends(running: Running) -> None:
    running.told("pause", expires=30.0)
    assert running.gate() is not None
    asked, running.sink.away = running.sink.asked, "no route"
    running.pass_time(31.0)
    assert running.sink.asked == asked
    assert running.gate() is None


@pytest.mark.parametrize("ended", ["closed", "lease_lost", "check mode"])
def test_a_deployment_that_may_not_act_waits_for_nobody_and_asks_nothing(baking: Running, ended: str) -> None:
    if ended == "closed":
        baking.current.closed = True
    elif ended == "lease_lost":
        baking.current.progress.lease_lost = True
    else:
        baking.current.identity = None
    baking.pass_time(5.0)
    assert baking.sink.asked == 0
    assert baking.gate() is None
