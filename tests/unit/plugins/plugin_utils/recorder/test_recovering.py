# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an opening finds of deployments that were cut off, and who may go on with them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.recovery import HostFacts, Recovery
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.recovering import ended_well, facts_of, look_back, settled_events, to_recover
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
from tests.unit.plugins.plugin_utils.store.builders import Run

HOSTS = ["web1", "web2", "web3"]


def asked(kind: str = "deploy", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "fraise": "shop_api", "environment": "production", "batches": ["100%"], "max_failed": 0, "group": HOSTS, **more}


@pytest.fixture
def cut(store: Store) -> Run:
    """1.1 was cut off when web1 was done; two batches were planned, and one host might have failed."""
    Run(store, version="1.0").done()
    run = Run(store, version="1.1", plan={"batches": [1, 2], "max_failed": 1, "max_unreachable": 2, "pause_seconds": 30.0})
    staged = [event for host in HOSTS for event in run.step(host, "stage", release={"version": "1.1", "current": "1.0"})]
    store.apply([*staged, *run.step("web1", "activate"), run.event("deployment.interrupted", reason="killed")])
    store.release_lease(run.opened.lease)
    return run


def test_the_same_version_goes_on_and_another_one_does_not(store: Store, cut: Run) -> None:
    found = look_back(store, asked(), HOSTS, "1.1")
    assert found is not None
    assert (found.resumes, found.must_follow, list(found.touched)) == (cut.opened.identifier, 2, ["web1"])
    assert look_back(store, asked(), HOSTS, "1.2") is None
    assert look_back(store, asked("catchup"), HOSTS, "1.1") is None


def test_a_run_that_does_not_reach_every_changed_host_does_not_go_on_with_it(store: Store, cut: Run) -> None:
    assert look_back(store, asked(), ["web2", "web3"], "1.1") is None
    assert look_back(store, asked(), ["web1"], "1.1") is not None
    assert look_back(store, asked(group=["web2", "web3"]), ["web2", "web3"], "1.1") is not None, "web1 has left the inventory"
    with pytest.raises(ValidationError, match="not in this run: web1"):
        to_recover(store, asked("recover"), ["web2", "web3"])


def test_a_recovery_has_version_batches_and_budgets_of_what_was_cut_off(store: Store, cut: Run) -> None:
    request, takeover = to_recover(store, asked("recover"), HOSTS)
    assert takeover is not None
    assert {name: request[name] for name in ("version", "batches", "max_failed", "max_unreachable", "pause")} == {
        "version": "1.1",
        "batches": [1, 2],
        "max_failed": 1,
        "max_unreachable": 2,
        "pause": 30.0,
    }


def test_when_there_is_nothing_to_recover_the_request_says_why(store: Store) -> None:
    request, takeover = to_recover(store, asked("recover"), HOSTS)
    assert takeover is None
    assert request["told"].endswith("it was never deployed")
    Run(store, version="1.0").done()
    assert "shop_api:production:1, ended success" in to_recover(store, asked("recover"), HOSTS)[0]["told"]


def test_what_an_inspection_told_becomes_facts_and_silence_none() -> None:
    told = {"outcome": "unchanged", "release": {"version": "1.1"}, "health": "healthy", "releases": ["1.1", "1.0"], "interrupted": None}
    assert facts_of(told) == HostFacts(True, "1.1", True, ("1.1", "1.0"), None)
    assert not facts_of({**told, "health": "unhealthy"}).healthy
    assert facts_of({**told, "interrupted": {"from": "1.0", "to": "1.1"}}).cut_off == {"from": "1.0", "to": "1.1"}
    for silent in (None, {}, {"outcome": "unreachable"}, {"outcome": "failed", "release": {"version": "1.1"}}):
        assert facts_of(silent) == HostFacts()


def test_only_a_good_end_settles_what_was_cut_off_and_each_is_told_who_did(store: Store, cut: Run) -> None:
    _request, takeover = to_recover(store, asked("recover"), HOSTS)
    assert takeover is not None
    takeover.recovery = Recovery("undo", "because")
    assert [ended_well(takeover, status) for status in ("rolled_back", "success", "rollback_failed", "failed", "interrupted")] == [
        True,
        False,
        False,
        False,
        False,
    ]
    (event,) = settled_events(takeover, "shop_api:production:3")
    assert event == {"deployment": cut.opened.id, "data": {"how": "recovered", "by": "shop_api:production:3 (undo)"}}


def interrupted(run: Run, *events: Any) -> None:
    """The run ends without a word; its lock is free again."""
    run.store.apply([*events, run.event("deployment.interrupted", reason="killed")])
    run.store.release_lease(run.opened.lease)


def test_a_run_that_went_on_after_a_halt_has_overruled_it(store: Store) -> None:
    left = Run(store, version="1.1")
    halt = left.event("gate.decided", go=False, reason="abort by on-call")
    store.apply([*left.step("web1", "activate"), halt, left.closing("aborted")])
    assert to_recover(store, asked("recover"), HOSTS)[1].halted == "abort by on-call"
    again = Run(store, version="1.1", resumes=left.opened.identifier)
    interrupted(again, *again.step("web2", "activate"))
    takeover = to_recover(store, asked("recover"), HOSTS)[1]
    assert [past.identifier for past in takeover.chain] == [again.opened.identifier, left.opened.identifier]
    assert takeover.halted == ""


def test_a_recovery_that_was_cut_off_counts_by_its_decision_and_without_one_not_at_all(store: Store) -> None:
    halted = Run(store, version="1.1")
    interrupted(halted, *halted.step("web1", "activate"), halted.event("gate.decided", go=False, reason="1 of 3 hosts failed"))
    for how, reason, found in ((None, "", "1 of 3 hosts failed"), ("undo", "web2 did not answer", "web2 did not answer"), ("finish", "asked for", "")):
        run = Run(store, version="1.1", kind="recover", resumes=halted.opened.identifier)
        interrupted(run, *([run.event("recovery.decided", how=how, reason=reason)] if how else []))
        assert to_recover(store, asked("recover"), HOSTS)[1].halted == found, how
