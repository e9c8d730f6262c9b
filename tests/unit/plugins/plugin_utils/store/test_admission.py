# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks of people, what the end of a deployment leaves, and that opening asks under the lock: the same on every database."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DeploymentLockedError, NotFoundError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import HoldRequest, Store, tables
from tests.unit.plugins.plugin_utils.store.builders import Run, request

PAIR = ("shop_api", "production")
WHY = "1 of 3 hosts failed; HEALTH_CHECK_FAILED: 500"


def asked(**changes: Any) -> HoldRequest:
    usual: dict[str, Any] = {"run": uuid7(), "user": "on-call (root@desk)", "reason": "the disks", "environment": "production", "fraise": "shop_api"}
    return HoldRequest(**{**usual, **changes})


def ended(store: Store, version: str, status: str = "rolled_back", left: dict[str, Any] | None = None, **changes: Any) -> Run:
    """A deployment that ended so, and what its end was to leave."""
    return Run(store, version=version, **changes).done(status, left=left or {})


def sick(version: str, **changes: Any) -> dict[str, Any]:
    blamed = {"digests": [f"sha256:{version}"], "error_code": "HEALTH_CHECK_FAILED", "reason": WHY}
    return {"hold": WHY, "quarantine": blamed, "undo_limit": 0, **changes}


def kinds(store: Store) -> list[str]:
    return [hold["kind"] for hold in store.admissions.holds(*PAIR)]


def quarantined(store: Store) -> list[tuple[str, str | None]]:
    return [(row["version"], row["digest"]) for row in store.admissions.quarantines(*PAIR)]


def test_a_lock_says_all_of_itself_and_is_gone_once_it_is_lifted(store: Store) -> None:
    placed = store.admissions.lock(asked())
    assert (placed["fraise"], placed["environment"], placed["kind"], placed["reason"]) == (*PAIR, "person", "the disks")
    assert (placed["placed_by"], placed["expires_at"], placed["deployment"]) == ("on-call (root@desk)", None, None)
    assert store.admissions.holds() == [placed]
    assert store.admissions.to_unlock(asked()) == [placed]
    assert store.admissions.unlock(asked(reason="they are new")) == [placed]
    assert (store.admissions.holds(), store.admissions.unlock(asked())) == ([], [])


def test_a_lock_of_a_fraise_that_was_never_deployed_waits_for_its_first_deployment(store: Store) -> None:
    store.admissions.lock(asked(fraise="naïve_🍓"))
    assert store.admissions.holds("shop_api", "production") == []
    (hold,) = store.admissions.facts("naïve_🍓", "production", "1.0.0")["holds"]
    assert hold["fraise"] == "naïve_🍓"
    Run(store, fraise="naïve_🍓", fraise_type="etl")
    assert store.check()["ok"]


def test_a_lock_that_has_an_end_ends_by_the_database_s_clock(store: Store) -> None:
    long, short = store.admissions.lock(asked(seconds=3600.0)), store.admissions.lock(asked(seconds=0.000001))
    assert (long["expires_at"] - long["placed_at"]).total_seconds() == 3600
    assert short["expires_at"] is not None
    assert [hold["identifier"] for hold in store.admissions.holds()] == [long["identifier"]]


def test_a_fraise_and_its_whole_environment_are_locked_and_unlocked_apart(store: Store) -> None:
    whole, mine = store.admissions.lock(asked(fraise=None)), store.admissions.lock(asked())
    store.admissions.lock(asked(environment="staging"))
    assert [hold["identifier"] for hold in store.admissions.holds(*PAIR)] == [mine["identifier"], whole["identifier"]]
    assert [hold["fraise"] for hold in store.admissions.holds("other", "production")] == [None]
    assert store.admissions.unlock(asked()) == [mine]
    assert store.admissions.unlock(asked(fraise=None)) == [whole]
    assert [hold["environment"] for hold in store.admissions.holds()] == ["staging"]


