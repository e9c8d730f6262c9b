# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is stopped by what, over all kinds of deployments, holds, freezes and quarantines, with and without an override; what a refusal says."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.admission import (
    PERSON,
    REPEATED_UNDO,
    UNDO,
    Facts,
    decide,
    obstacles,
    quarantined,
    quarantined_by_digest,
)
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.freezes import Freeze, open_freezes, read_windows
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import KINDS

NOW = datetime(2026, 11, 24, 21, 0, tzinfo=UTC)
HOLDS = (PERSON, UNDO, REPEATED_UNDO)
PASSES = {
    "deploy": set(),
    "catchup": {"quarantine"},
    "rollback": {UNDO, REPEATED_UNDO, "freeze"},
    "recover": {PERSON, UNDO, REPEATED_UNDO, "freeze", "quarantine"},
}
"""Kind of deployment -> what does not stop it."""
BAD = {
    "version": "2.0",
    "digest": "sha256:bad",
    "reason": "it was sick",
    "error_code": "HEALTH_CHECK_FAILED",
    "placed_at": NOW,
    "deployment": "shop_api:live:7",
}


def hold(kind: str = PERSON, **changes: Any) -> dict[str, Any]:
    usual = {"identifier": f"shop_api:live:{kind}:1", "kind": kind, "fraise": "shop_api", "environment": "live", "reason": "the disks", "deployment": None}
    return {**usual, "placed_by": "on-call", "placed_at": NOW - timedelta(hours=1), "expires_at": None, **changes}


def freezes() -> list[Freeze]:
    window = {"name": "sale", "reason": "a busy week", "from": "2026-11-24", "to": "2026-11-30", "timezone": "Europe/Zurich"}
    return open_freezes(read_windows("fraise_freezes", [window]), NOW)


