# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator's abort, as the rules of a deployment see it."""

from __future__ import annotations

from tests.unit.plugins.plugin_utils.planning.test_progress import shift, started

WHY = "aborted by ada: wrong release"


def test_an_abort_lets_no_batch_go_and_undoes_what_changed() -> None:
    progress = started()
    shift(progress, "web1")
    assert progress.abort(WHY, leave=False) == ""
    assert (progress.may_go().go, progress.may_go().reason) == (False, WHY)
    assert progress.begin_undo() == {"web1": "1.0"}
    progress.record("web1", "revert", "ok", {"version": "1.0"}, None, True)
    progress.record("web1", "inspect", "ok", {"version": "1.0"}, None, False)
    assert progress.outcome() == ("aborted", f"{WHY}; undone")


def test_an_abort_that_is_not_proved_to_be_undone_is_a_failed_rollback() -> None:
    progress = started()
    shift(progress, "web1")
    progress.abort(WHY, leave=False)
    progress.begin_undo()
    progress.record("web1", "revert", "failed", None, {"code": "ROLLBACK_FAILED"}, True)
    assert progress.outcome() == ("rollback_failed", f"{WHY}; not proved to be back: web1")


def test_an_abort_before_anything_changed_says_so() -> None:
    progress = started()
    progress.abort(WHY, leave=False)
    assert progress.begin_undo() == {}
    assert progress.outcome() == ("aborted", f"{WHY}; no host had changed")


def test_an_abort_may_leave_the_hosts_as_they_are() -> None:
    progress = started()
    shift(progress, "web1")
    progress.abort(WHY, leave=True)
    assert not progress.may_go().go
    assert progress.begin_undo() == {}
    assert progress.outcome() == ("aborted", f"{WHY}; the hosts stay as they are, 1 of 3 on 2.0")


def test_a_halted_deployment_needs_no_abort_but_may_be_left_as_it_is() -> None:
    progress = started()
    shift(progress, "web1")
    shift(progress, "web2", "reverted")
    halted = progress.may_go().reason
    assert progress.abort(WHY, leave=False) == f"it is halted and undone already: {halted}"
    assert progress.to_undo() == {"web1": "1.0"}
    assert progress.abort(WHY, leave=True) == ""
    assert progress.to_undo() == {}
    status, reason = progress.outcome()
    assert status == "aborted"
    assert reason.startswith(f"{WHY} (it was halted before: {halted})")


def test_an_abort_after_the_last_gate_is_too_late() -> None:
    progress = started()
    for host in ("web1", "web2", "web3"):
        shift(progress, host)
    progress.begin_undo()
    assert progress.abort(WHY, leave=False) == "the last gate was passed already"
    assert progress.outcome() == ("success", "")


def test_a_deployment_that_lost_its_lock_changes_nothing_for_an_abort() -> None:
    progress = started()
    shift(progress, "web1")
    progress.lease_lost = True
    assert "the lock went to another deployment" in progress.abort(WHY, leave=False)
    assert progress.to_undo() == {}
    assert progress.outcome()[0] == "failed"
