# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a rollback without a version goes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NotFoundError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.rollbacks import earlier_good, require_known, rollback_target
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store, tables
from tests.unit.plugins.plugin_utils.store.builders import Run


def successes(*told: str) -> list[dict]:
    """Newest first, from words in the order of time: "1.0", or "1.1>1.0" for a rollback that left 1.1."""
    rows = []
    for word in told:
        left, _arrow, version = word.rpartition(">")
        rows.insert(0, {"version": version, "kind": "rollback" if left else "deploy", "previous_version": left or None})
    return rows


def test_the_version_before_the_one_in_place():
    assert earlier_good(successes("1.0", "1.1", "1.2")) == "1.1"


def test_a_second_rollback_goes_further_back_not_forward_again():
    assert earlier_good(successes("1.0", "1.1", "1.2", "1.2>1.1")) == "1.0"


def test_a_version_that_was_deployed_again_after_it_was_left_counts_again():
    assert earlier_good(successes("1.0", "1.1", "1.1>1.0", "1.1", "1.2")) == "1.1"


def test_redeploying_the_same_version_is_no_earlier_one():
    assert earlier_good(successes("1.0", "1.1", "1.1")) == "1.0"


def test_nothing_before_the_first():
    assert earlier_good(successes("1.0")) is None
    assert earlier_good([]) is None


def test_a_version_that_does_not_fit_is_passed_over():
    assert earlier_good(successes("1.0", "1.1", "1.2"), lambda row: row["version"] != "1.1") == "1.0"
    assert earlier_good(successes("1.0", "1.1"), lambda row: False) is None


def deployed(store: Store, version: str, status: str = "success", missed: str = "", digest: str = "", **changes: Any) -> Run:
    """A deployment that ended with ``status``; host ``missed`` was left behind, host web1 told another ``digest``."""
    run = Run(store, version=version, **changes)
    events = []
    for host in run.request.hosts:
        told = {"version": version, "previous": None, "digest": digest if digest and host == "web1" else f"sha256:{version}"}
        outcome = {"outcome": "unreachable", "release": None} if host == missed else {"release": told}
        events += run.step(host, "activate", **outcome)
    store.apply([*events, run.closing(status)])
    return run


def target(store: Store) -> str:
    return rollback_target(store, "shop_api", "production")


def test_a_deployment_that_failed_or_reached_a_part_is_no_target(store: Store):
    deployed(store, "1.0")
    deployed(store, "1.1", "rolled_back")
    deployed(store, "1.2", scope="part")
    deployed(store, "1.3")
    assert target(store) == "1.0"


def test_a_part_that_went_forward_does_not_count_as_what_is_in_place(store: Store):
    deployed(store, "1.0")
    deployed(store, "1.1")
    deployed(store, "1.2", scope="part", hosts=["web1"])
    assert target(store) == "1.0"
    assert store.last_good("shop_api", "production").version == "1.1"


def test_a_version_that_left_a_host_behind_is_no_target_until_the_host_was_brought_to_it(store: Store):
    deployed(store, "1.0")
    deployed(store, "1.1", missed="web2")
    deployed(store, "1.2")
    assert target(store) == "1.0"
    deployed(store, "1.1", kind="catchup", scope="part", hosts=["web2"])
    assert target(store) == "1.1"


def test_a_version_whose_hosts_have_different_content_is_no_target(store: Store):
    deployed(store, "1.0")
    deployed(store, "1.1", digest="sha256:other")
    deployed(store, "1.2")
    assert target(store) == "1.0"


def test_a_version_in_quarantine_is_no_target_until_it_is_let_out(store: Store):
    deployed(store, "1.0")
    deployed(store, "1.1")
    deployed(store, "1.2")
    with store._engine.begin() as connection:
        pair = connection.execute(select(tables.lock)).one()
        row = {"fk_fraise": pair.fk_fraise, "fk_environment": pair.fk_environment, "version": "1.1", "reason": "", "placed_at": datetime.now(UTC)}
        connection.execute(insert(tables.quarantine).values(id=uuid7(), identifier="q", **row))
    assert store.quarantined("shop_api", "production") == {"1.1"}
    assert target(store) == "1.0"
    with store._engine.begin() as connection:
        connection.execute(update(tables.quarantine).values(lifted_at=datetime.now(UTC)))
    assert target(store) == "1.1"


def test_after_a_deployment_that_was_cut_off_it_is_the_last_good_one(store: Store):
    deployed(store, "1.0")
    deployed(store, "1.1")
    cut = Run(store, version="1.2")
    store.apply([*cut.step("web1", "activate"), cut.event("deployment.interrupted", reason="killed"), cut.closing("interrupted")])
    assert target(store) == "1.1"


def test_nothing_fits_is_said_with_the_remedy(store: Store):
    deployed(store, "1.0", missed="web3")
    deployed(store, "1.1")
    with pytest.raises(NotFoundError, match="every host") as caught:
        target(store)
    assert "-e version=" in caught.value.hint


def test_a_rollback_to_what_never_was_there_is_refused_and_named(store: Store) -> None:
    Run(store, version="1.0.0").done()
    Run(store, version="2.0.0").done("rolled_back", error={"code": "HEALTH_CHECK_FAILED", "message": "500"})
    require_known(store, "shop_api", "production", "1.0.0")
    for version in ("2.0.0", "0.0.1"):
        with pytest.raises(ValidationError, match=f"{version} was never deployed with success to shop_api in production"):
            require_known(store, "shop_api", "production", version)