def test_the_figures_tell_of_each_pair_whether_it_is_locked(store: Store) -> None:
    for fraise in ("shop_api", "mailer"):
        Run(store, fraise=fraise).done()

    def locked() -> dict[str, int]:
        return {row["fraise"]: row["value"] for row in store.metrics_rows()["locked"]}

    assert locked() == {"shop_api": 0, "mailer": 0}
    store.admissions.lock(asked())
    store.admissions.lock(asked(environment="staging"))
    assert locked() == {"shop_api": 1, "mailer": 0}
    store.admissions.lock(asked(fraise=None))
    assert locked() == {"shop_api": 1, "mailer": 1}
    store.admissions.unlock(asked())
    assert locked() == {"shop_api": 1, "mailer": 1}
    store.admissions.unlock(asked(fraise=None))
    assert locked() == {"shop_api": 0, "mailer": 0}


def test_of_several_locks_the_one_that_is_named_is_lifted(store: Store) -> None:
    first, second = store.admissions.lock(asked()), store.admissions.lock(asked())
    assert store.admissions.unlock(asked(hold=first["identifier"])) == [first]
    assert store.admissions.holds() == [second]
    with pytest.raises(NotFoundError, match=f"there is no hold {first['identifier']} of shop_api in production"):
        store.admissions.unlock(asked(hold=first["identifier"]))


