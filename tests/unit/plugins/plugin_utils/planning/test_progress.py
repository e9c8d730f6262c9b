# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import Progress

HOSTS = ["web1", "web2", "web3"]


def started(max_failed: int = 0, last_good: str | None = "1.0") -> Progress:
    progress = Progress.start("2.0", last_good, HOSTS, max_failed)
    for host in HOSTS:
        progress.record(host, "stage", "ok", {"version": "2.0", "current": "1.0"}, None, True)
    return progress


def shift(progress: Progress, host: str, outcome: str = "ok", changed: bool | None = True, release: dict | None = None) -> None:
    released = release if release is not None else {"version": "2.0" if outcome == "ok" else "1.0", "previous": "1.0"}
    progress.record(host, "activate", outcome, released, {"code": "HEALTH_CHECK_FAILED"} if outcome in ("failed", "reverted", "unreachable") else None, changed)


def test_when_all_hosts_shift_the_deployment_is_a_success():
    progress = started()
    for host in HOSTS:
        assert progress.may_go().go
        shift(progress, host)
    assert progress.outcome() == ("success", "")
    assert progress.to_undo() == {}


def test_one_failure_over_the_budget_halts_and_names_the_host():
    progress = started()
    shift(progress, "web1")
    shift(progress, "web2", "reverted")
    decision = progress.may_go()
    assert not decision.go
    assert decision.failed == ["web2"]
    assert "web2" in decision.reason and "allowed: 0" in decision.reason


def test_a_halt_undoes_every_host_that_shifted_to_what_it_had_and_not_those_that_went_back_alone():
    progress = started()
    shift(progress, "web1", release={"version": "2.0", "previous": "0.9"})
    shift(progress, "web2", "reverted")
    progress.may_go()
    assert progress.to_undo() == {"web1": "0.9"}


def test_after_the_undo_the_outcome_is_rolled_back():
    progress = started()
    shift(progress, "web1")
    shift(progress, "web2", "reverted")
    progress.may_go()
    progress.record("web1", "revert", "ok", {"version": "1.0"}, None, True)
    status, reason = progress.outcome()
    assert status == "rolled_back"
    assert "web2" in reason


def test_an_undo_that_fails_is_told_as_rollback_failed_with_the_host():
    progress = started()
    shift(progress, "web1")
    shift(progress, "web2", "reverted")
    progress.may_go()
    progress.record("web1", "revert", "failed", None, {"code": "PROVIDER_ERROR"}, None)
    assert progress.outcome()[0] == "rollback_failed"
    assert "web1" in progress.outcome()[1]


def test_an_undo_that_was_never_run_is_not_called_rolled_back():
    progress = started()
    shift(progress, "web1")
    shift(progress, "web2", "reverted")
    progress.may_go()
    assert progress.outcome()[0] == "rollback_failed"


def test_a_host_that_vanished_while_it_shifted_counts_as_failed_and_must_be_undone():
    progress = started()
    shift(progress, "web1", "unreachable", None, {})
    assert progress.may_go().failed == ["web1"]
    assert progress.to_undo() == {"web1": "1.0"}


def test_a_failure_before_anything_changed_needs_no_undo():
    progress = started()
    shift(progress, "web1", "failed", False, {})
    progress.may_go()
    assert progress.to_undo() == {}
    assert progress.outcome()[0] == "failed"


def test_a_failed_stage_halts_before_anything_moves():
    progress = Progress.start("2.0", "1.0", HOSTS, 0)
    progress.record("web1", "stage", "failed", None, {"code": "VALIDATION_ERROR"}, False)
    assert not progress.may_go().go
    assert progress.outcome()[0] == "failed"


def test_failures_within_the_budget_let_the_rest_go_and_are_named_in_the_outcome():
    progress = started(max_failed=1)
    shift(progress, "web1")
    shift(progress, "web2", "reverted")
    assert progress.may_go().go
    shift(progress, "web3")
    assert progress.outcome() == ("success", "within budget, but failed: web2")


def test_hosts_that_a_cut_off_run_had_shifted_are_undone_to_the_last_good_version():
    progress = started(last_good="1.0")
    shift(progress, "web1", "unchanged", False)
    shift(progress, "web2", "reverted")
    progress.may_go()
    assert progress.to_undo() == {"web1": "1.0"}


def test_deploying_the_good_version_again_undoes_no_host_that_had_it_before():
    progress = Progress.start("1.0", "1.0", HOSTS, 0)
    shift(progress, "web1", "unchanged", False, {"version": "1.0", "previous": "0.9"})
    shift(progress, "web2", "reverted")
    progress.may_go()
    assert progress.to_undo() == {}


def test_the_first_deployment_ever_is_undone_to_nothing():
    progress = Progress.start("1.0", None, HOSTS, 0)
    for host in HOSTS:
        progress.record(host, "stage", "ok", {"version": "1.0", "current": None}, None, True)
    shift(progress, "web1", release={"version": "1.0", "previous": None})
    shift(progress, "web2", "reverted")
    progress.may_go()
    assert progress.to_undo() == {"web1": None}


