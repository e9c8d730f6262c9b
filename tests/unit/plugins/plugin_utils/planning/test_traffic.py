# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What steps of traffic mean for a deployment."""

from __future__ import annotations

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import Progress
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.traffic import check_batch

ERROR = {"code": "PROVIDER_UNAVAILABLE", "message": "the balancer is away"}


@pytest.fixture
def progress() -> Progress:
    """web1 serves 2.0 already, web2 is staged."""
    found = Progress.start("2.0", "1.0", ["web1", "web2"], 0)
    for name in ("web1", "web2"):
        found.record(name, "stage", "ok", {"version": "2.0", "current": "1.0"}, None)
    found.record("web1", "drain", "ok", None, None, True)
    found.record("web1", "activate", "ok", {"version": "2.0", "previous": "1.0"}, None, True)
    found.record("web1", "undrain", "ok", None, None, True)
    return found


def test_steps_that_end_well_leave_a_host_where_it_is(progress: Progress) -> None:
    assert progress.hosts["web1"].state == "active"
    assert (progress.hosts["web1"].step, progress.hosts["web1"].serving) == ("activate", "2.0")
    assert progress.may_go().go


def test_a_host_that_cannot_be_drained_has_failed_and_needs_no_undo(progress: Progress) -> None:
    progress.record("web2", "drain", "failed", None, ERROR, False)
    assert (progress.hosts["web2"].state, progress.hosts["web2"].failure) == ("failed", ERROR)
    assert not progress.may_go().go
    assert progress.to_undo() == {"web1": "1.0"}


def test_a_host_that_serves_but_gets_no_requests_has_failed_and_is_undone(progress: Progress) -> None:
    progress.record("web2", "activate", "ok", {"version": "2.0", "previous": "1.0"}, None, True)
    progress.record("web2", "undrain", "failed", None, ERROR, True)
    assert not progress.may_go().go
    assert progress.begin_undo() == {"web1": "1.0", "web2": "1.0"}


def test_in_an_undo_a_drain_that_fails_keeps_no_host_from_going_back(progress: Progress) -> None:
    progress.record("web2", "activate", "reverted", {"version": "1.0"}, {"code": "HEALTH_CHECK_FAILED"}, True)
    assert not progress.may_go().go
    assert progress.begin_undo() == {"web1": "1.0"}
    progress.record("web1", "drain", "failed", None, ERROR, False)
    progress.record("web1", "revert", "ok", {"version": "1.0"}, None, True)
    progress.record("web1", "inspect", "ok", {"version": "1.0"}, None, False, "healthy")
    assert progress.outcome()[0] == "rolled_back"
    assert progress.hosts["web1"].failure is None


def test_a_host_that_is_undone_but_out_of_service_is_not_back(progress: Progress) -> None:
    progress.record("web2", "activate", "reverted", {"version": "1.0"}, {"code": "HEALTH_CHECK_FAILED"}, True)
    progress.may_go()
    progress.begin_undo()
    progress.record("web1", "revert", "ok", {"version": "1.0"}, None, True)
    progress.record("web1", "undrain", "failed", None, ERROR, True)
    progress.record("web1", "inspect", "ok", {"version": "1.0"}, None, False, "healthy")
    status, reason = progress.outcome()
    assert (status, "not proved to be back: web1" in reason) == ("rollback_failed", True)


def test_a_weight_that_cannot_be_set_fails_the_host(progress: Progress) -> None:
    progress.record("web1", "weight", "failed", None, ERROR, False)
    assert progress.hosts["web1"].state == "failed"


def test_a_batch_that_leaves_too_few_in_service_is_refused() -> None:
    check_batch(2, 3, 1, "app")
    check_batch(3, 3, 0, "app")
    with pytest.raises(ConfigurationError, match="3 hosts at once are too many: backend app has 3 servers, and 1 must stay in service"):
        check_batch(3, 3, 1, "app")


def test_a_share_that_could_not_be_set_halts_whatever_the_budget(progress: Progress) -> None:
    progress.max_failed = 3
    progress.record("web1", "weight", "failed", None, {"code": "PROVIDER_ERROR", "message": "lb1 is away"}, True)
    decision = progress.may_go()
    assert (decision.go, decision.reason) == (False, "the canary's share of the traffic could not be set: lb1 is away")


def test_a_share_that_could_not_be_set_back_is_told_at_the_end(progress: Progress) -> None:
    progress.record("web1", "weight", "failed", None, {"code": "PROVIDER_ERROR", "message": "lb1 is away"}, True)
    progress.begin_undo()
    assert "still in force" not in progress.outcome()[1]
    progress.record("web1", "weight", "failed", None, {"code": "PROVIDER_ERROR", "message": "lb1 is away"}, True)
    assert progress.outcome()[1].endswith("; the canary's share of the traffic is still in force, for it could not be set back: lb1 is away")
