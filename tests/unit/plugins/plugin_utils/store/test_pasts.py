# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of earlier deployments needs a recovery, read from their intents, outcomes and gates."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DeploymentError, DeploymentLockedError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.recovery import PastHost
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Event, Store
from tests.unit.plugins.plugin_utils.store.builders import Run, request

PAIR = ("shop_api", "production")


def staged(run: Run, host: str, current: str | None) -> list:
    return run.step(host, "stage", release={"version": run.request.version, "current": current})


def gate(run: Run, at: str, **data: Any) -> Event:
    """A gate's decision; the builder's own ``at`` is the time of an event."""
    event = run.event("gate.decided", **data)
    return replace(event, data={**event.data, "at": at})


def cut_off(store: Store, version: str = "1.1") -> Run:
    """A deployment whose controller died: web1 done, web2 begun, web3 staged only; its lock is free again."""
    run = Run(store, version=version)
    events = [event for host in run.request.hosts for event in staged(run, host, "1.0")]
    events.append(gate(run, "before", go=True, reason="", hosts=["web1"]))
    events += run.step("web1", "activate", release={"version": version, "previous": "1.0"})
    events.append(gate(run, "before", go=True, reason="", hosts=["web2"]))
    events.append(run.step("web2", "activate")[0])
    store.apply([*events, run.event("deployment.interrupted", reason="killed")])
    store.release_lease(run.opened.lease)
    return run


def test_a_pair_that_was_never_deployed_or_ended_well_needs_nothing(store: Store) -> None:
    assert store.unsettled(*PAIR) == []
    assert store.newest_number(*PAIR) == 0
    Run(store).done()
    assert store.unsettled(*PAIR) == []
    assert store.newest_number(*PAIR) == 1


def test_an_intent_without_an_outcome_counts_as_touched_and_a_gate_that_was_followed_as_passed(store: Store) -> None:
    Run(store, version="1.0").done()
    run = cut_off(store)
    (found,) = store.unsettled(*PAIR)
    assert (found.identifier, found.version, found.status, found.halted) == (run.opened.identifier, "1.1", "interrupted", "")
    assert found.hosts == {
        "web1": PastHost(touched=True, back=False, before="1.0", known=True),
        "web2": PastHost(touched=True, back=False, before="1.0", known=True),
        "web3": PastHost(touched=False, back=False, before="1.0", known=True),
    }
    assert found.passed == {"web1"}
    assert found.plan == {"batches": [1, 2]}


def test_a_host_that_served_nothing_is_known_to_have_and_one_that_never_answered_is_not(store: Store) -> None:
    run = Run(store, version="1.0")
    store.apply([*staged(run, "web1", None), run.step("web1", "activate")[0], run.step("web2", "activate")[0]])
    (found,) = store.unsettled(*PAIR)
    assert (found.hosts["web1"].before, found.hosts["web1"].known) == (None, True)
    assert (found.hosts["web2"].before, found.hosts["web2"].known) == (None, False)


def test_hosts_that_answered_unchanged_were_not_touched_and_those_that_are_back_say_so(store: Store) -> None:
    run = Run(store)
    events = run.step("web1", "activate", "unchanged", changed=False)
    events += run.step("web2", "activate", "reverted", changed=True)
    events += [*run.step("web3", "activate"), *run.step("web3", "revert")]
    store.apply([*events, gate(run, "settle", go=False, reason="1 of 3 hosts failed"), run.closing("rollback_failed")])
    (found,) = store.unsettled(*PAIR)
    assert {name: (host.touched, host.back) for name, host in found.hosts.items()} == {"web1": (False, False), "web2": (True, True), "web3": (True, True)}
    assert found.halted == "1 of 3 hosts failed"


def test_a_recovery_that_ended_well_settles_everything_before_it_and_is_told_in_the_record(store: Store) -> None:
    first = cut_off(store)
    again = cut_off(store, "1.2")
    assert [past.version for past in store.unsettled(*PAIR)] == ["1.2", "1.1"]
    recovery = Run(store, kind="recover", version="1.2", resumes=again.opened.identifier)
    assert recovery.row()["resumes"] == again.opened.identifier
    word = recovery.event("deployment.recovered", how="recovered", by=recovery.opened.identifier)
    told = [replace(word, seq=900 + number, deployment=run.opened.id) for number, run in enumerate((first, again))]
    store.apply([*told, recovery.closing("rolled_back")])
    assert store.unsettled(*PAIR) == []
    for run in (first, again):
        assert run.row()["status_reason"] == f"killed; recovered by {recovery.opened.identifier}"
        assert run.row()["status"] == "interrupted"


def test_other_pairs_do_not_matter(store: Store) -> None:
    cut_off(store)
    assert store.unsettled("shop_api", "staging") == []
    assert store.unsettled("other", "production") == []


def test_an_opening_that_was_decided_on_an_older_record_is_refused_and_takes_no_lock(store: Store) -> None:
    cut_off(store)
    with pytest.raises(DeploymentError, match="opened meanwhile"):
        store.open_deployment(request(kind="recover", must_follow=0))
    row = store.read_lock(*PAIR)
    assert row is not None
    assert not row.held
    assert store.open_deployment(request(kind="recover", must_follow=store.newest_number(*PAIR))).number == 2


def test_whether_somebody_holds_the_lock(store: Store) -> None:
    store.require_unlocked(*PAIR)
    Run(store)
    with pytest.raises(DeploymentLockedError, match="ada@controller"):
        store.require_unlocked(*PAIR)


def test_a_host_whose_change_was_begun_and_not_heard_of_since_is_in_doubt(store: Store) -> None:
    Run(store, version="1.0").done()
    assert store.cut_off_hosts() == []
    run = cut_off(store)
    doubt = {"fraise": "shop_api", "environment": "production", "host": "web2", "deployment": run.opened.identifier, "version": "1.1"}
    assert store.cut_off_hosts(*PAIR) == store.cut_off_hosts() == [doubt]
    assert store.cut_off_hosts("other") == store.cut_off_hosts(None, "test") == []
    again = Run(store, version="1.1")
    store.apply([*again.step("web2", "stage", "failed"), *again.step("web3", "activate", "unreachable", changed=None), again.closing("failed")])
    assert [row["host"] for row in store.cut_off_hosts()] == ["web2", "web3"], "whose connection broke has told nothing either"
    again = Run(store, version="1.1")
    store.apply([*again.step("web2", "inspect", "failed"), *again.step("web3", "inspect")])
    assert store.cut_off_hosts() == [doubt], "a host that failed to answer has told nothing"
    store.apply(staged(again, "web2", "1.1"))
    assert store.cut_off_hosts() == []


def test_a_change_that_goes_on_is_no_doubt_until_its_lease_has_ended(store: Store) -> None:
    run = Run(store, version="1.0", lease_seconds=0.4)
    store.apply(run.step("web1", "activate")[:1])
    assert store.cut_off_hosts() == []
    time.sleep(0.5)
    assert [row["host"] for row in store.cut_off_hosts()] == ["web1"]


def test_a_lock_that_outlives_an_interrupted_deployment_says_so_and_names_the_recovery(store: Store) -> None:
    run = Run(store, version="1.0")
    with pytest.raises(DeploymentLockedError, match=rf"for {run.opened.identifier}: weekly release"):
        Run(store, version="1.1")
    store.apply([run.event("deployment.interrupted", reason="killed")])
    with pytest.raises(DeploymentLockedError, match=rf"for {run.opened.identifier}, which was interrupted: weekly release") as refused:
        Run(store, version="1.1")
    assert "run fraisier.deploy.recover -e fraise=shop_api" in refused.value.hint