@pytest.mark.parametrize("changes", [{"fraise": ""}, {"fraise": "a:b"}, {"environment": "a:b"}, {"environment": "x" * 300}, {"fraise": "two\nlines"}])
def test_names_that_cannot_be_kept_are_refused(store: Store, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        store.admissions.lock(asked(**changes))
    assert store.admissions.holds() == []


def test_an_undo_leaves_a_lock_and_a_quarantine_that_name_their_deployment(store: Store) -> None:
    run = ended(store, "2.0.0", left=sick("2.0.0"))
    (hold,) = store.admissions.holds(*PAIR)
    assert (hold["kind"], hold["identifier"], hold["reason"]) == ("undo", "shop_api:production:undo:1", f"shop_api:production:1 was undone: {WHY}")
    assert (hold["placed_by"], hold["deployment"]) == ("shop_api:production:1 of ada", run.opened.identifier)
    (row,) = store.admissions.quarantines(*PAIR)
    assert (row["version"], row["digest"], row["error_code"], row["reason"]) == ("2.0.0", "sha256:2.0.0", "HEALTH_CHECK_FAILED", WHY)
    assert (row["deployment"], store.quarantined(*PAIR)) == (run.opened.identifier, {"2.0.0"})
    assert store.admissions.facts(*PAIR, "2.0.0")["digests"] == ["sha256:2.0.0"]
    assert store.admissions.quarantines("shop_api", "staging") == []


def test_an_end_that_is_told_again_leaves_nothing_twice(store: Store) -> None:
    run = Run(store, version="2.0.0")
    events = run.whole("rolled_back", left=sick("2.0.0", undo_limit=1))
    assert store.apply(events) == store.apply([*reversed(events), *events]) == len(events)
    # Another source may tell the same end, such as a spool that was copied.
    store.apply([run.closing("rolled_back", left=sick("2.0.0", undo_limit=1))])
    assert (sorted(kinds(store)), quarantined(store)) == (["repeated_undo", "undo"], [("2.0.0", "sha256:2.0.0")])


def test_a_later_word_about_an_end_that_was_told_leaves_nothing(store: Store) -> None:
    run = ended(store, "2.0.0", "success", {"lift": []})
    store.apply([run.closing("rolled_back", left=sick("2.0.0", undo_limit=1))])
    assert (run.row()["status"], kinds(store), quarantined(store)) == ("success", [], [])


def test_a_success_lifts_the_quarantine_of_what_it_brought_and_of_nothing_else(store: Store) -> None:
    ended(store, "2.0.0", left=sick("2.0.0"))
    ended(store, "2.1.0", left=sick("2.1.0"))
    # The same content under a name of its own.
    ended(store, "2.0.9", "success", {"lift": ["sha256:2.0.0"]}, override="the check was wrong")
    assert quarantined(store) == [("2.1.0", "sha256:2.1.0")]
    assert kinds(store) == ["undo", "undo"], "a lock is a person's to lift"


def test_a_release_whose_content_no_host_told_is_known_by_its_version(store: Store) -> None:
    ended(store, "2.0.0", left=sick("2.0.0", quarantine={"digests": [], "error_code": None, "reason": WHY}))
    assert quarantined(store) == [("2.0.0", None)]
    ended(store, "2.0.0", "success", {"lift": []})
    assert quarantined(store) == []


@pytest.mark.parametrize("digests", [["sha256:1.0.0"], []], ids=["by its digest", "by its version"])
def test_what_the_fleet_runs_is_never_quarantined(store: Store, digests: list[str]) -> None:
    ended(store, "1.0.0", "success")
    ended(store, "1.0.0", left=sick("1.0.0", quarantine={"digests": digests, "error_code": "HEALTH_CHECK_FAILED", "reason": WHY}))
    assert (kinds(store), quarantined(store)) == (["undo"], [])


def test_three_undos_in_a_row_are_three_of_deployments_since_one_ended_well(store: Store) -> None:
    limit = {"undo_limit": 3}
    ended(store, "2.0.0", left=limit)
    ended(store, "2.0.0", "success", {"lift": []})
    ended(store, "3.0.0", left=limit)
    ended(store, "3.0.0", "failed")
    ended(store, "2.0.0", "rolled_back", kind="recover", resumes="shop_api:production:4")
    ended(store, "1.0.0", "success", kind="rollback")
    ended(store, "3.0.1", "rollback_failed", limit)
    assert kinds(store) == [], "what a recovery undid, and a failure before anything changed, are no undos of a deployment"
    ended(store, "3.0.2", left=limit)
    (hold,) = store.admissions.holds(*PAIR)
    assert (hold["kind"], hold["reason"]) == ("repeated_undo", "3 deployments in a row were undone, shop_api:production:8 the last")


def test_once_a_person_lifted_the_lock_of_many_undos_the_count_begins_anew(store: Store) -> None:
    for version in ("2.0.0", "2.0.1"):
        ended(store, version, left={"undo_limit": 2})
    assert kinds(store) == ["repeated_undo"]
    store.admissions.unlock(asked())
    ended(store, "2.0.2", left={"undo_limit": 2})
    assert kinds(store) == []
    ended(store, "2.0.3", left={"undo_limit": 2})
    assert kinds(store) == ["repeated_undo"]


def test_other_environments_and_fraises_are_not_held(store: Store) -> None:
    ended(store, "2.0.0", left=sick("2.0.0", undo_limit=1))
    for pair in (("shop_api", "staging"), ("shop_web", "production")):
        facts = store.admissions.facts(*pair, "2.0.0")
        assert (facts["holds"], facts["quarantines"]) == ([], [])


def test_a_deployment_that_is_refused_under_the_lock_writes_nothing_and_frees_it(store: Store) -> None:
    ended(store, "1.0.0", "success")
    hold = store.admissions.lock(asked())
    seen: list[dict[str, Any]] = []

    def refuse(facts: dict[str, Any]) -> list[dict[str, Any]]:
        seen.append(facts)
        raise DeploymentLockedError("no", context={"hold": facts["holds"][0]["identifier"]})

    with pytest.raises(DeploymentLockedError):
        store.open_deployment(request(version="2.0.0"), refuse)
    assert [facts["holds"] for facts in seen] == [[hold]]
    lock = store.read_lock(*PAIR)
    assert lock is not None
    assert (lock.held, len(store.history())) == (False, 1)


def test_what_an_override_passed_is_an_event_of_the_deployment(store: Store) -> None:
    store.admissions.lock(asked())
    passed = [{"code": "DEPLOYMENT_LOCKED", "what": "shop_api in production is locked"}]
    wanted = request(version="2.0.0", override="the shop is down")
    opened = store.open_deployment(wanted, lambda _facts: passed)
    row = store.deployment(opened.identifier)
    assert row is not None
    assert row["override_reason"] == "the shop is down"
    store.open_deployment(request(environment="staging", override="in vain"), lambda _facts: [])
    with store._engine.connect() as connection:
        (data,) = connection.execute(select(tables.event.c.data).where(tables.event.c.type == "override.used")).scalars()
    assert data == {"by": "ada", "reason": "the shop is down", "passed": passed}
