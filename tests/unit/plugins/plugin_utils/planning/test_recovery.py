# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finish or undo: every combination of what hosts can answer, and what follows for the deployment that goes on."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import Progress
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.recovery import (
    FINISH,
    UNDO,
    HostFacts,
    Past,
    PastHost,
    begin,
    decide,
    origins,
    take_over,
    unsettled_chain,
)

OLD, NEW = "1.0", "1.1"
BOTH = (NEW, OLD)
JOURNAL = {"from": OLD, "to": NEW}
TOUCHED_FACTS = {
    "well on the new": HostFacts(True, NEW, True, BOTH),
    "well on the old": HostFacts(True, OLD, True, BOTH),
    "sick on the new": HostFacts(True, NEW, False, BOTH),
    "cut off on the new": HostFacts(True, NEW, True, BOTH, JOURNAL),
    "cut off on the old": HostFacts(True, OLD, True, BOTH, JOURNAL),
    "serves nothing": HostFacts(True, None, True, BOTH),
    "well, the old release is gone": HostFacts(True, NEW, True, (NEW,)),
    "silent": HostFacts(),
}
OTHER_FACTS = {
    "staged": HostFacts(True, OLD, True, BOTH),
    "there already": HostFacts(True, NEW, True, (NEW,)),
    "not staged": HostFacts(True, OLD, True, (OLD,)),
    "silent": HostFacts(),
}
RECORDS = {
    "known": PastHost(True, False, OLD, True),
    "known to have served nothing": PastHost(True, False, None, True),
    "unknown": PastHost(True, False, None, False),
}
CASES = list(itertools.product(TOUCHED_FACTS, RECORDS, TOUCHED_FACTS, RECORDS, OTHER_FACTS, ("", "1 of 3 hosts failed"), (None, OLD)))


def can_return(record: PastHost, fact: HostFacts, last_good: str | None) -> bool:
    """Told again in other words than the rule's: is there a release to go back to?"""
    if record.known:
        before, known = record.before, True
    elif fact.cut_off:
        before, known = fact.cut_off["from"], True
    else:
        before, known = last_good, last_good is not None
    return known and (before is None or not fact.answered or before in fact.staged or before == fact.serving)


@pytest.mark.parametrize("wish", [None, FINISH, UNDO])
def test_every_combination_of_facts_is_decided_by_the_rule(wish: str | None) -> None:
    seen = set()
    for first, first_record, second, second_record, other, halted, last_good in CASES:
        records = {"web1": RECORDS[first_record], "web2": RECORDS[second_record]}
        facts = {"web1": TOUCHED_FACTS[first], "web2": TOUCHED_FACTS[second], "web3": OTHER_FACTS[other]}
        found = decide(wish, NEW, halted, records, facts, last_good)
        all_well = first.startswith("well") and second.startswith("well") and "old" not in (first[-3:], second[-3:])
        forward = not halted and all_well and other in ("staged", "there already")
        backward = all(can_return(records[name], facts[name], last_good) for name in records)
        if wish is None:
            wanted = FINISH if forward or not backward else UNDO
        elif wish == UNDO and not backward:
            wanted = "refuse"
        else:
            wanted = wish
        assert found.how == wanted, (first, first_record, second, second_record, other, halted, last_good, found.reason)
        assert found.reason
        assert "\n" not in found.reason
        if found.how == UNDO:
            assert set(found.touched) == {"web1", "web2"}
            assert all(host.known for host in found.touched.values())
        seen.add(found.how)
    assert seen == {None: {FINISH, UNDO}, FINISH: {FINISH}, UNDO: {UNDO, "refuse"}}[wish]


def test_when_no_host_was_changed_it_is_closed_as_an_undo_that_has_nothing_to_do() -> None:
    facts = {"web1": OTHER_FACTS["staged"], "web2": OTHER_FACTS["silent"]}
    found = decide(None, NEW, "", {}, facts)
    assert (found.how, found.touched) == (UNDO, {})
    assert found.reason == "no host had been changed, so nothing has to go back"
    assert decide(FINISH, NEW, "", {}, facts).how == FINISH


