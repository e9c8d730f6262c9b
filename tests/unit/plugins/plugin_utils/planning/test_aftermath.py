# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the end of a deployment leaves: a lock after an undo, a quarantine only when the release is to blame, the end of one after a success."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils import errors
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.aftermath import aftermath, cause, tells_of_release
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import CLOSED_STATUSES, KINDS

UNDONE = ("rolled_back", "rollback_failed")
SICK = errors.HealthCheckError("500 instead of\n200").to_dict()
AWAY = errors.ProviderConnectionError("no route").to_dict()


def left(**changes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"kind": "deploy", "status": "rolled_back", "reason": "1 of 3 hosts failed", "error": SICK, "digests": {"b", "a"}, "options": {}}
    return aftermath(**{**usual, "aborted": False, **changes})


def test_an_undo_by_the_release_s_fault_leaves_a_lock_and_a_quarantine() -> None:
    why = "1 of 3 hosts failed; HEALTH_CHECK_FAILED: 500 instead of 200"
    assert left() == {"undo_limit": 3, "hold": why, "quarantine": {"digests": ["a", "b"], "error_code": "HEALTH_CHECK_FAILED", "reason": why}}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", CLOSED_STATUSES)
def test_only_a_deployment_that_was_undone_leaves_something_in_the_way(kind: str, status: str) -> None:
    found = left(kind=kind, status=status)
    assert ("hold" in found, "quarantine" in found, "undo_limit" in found) == (kind == "deploy" and status in UNDONE,) * 3
    assert found.get("lift") == (["a", "b"] if status == "success" else None)


@pytest.mark.parametrize(
    ("changes", "keeps"),
    [
        pytest.param({"options": {"lock_after_undo": False}}, {"quarantine", "undo_limit"}, id="the lock is switched off"),
        pytest.param({"error": AWAY}, {"hold", "undo_limit"}, id="the infrastructure was at fault"),
        pytest.param({"error": None}, {"hold", "undo_limit"}, id="no host had an error"),
        pytest.param({"aborted": True}, {"hold", "undo_limit"}, id="a person ended it"),
    ],
)
def test_what_an_undo_does_not_leave(changes: dict[str, Any], keeps: set[str]) -> None:
    assert set(left(**changes)) == keeps


def test_the_limit_of_undos_is_handed_on() -> None:
    assert left(options={"undo_limit": 5})["undo_limit"] == 5


ALL = sorted(
    {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.FraisierError)},
    key=lambda kind: kind.__name__,
)
BLAMES = {
    "DeploymentError",
    "DeploymentTimeoutError",
    "FraisierError",
    "HealthCheckError",
    "ProviderError",
}


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_which_errors_speak_against_a_release(kind: type[errors.FraisierError]) -> None:
    assert tells_of_release(kind("so").to_dict()) == (kind.__name__ in BLAMES)
    assert not tells_of_release(kind("so", infrastructure=True).to_dict())


@pytest.mark.parametrize(("failure", "blames"), [(SICK, True), (AWAY, False), (None, False)])
def test_a_host_that_could_not_go_back_blames_the_release_only_when_that_is_why_it_had_to(failure: dict[str, Any] | None, blames: bool) -> None:
    stranded = errors.RollbackError("neither is healthy", context={"failure": failure}).to_dict()
    assert tells_of_release(stranded) == blames


@pytest.mark.parametrize("error", [None, {}, {"code": "DEPLOYMENT_ERROR", "category": "UNKNOWN", "message": "a task failed"}])
def test_an_error_that_does_not_say_whose_fault_it_is_blames_nobody(error: dict[str, Any] | None) -> None:
    assert not tells_of_release(error)


def test_after_an_undo_the_cause_is_the_error_that_speaks_against_the_release() -> None:
    assert cause("rolled_back", [AWAY, SICK]) == SICK
    assert cause("rolled_back", [AWAY]) == AWAY
    assert cause("failed", [AWAY, SICK]) == AWAY
    assert cause("rolled_back", []) is None