def asked(
    kind: str, *holds: dict[str, Any], frozen: bool = False, quarantines: tuple[dict[str, Any], ...] = (), digests: tuple[str, ...] = ("sha256:bad",)
) -> list[FraisierError]:
    """What stands in the way of a deployment of version 2.0."""
    return obstacles(kind, "shop_api", "live", "2.0", Facts(NOW, holds, quarantines, digests), freezes() if frozen else [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("present", [subset for size in range(4) for subset in itertools.combinations(HOLDS, size)], ids="+".join)
@pytest.mark.parametrize("frozen", [False, True], ids=["thawed", "frozen"])
@pytest.mark.parametrize("bad", [False, True], ids=["unknown", "quarantined"])
def test_every_kind_is_stopped_by_what_concerns_it_and_an_override_passes_it_all(kind: str, present: tuple[str, ...], frozen: bool, bad: bool) -> None:
    there = [*present, *(["freeze"] if frozen else []), *(["quarantine"] if bad else [])]
    stops = [name for name in there if name not in PASSES[kind]]
    found = asked(kind, *(hold(name) for name in present), frozen=frozen, quarantines=(BAD,) if bad else ())
    codes = sorted({"freeze": "FROZEN", "quarantine": "RELEASE_QUARANTINED"}.get(name, "DEPLOYMENT_LOCKED") for name in stops)
    assert sorted(error.code for error in found) == codes
    assert sorted(entry["code"] for entry in decide(found, "the shop is down")) == codes
    if not stops:
        assert decide(found, "") == []
        return
    with pytest.raises(FraisierError) as caught:
        decide(found, "")
    assert sorted(caught.value.context["obstacles"]) == codes
    assert "override" in caught.value.hint


def test_every_kind_has_its_rule() -> None:
    assert set(PASSES) == set(KINDS)


@pytest.mark.parametrize(("seconds", "stops"), [(-1, False), (0, False), (1, True), (None, True)])
def test_a_lock_ends_with_its_time(seconds: int | None, stops: bool) -> None:
    expires = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert bool(asked("deploy", hold(expires_at=expires))) == stops


def test_a_lock_says_who_since_when_until_when_why_and_how_to_lift_it() -> None:
    (error,) = asked("deploy", hold(expires_at=NOW + timedelta(hours=2)))
    assert error.message == "shop_api in live is locked by on-call since 2026-11-24 20:00:00 UTC until 2026-11-24 23:00:00 UTC: the disks"
    assert "ansible-playbook fraisier.deploy.unlock -e fraise=shop_api -e \"reason='why'\"" in error.hint
    assert (error.context["hold"], error.context["held_for_seconds"], error.infrastructure) == ("shop_api:live:person:1", 3600, True)


def test_a_lock_of_the_whole_environment_is_lifted_without_a_fraise() -> None:
    (error,) = asked("deploy", hold(fraise=None))
    assert error.message.startswith("All of live is locked by on-call since")
    assert "ansible-playbook fraisier.deploy.unlock -e \"reason='why'\"" in error.hint


def test_of_several_obstacles_a_person_s_lock_is_told_first_and_the_others_besides() -> None:
    newest = hold(UNDO, placed_at=NOW, reason="2.0 was undone")
    found = asked("deploy", newest, hold(), frozen=True, quarantines=(BAD,))
    with pytest.raises(FraisierError) as caught:
        decide(found, "")
    assert caught.value.message.startswith("shop_api in live is locked by on-call")
    for words in ("2.0 was undone", "is frozen: sale (a busy week)", "2.0 is quarantined in live"):
        assert words in caught.value.message.partition("Besides:")[2]


def test_a_lock_of_the_fraise_and_one_of_the_environment_are_told_with_both_commands() -> None:
    with pytest.raises(FraisierError) as caught:
        decide(asked("deploy", hold(), hold(UNDO, placed_at=NOW), hold(fraise=None)), "")
    unlock = "ansible-playbook fraisier.deploy.unlock"
    reason = "-e \"reason='why'\""
    assert caught.value.hint.startswith(f"Lift them with {unlock} -e fraise=shop_api {reason}, and with {unlock} {reason}; to pass it once")
    with pytest.raises(FraisierError) as caught:
        decide(asked("deploy", hold(), hold(UNDO, placed_at=NOW)), "")
    assert caught.value.hint.startswith(f"Lift it with {unlock} -e fraise=shop_api {reason}; "), "one command lifts both"


def test_a_freeze_names_window_reason_and_end_on_both_clocks() -> None:
    (error,) = asked("deploy", frozen=True)
    assert error.message == "shop_api in live is frozen: sale (a busy week) until 2026-11-30 00:00 Europe/Zurich (2026-11-29 23:00 UTC)"
    assert error.context["until_utc"] == "2026-11-29T23:00:00+00:00"


@pytest.mark.parametrize(
    ("digests", "row", "stops"),
    [
        pytest.param(("sha256:bad",), BAD, True, id="the version is known by the bad digest only"),
        pytest.param((), BAD, True, id="the version is known by no digest"),
        pytest.param(("sha256:bad", "sha256:new"), BAD, False, id="another content was staged under the version: told after staging"),
        pytest.param(("sha256:new",), {**BAD, "digest": None}, True, id="no digest was told: the version stands for it"),
        pytest.param(("sha256:bad",), {**BAD, "version": "1.9"}, False, id="another version: told after staging"),
    ],
)
def test_at_the_opening_a_release_is_known_by_its_version(digests: tuple[str, ...], row: dict[str, Any], stops: bool) -> None:
    assert bool(asked("deploy", quarantines=(row,), digests=digests)) == stops


@pytest.mark.parametrize(
    ("digests", "row", "stops"),
    [
        pytest.param({"sha256:bad"}, BAD, True, id="the same"),
        pytest.param({"sha256:bad"}, {**BAD, "version": "1.9"}, True, id="the same content under another name"),
        pytest.param({"sha256:new"}, BAD, False, id="another content under the same name"),
        pytest.param({"sha256:new", "sha256:bad"}, BAD, True, id="one host has staged it"),
        pytest.param({"sha256:new"}, {**BAD, "digest": None}, True, id="no digest was told: the version stands for it"),
        pytest.param(set(), BAD, False, id="nothing is staged"),
    ],
)
def test_after_staging_a_release_is_known_by_its_digest(digests: set[str], row: dict[str, Any], stops: bool) -> None:
    assert bool(quarantined_by_digest("2.0", digests, [row])) == stops


def test_a_quarantine_says_since_when_by_which_deployment_and_why() -> None:
    error = quarantined("shop_api", "live", "2.0", BAD)
    assert error.message == "shop_api 2.0 is quarantined in live since 2026-11-24 21:00:00 UTC by shop_api:live:7: it was sick"
    renamed = quarantined("shop_api", "live", "2.1", BAD)
    assert renamed.message.startswith("shop_api 2.1, which is 2.0 under another name, is quarantined in live")