def test_a_host_whose_journal_is_open_counts_as_touched_though_the_record_knows_nothing_of_it() -> None:
    found = decide(None, NEW, "", {}, {"web1": TOUCHED_FACTS["cut off on the new"], "web2": OTHER_FACTS["staged"]})
    assert (found.how, found.touched["web1"].before) == (UNDO, OLD)
    assert "the activation on web1 was cut off" in found.reason


def test_a_journal_of_another_version_is_not_ours_to_undo() -> None:
    other = HostFacts(True, OLD, True, BOTH, {"from": "0.8", "to": "0.9"})
    assert decide(None, NEW, "", {}, {"web1": other}).touched == {}


def test_the_reason_names_the_fact_that_decided() -> None:
    record = {"web1": RECORDS["known"]}
    for fact, words in {
        "well on the old": "web1 serves 1.0, not 1.1; going back: web1 to 1.0",
        "sick on the new": "web1 is not healthy on 1.1",
        "serves nothing": "web1 serves nothing, not 1.1",
        "silent": "web1 did not answer",
        "well on the new": "every host that was changed (web1) is well on 1.1",
    }.items():
        assert words in decide(None, NEW, "", record, {"web1": TOUCHED_FACTS[fact]}).reason
    assert "web2 has no release 1.1" in decide(None, NEW, "", record, {"web1": TOUCHED_FACTS["well on the new"], "web2": OTHER_FACTS["not staged"]}).reason
    gone = decide(UNDO, NEW, "", record, {"web1": TOUCHED_FACTS["well, the old release is gone"]})
    assert (gone.how, "web1 has no release 1.0 any more" in gone.reason, "-e recover=finish" in gone.reason) == ("refuse", True, True)


def past(number: int, version: str = NEW, status: str = "interrupted", **more: object) -> Past:
    return Past(f"shop_api:test:{number}", f"id-{number}", number, version, status, **more)  # type: ignore[arg-type]


SHIFTED = {"web1": PastHost(True, False, OLD, True)}
BACK = {"web1": PastHost(True, True, OLD, True)}


@pytest.mark.parametrize(
    ("status", "hosts", "needed"),
    [
        ("interrupted", {}, True),
        ("interrupted", SHIFTED, True),
        ("in_progress", SHIFTED, True),
        ("paused", SHIFTED, True),
        ("rollback_failed", BACK, True),
        ("failed", SHIFTED, True),
        ("failed", BACK, False),
        ("failed", {}, False),
        ("aborted", SHIFTED, True),
        ("aborted", {}, False),
        ("rolled_back", BACK, False),
        ("success", SHIFTED, False),
    ],
)
def test_which_ends_need_a_recovery(status: str, hosts: dict, needed: bool) -> None:
    assert bool(unsettled_chain([past(1, status=status, hosts=hosts)])) is needed


def test_what_a_success_or_a_recovery_settled_needs_none_any_more() -> None:
    assert unsettled_chain([past(2, status="success"), past(1)]) == []
    assert unsettled_chain([past(2, status="rolled_back", resumes="shop_api:test:1"), past(1)]) == []


def test_a_deployment_that_failed_without_a_trace_or_reached_a_part_hides_nothing_before_it() -> None:
    older = past(1, hosts=SHIFTED)
    for newer in (past(2, "1.2", "failed"), past(2, "1.2", "rolled_back", hosts=BACK), past(2, status="success", whole=False)):
        assert unsettled_chain([newer, older]) == [older]


def test_of_several_that_were_cut_off_each_host_goes_back_to_what_it_had_before_the_first() -> None:
    first = past(1, hosts={"web1": PastHost(True, False, OLD, True), "web2": PastHost(False, False, OLD, True)})
    again = past(2, hosts={"web1": PastHost(True, False, NEW, True), "web2": PastHost(True, False, OLD, True)})
    assert {name: host.before for name, host in origins([again, first]).items()} == {"web1": OLD, "web2": OLD}
    unknown = past(1, hosts={"web1": PastHost(True)})
    assert origins([again, unknown])["web1"].before == NEW


def cut_off(wish: str | None = None, **facts: HostFacts) -> Progress:
    progress = Progress.start(NEW, OLD, ["web1", "web2"], 0)
    begin(progress, decide(wish, NEW, "", SHIFTED, facts, OLD), frozenset({"web1"}))
    return progress