def test_a_lost_lease_stops_everything_and_undoes_nothing():
    progress = started()
    shift(progress, "web1")
    progress.lease_lost = True
    assert not progress.may_go().go
    assert progress.to_undo() == {}
    assert progress.outcome()[0] == "failed"
    assert "LEASE_LOST" in progress.outcome()[1]


def test_a_run_that_only_staged_says_so():
    assert started().outcome() == ("aborted", "prepared only: no batch was shifted in this run")


def test_a_run_that_did_nothing_at_all_does_not_say_that_it_staged():
    status, reason = Progress.start("2.0", "1.0", ["web1", "web2"], 0).outcome()
    assert (status, reason.startswith("nothing was done: no host was staged or shifted")) == ("aborted", True)


def test_a_run_that_left_hosts_out_is_no_success():
    progress = started()
    shift(progress, "web1")
    assert progress.outcome()[0] == "aborted"
    assert "web2" in progress.outcome()[1]


def test_a_failure_outside_any_step_counts_once_and_never_hides_the_step_s_own_word():
    progress = started()
    progress.note_failure("web1", {"code": "DEPLOYMENT_ERROR"})
    assert progress.may_go().failed == ["web1"]
    shift(progress, "web2")
    progress.note_failure("web2", {"code": "DEPLOYMENT_ERROR"}, spoken=True)
    assert progress.hosts["web2"].state == "active"


def test_a_task_of_one_s_own_that_fails_after_the_shift_counts_until_the_hosts_settle():
    progress = started()
    shift(progress, "web1")
    assert progress.note_failure("web1", {"code": "DEPLOYMENT_ERROR"})
    assert progress.may_go().failed == ["web1"]
    assert progress.to_undo() == {"web1": "1.0"}
    later = started()
    for host in HOSTS:
        shift(later, host)
    later.begin_undo()
    assert not later.note_failure("web1", {"code": "DEPLOYMENT_ERROR"}), "what fails while old releases are cleared away undoes nothing"


def test_hosts_that_were_reverted_by_hand_are_no_success():
    progress = started()
    for host in HOSTS:
        shift(progress, host)
        progress.record(host, "revert", "ok", {"version": "1.0"}, None, True)
    assert progress.outcome()[0] == "rolled_back"


def test_a_budget_that_lets_every_host_fail_makes_no_success_of_it():
    progress = started(max_failed=3)
    for host in HOSTS:
        shift(progress, host, "reverted")
    assert progress.outcome()[0] == "rolled_back"
    assert "no host reached 2.0" in progress.outcome()[1]


def undone(progress: Progress, served: str | None, health: str = "healthy") -> tuple[str, str]:
    shift(progress, "web1")
    shift(progress, "web2", "reverted")
    progress.may_go()
    assert progress.begin_undo() == {"web1": "1.0"}
    progress.record("web1", "revert", "ok", {"version": "1.0"}, None, True)
    if served is not None:
        progress.record("web1", "inspect", "unchanged", {"version": served}, None, False, health)
    return progress.outcome()


def test_an_undone_host_counts_as_back_once_it_has_answered_with_the_version_before():
    assert undone(started(), "1.0")[0] == "rolled_back"


def test_an_undone_host_that_answers_another_version_or_nothing_or_is_unwell_is_not_back():
    for served, health in (("2.0", "healthy"), (None, ""), ("1.0", "unhealthy")):
        status, reason = undone(started(), served, health)
        assert (status, "web1" in reason) == ("rollback_failed", True)


def test_redeploying_the_live_version_goes_back_to_that_version_not_to_an_older_one():
    progress = Progress.start("1.1", "1.1", HOSTS, 0)
    for host in HOSTS:
        progress.record(host, "stage", "unchanged", {"version": "1.1", "current": "1.1"}, None, False)
    shift(progress, "web1", release={"version": "1.1", "previous": "1.0"})
    shift(progress, "web2", "reverted")
    progress.may_go()
    assert progress.begin_undo() == {"web1": "1.1"}


def test_a_host_on_which_neither_version_is_healthy_is_within_no_budget():
    progress = started(max_failed=3)
    progress.record("web1", "activate", "failed", {}, {"code": "ROLLBACK_FAILED"}, True)
    assert not progress.may_go().go
    assert "web1" in progress.may_go().reason


def test_what_fails_while_going_back_is_told_but_is_not_why_the_deployment_failed():
    progress = started()
    lost, ill = {"code": "PROVIDER_CONNECTION_ERROR"}, {"code": "HEALTH_CHECK_FAILED"}
    progress.record("web1", "activate", "unreachable", {}, lost, None)
    progress.record("web1", "revert", "failed", {}, ill, None)
    assert (progress.hosts["web1"].error, progress.hosts["web1"].failure) == (ill, lost)
