# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unreachable hosts within their own budget are left out; over it they count as failed, as without one."""

from __future__ import annotations

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import Progress

HOSTS = ["web1", "web2", "web3", "web4"]
GONE = {"code": "PROVIDER_CONNECTION_ERROR"}


def started(max_unreachable: int, max_failed: int = 0, away: tuple[str, ...] = ()) -> Progress:
    progress = Progress.start("2.0", "1.0", HOSTS, max_failed, max_unreachable)
    for host in HOSTS:
        if host in away:
            progress.record(host, "stage", "unreachable", None, GONE)
        else:
            progress.record(host, "stage", "ok", {"version": "2.0", "current": "1.0"}, None, True)
    return progress


def shift(progress: Progress, host: str, outcome: str = "ok") -> None:
    release = {"version": "2.0" if outcome == "ok" else "1.0", "previous": "1.0"} if outcome != "unreachable" else {}
    error = None if outcome == "ok" else GONE if outcome == "unreachable" else {"code": "HEALTH_CHECK_FAILED"}
    progress.record(host, "activate", outcome, release, error, None if outcome == "unreachable" else True)


def test_within_the_budget_the_deployment_goes_on_and_its_outcome_names_who_was_left_out() -> None:
    progress = started(1, away=("web2",))
    decision = progress.may_go()
    assert (decision.go, decision.failed, progress.left_out()) == (True, [], ["web2"])
    for host in ("web1", "web3", "web4"):
        shift(progress, host)
    assert progress.outcome() == ("success", "left out as unreachable: web2")


def test_over_the_budget_all_unreachable_hosts_count_as_failed_and_halt() -> None:
    progress = started(1, away=("web2", "web3"))
    decision = progress.may_go()
    assert (decision.go, decision.failed, progress.left_out()) == (False, ["web2", "web3"], [])
    assert decision.reason == "2 of 4 hosts failed (web2, web3), allowed: 0"
    assert progress.outcome()[0] == "failed"


def test_without_a_budget_an_unreachable_host_counts_as_failed_and_may_be_within_that_budget() -> None:
    assert not started(0, away=("web2",)).may_go().go
    assert started(0, max_failed=1, away=("web2",)).may_go().go


def test_a_failed_host_is_never_within_the_budget_of_unreachable_ones() -> None:
    progress = started(4, away=("web2",))
    shift(progress, "web1", "reverted")
    decision = progress.may_go()
    assert (decision.go, decision.failed) == (False, ["web1"])


def test_both_budgets_are_told_apart_in_the_outcome() -> None:
    progress = started(1, max_failed=1, away=("web2",))
    shift(progress, "web1", "reverted")
    assert progress.may_go().go
    shift(progress, "web3")
    shift(progress, "web4")
    assert progress.outcome() == ("success", "within budget, but failed: web1; left out as unreachable: web2")


def test_a_host_that_vanished_while_it_shifted_is_left_out_within_the_budget() -> None:
    progress = started(1)
    shift(progress, "web1", "unreachable")
    assert progress.may_go().go
    for host in ("web2", "web3", "web4"):
        shift(progress, host)
    assert progress.outcome() == ("success", "left out as unreachable: web1")


def test_a_host_that_vanished_while_it_shifted_is_undone_like_the_others_and_must_prove_it() -> None:
    progress = started(1)
    shift(progress, "web1", "unreachable")
    shift(progress, "web2")
    shift(progress, "web3", "reverted")
    assert not progress.may_go().go
    assert progress.begin_undo() == {"web1": "1.0", "web2": "1.0"}
    progress.record("web2", "revert", "ok", {"version": "1.0"}, None, True)
    progress.record("web2", "inspect", "unchanged", {"version": "1.0"}, None, False, "healthy")
    status, reason = progress.outcome()
    assert status == "rollback_failed"
    assert reason.endswith("not proved to be back: web1")
    progress.record("web1", "revert", "ok", {"version": "1.0"}, None, True)
    progress.record("web1", "inspect", "unchanged", {"version": "1.0"}, None, False, "healthy")
    assert progress.outcome()[0] == "rolled_back"


def test_a_host_that_was_never_reached_needs_no_undo() -> None:
    progress = started(1, away=("web4",))
    shift(progress, "web1")
    shift(progress, "web2", "reverted")
    progress.may_go()
    assert progress.begin_undo() == {"web1": "1.0"}


@pytest.mark.parametrize("max_unreachable", [0, 4])
def test_a_fleet_that_is_all_away_is_no_success_and_not_called_staged_only(max_unreachable: int) -> None:
    progress = started(max_unreachable, max_failed=0 if max_unreachable else 4, away=tuple(HOSTS))
    assert progress.may_go().go
    assert progress.outcome() == ("failed", "no host reached 2.0: web1, web2, web3, web4")
