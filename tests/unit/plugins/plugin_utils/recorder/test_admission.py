# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the rules of admission are asked, and what they are told: at the opening, before the first host goes live, at the end, for a plan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    ConfigurationError,
    DeploymentLockedError,
    FrozenError,
    HealthCheckError,
    ProviderConnectionError,
    ReleaseQuarantinedError,
    ValidationError,
)
from ansible_collections.fraisier.deploy.plugins.plugin_utils.plan_reports import plan_report
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import Progress
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.admission import Admission

NOW = datetime(2026, 11, 24, 21, 0, tzinfo=UTC)
REQUEST = {"kind": "deploy", "fraise": "shop_api", "environment": "live", "user": "on-call"}
HOLD = {
    "identifier": "shop_api:live:person:1",
    "kind": "person",
    "fraise": "shop_api",
    "environment": "live",
    "reason": "the disks",
    "placed_by": "on-call",
    "placed_at": NOW,
    "expires_at": None,
    "deployment": None,
}
BAD = {"version": "2.0", "digest": "sha256:bad", "reason": "sick", "error_code": "HEALTH_CHECK_FAILED", "placed_at": NOW, "deployment": "shop_api:live:7"}
ALWAYS = {"name": "sale", "reason": "a busy week", "from": "2026-11-24", "to": "2026-11-30", "timezone": "Europe/Zurich"}
SICK = HealthCheckError("500").to_dict()
AWAY = ProviderConnectionError("no route").to_dict()


def facts(*holds: dict[str, Any], bad: tuple[dict[str, Any], ...] = (), digests: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"now": NOW, "holds": list(holds), "quarantines": list(bad), "digests": list(digests)}


def staged(*digests: str) -> dict[str, dict[str, Any]]:
    return {f"web{number}": {"stage": {"outcome": "ok", "release": {"digest": digest}}} for number, digest in enumerate(digests, start=1)}


def admission(version: str = "2.0", **changes: Any) -> Admission:
    found = Admission({**REQUEST, **changes})
    found.version = version
    return found


def closed(found: Admission, status: str, *errors: dict[str, Any], digest: str = "sha256:bad") -> dict[str, Any]:
    progress = Progress.start(found.version, "1.0", ["web1"], 0)
    return found.closing(status, "1 of 1 hosts failed", list(errors), progress, staged(digest))


@pytest.mark.parametrize("limit", [-1, 1.5, True, "many"])
def test_a_limit_of_undos_that_is_no_number_is_refused_before_anything_is_asked(limit: object) -> None:
    with pytest.raises(ValidationError, match="fraise_undo_limit"):
        admission(options={"undo_limit": limit})


def test_a_window_that_cannot_be_read_is_refused_by_the_name_of_its_variable() -> None:
    with pytest.raises(ConfigurationError, match=r"fraise_environment_freezes\[0\]\.timezone: 'Mars' is not a time zone"):
        admission(environment_freezes=[{**ALWAYS, "timezone": "Mars"}])


def test_what_stands_in_the_way_refuses_and_an_override_is_told_what_it_passes() -> None:
    seen = facts(HOLD, bad=(BAD,), digests=("sha256:bad",))
    with pytest.raises(DeploymentLockedError):
        admission(freezes=[ALWAYS]).judge(seen)
    with pytest.raises(FrozenError):
        admission(environment_freezes=[ALWAYS]).judge(facts())
    passing = admission(freezes=[ALWAYS], override="the shop is down")
    assert [entry["code"] for entry in passing.judge(seen)] == ["DEPLOYMENT_LOCKED", "FROZEN", "RELEASE_QUARANTINED"]
    assert admission(override="in vain").judge(facts()) == []


def test_what_was_staged_is_refused_by_its_digest_before_a_host_goes_live() -> None:
    found = admission("2.1")
    assert found.judge(facts(bad=(BAD,))) == []
    assert found.staged(staged("sha256:good")) == []
    assert found.refusal is None
    assert found.staged(staged("sha256:good", "sha256:bad")) == []
    assert isinstance(found.refusal, ReleaseQuarantinedError)
    assert "2.1, which is 2.0 under another name" in found.refusal.message
    assert closed(found, "failed", AWAY)["error"]["code"] == "RELEASE_QUARANTINED"


def test_an_override_passes_what_was_staged_and_says_so_once() -> None:
    found = admission("2.1", override="it was the check")
    found.judge(facts(bad=(BAD,)))
    assert [entry["code"] for entry in found.staged(staged("sha256:bad"))] == ["RELEASE_QUARANTINED"]
    assert (found.staged(staged("sha256:bad")), found.refusal) == ([], None)
    named = admission("2.0", override="it was the check")
    assert len(named.judge(facts(bad=(BAD,), digests=("sha256:bad",)))) == 1
    assert named.staged(staged("sha256:bad")) == [], "told at the opening already"


@pytest.mark.parametrize("kind", ["recover", "catchup"])
def test_what_repairs_the_fleet_is_never_refused_by_a_quarantine(kind: str) -> None:
    found = admission(kind=kind)
    assert found.judge(facts(bad=(BAD,), digests=("sha256:bad",))) == []
    assert (found.staged(staged("sha256:bad")), found.refusal) == ([], None)


def test_a_recovery_passes_everything() -> None:
    repeated = {**HOLD, "kind": "repeated_undo"}
    found = admission(kind="recover", freezes=[ALWAYS], environment_freezes=[ALWAYS])
    assert found.judge(facts(HOLD, repeated, {**HOLD, "kind": "undo"}, bad=(BAD,))) == []
    assert closed(found, "rolled_back", SICK)["left"] == {}, "an undo by a recovery leaves no lock and counts for nothing"


def test_the_end_says_what_it_leaves() -> None:
    found = admission(options={"lock_after_undo": False, "undo_limit": 5})
    left = closed(found, "rolled_back", AWAY, SICK)
    assert (left["error"]["code"], left["left"]["undo_limit"], "hold" in left["left"]) == ("HEALTH_CHECK_FAILED", 5, False)
    assert left["left"]["quarantine"]["digests"] == ["sha256:bad"]
    assert closed(admission(), "rolled_back", AWAY)["left"].keys() == {"undo_limit", "hold"}
    assert closed(admission(), "success") == {"error": None, "left": {"lift": ["sha256:bad"]}}


def test_a_plan_shows_what_it_would_meet() -> None:
    looked = admission("2.1", freezes=[ALWAYS], override="A plan changes nothing")
    looked.judge(facts(HOLD, bad=(BAD,)))
    looked.staged(staged("sha256:bad"))
    assert [entry["code"] for entry in looked.met] == ["DEPLOYMENT_LOCKED", "FROZEN", "RELEASE_QUARANTINED"]
    document = {
        "kind": "deploy",
        "version": "2.1",
        "fraise": "shop_api",
        "environment": "live",
        "strategy": "rolling",
        "budgets": {"max_failed": 0},
        "batches": [],
        "hosts": {},
    }
    plan = {"hash": "ab" * 32, "document": document, "expected_seconds": None}
    shown = [line for line in plan_report({**plan, "obstacles": looked.met}) if line.startswith("In its way now: ")]
    assert len(shown) == 3
    assert shown[0] == "In its way now: shop_api in live is locked by on-call since 2026-11-24 21:00:00 UTC: the disks [DEPLOYMENT_LOCKED]"
    assert not [line for line in plan_report(plan) if "In its way" in line]