def test_an_undo_takes_back_what_was_touched_and_must_prove_it() -> None:
    progress = cut_off(web1=TOUCHED_FACTS["sick on the new"], web2=OTHER_FACTS["staged"])
    assert not progress.may_go().go
    assert progress.begin_undo() == {"web1": OLD}
    assert progress.outcome()[0] == "rollback_failed"
    progress.record("web1", "revert", "ok", {"version": OLD}, None)
    assert progress.outcome()[0] == "rollback_failed", "nobody has asked the host yet"
    progress.record("web1", "inspect", "unchanged", {"version": OLD}, None)
    assert progress.outcome()[0] == "rolled_back"


def test_an_answer_from_before_the_undo_proves_nothing_after_it() -> None:
    progress = cut_off(UNDO, web1=TOUCHED_FACTS["well on the old"], web2=OTHER_FACTS["staged"])
    progress.record("web1", "inspect", "unchanged", {"version": OLD}, None)
    progress.begin_undo()
    progress.record("web1", "revert", "unreachable", None, None)
    assert progress.outcome()[0] == "rollback_failed"


def test_an_undo_without_a_touched_host_ends_as_rolled_back_at_once() -> None:
    progress = Progress.start(NEW, OLD, ["web1"], 0)
    begin(progress, decide(None, NEW, "", {}, {"web1": OTHER_FACTS["staged"]}), frozenset())
    assert progress.begin_undo() == {}
    assert progress.outcome() == ("rolled_back", "recovery by undo: no host had been changed, so nothing has to go back")


def test_an_undo_that_is_not_possible_changes_nothing_and_fails() -> None:
    progress = Progress.start(NEW, None, ["web1"], 0)
    begin(progress, decide(UNDO, NEW, "", {"web1": RECORDS["unknown"]}, {"web1": TOUCHED_FACTS["well on the new"]}), frozenset())
    assert (progress.may_go().go, progress.begin_undo()) == (False, {})
    status, reason = progress.outcome()
    assert (status, "-e recover=finish" in reason) == ("failed", True)


def test_finishing_keeps_what_the_interrupted_deployment_met_so_a_failure_takes_all_of_it_back() -> None:
    progress = cut_off(FINISH, web1=TOUCHED_FACTS["well on the new"], web2=OTHER_FACTS["staged"])
    progress.record("web1", "stage", "unchanged", {"version": NEW, "current": NEW}, None)
    progress.record("web2", "stage", "unchanged", {"version": NEW, "current": OLD}, None)
    progress.record("web1", "activate", "unchanged", {"version": NEW, "previous": OLD}, None, False)
    assert progress.passed_before(["web1"])
    progress.record("web2", "activate", "reverted", {"version": OLD}, {"code": "HEALTH_CHECK_FAILED"}, True)
    assert not progress.may_go().go
    assert progress.begin_undo() == {"web1": OLD}


def test_a_run_that_fails_before_it_reaches_a_host_that_was_changed_takes_that_one_back_too() -> None:
    progress = Progress.start(NEW, OLD, ["web1", "web2"], 0)
    take_over(progress, SHIFTED)
    progress.record("web1", "stage", "unchanged", {"version": NEW, "current": NEW}, None)
    progress.record("web2", "stage", "failed", None, {"code": "PROVIDER_ERROR"}, False)
    assert not progress.may_go().go
    assert progress.begin_undo() == {"web1": OLD}
    progress.record("web1", "revert", "ok", {"version": OLD}, None)
    progress.record("web1", "inspect", "unchanged", {"version": OLD}, None)
    assert progress.outcome()[0] == "rolled_back"


def test_a_gate_counts_as_passed_only_when_the_hosts_before_it_are_as_they_were_left() -> None:
    progress = cut_off(FINISH, web1=TOUCHED_FACTS["well on the new"], web2=OTHER_FACTS["staged"])
    assert not progress.passed_before(["web1"]), "nothing was asked of it yet"
    progress.record("web1", "activate", "ok", {"version": NEW, "previous": OLD}, None, True)
    assert not progress.passed_before(["web1"]), "it had to be changed again"
    progress.record("web2", "activate", "unchanged", {"version": NEW}, None, False)
    assert not progress.passed_before(["web2"]), "its gate had not been passed"
