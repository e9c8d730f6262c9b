# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening a deployment: one lock, one number, one row, or nothing at all."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DeploymentLockedError, MigrationError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
from tests.unit.plugins.plugin_utils.store.builders import Run, request


def test_a_deployment_is_open_with_all_that_the_request_told(store: Store) -> None:
    run = Run(store, reason="hotfix 🍓")
    row = run.row()
    assert run.opened.identifier == "shop_api:production:1"
    assert (row["status"], row["version"], row["reason"], row["user_name"], row["fraise_type"]) == ("in_progress", "1.0.0", "hotfix 🍓", "ada", "api")
    assert (row["plan"], row["options"]) == ({"batches": [1, 2]}, {"max_failed": 0})
    assert [(host["host"], host["state"]) for host in row["hosts"]] == [("web1", "pending"), ("web2", "pending"), ("web3", "pending")]
    assert store.count_events(run.request.run, "store") == 1


def test_a_second_owner_is_told_who_since_when_why_and_what_to_do(store: Store) -> None:
    first = Run(store, reason="weekly release")
    with pytest.raises(DeploymentLockedError) as caught:
        store.open_deployment(request(version="2.0.0"))
    said = str(caught.value)
    for part in (
        "ada@controller 42",
        f"{first.opened.lease.acquired_at:%Y-%m-%d %H:%M:%S} UTC",
        "weekly release",
        "shop_api:production:1",
        "-e wait=900",
    ):
        assert part in said
    assert caught.value.context["owner"] == "ada@controller 42"
    assert caught.value.context["deployment"] == "shop_api:production:1"
    assert caught.value.context["expires_at"] == first.opened.lease.expires_at.isoformat(timespec="microseconds")
    assert len(store.history()) == 1


def test_the_same_request_again_gets_the_same_answer(store: Store) -> None:
    asked = request()
    assert store.open_deployment(asked) == store.open_deployment(asked)
    assert len(store.history()) == 1


def test_the_same_owner_asking_for_another_version_is_locked_out(store: Store) -> None:
    asked = request()
    store.open_deployment(asked)
    with pytest.raises(DeploymentLockedError):
        store.open_deployment(request(run=asked.run, owner=asked.owner, version="9.9.9"))


def test_pairs_do_not_lock_each_other_and_count_by_themselves(store: Store) -> None:
    identifiers = [Run(store, fraise=fraise, environment=environment).opened.identifier for fraise in ("a", "b") for environment in ("x", "y")]
    assert identifiers == ["a:x:1", "a:y:1", "b:x:1", "b:y:1"]


def test_a_lease_that_has_ended_frees_the_lock_and_the_deployment_left_behind_is_marked(store: Store) -> None:
    dead = Run(store, lease_seconds=0.01)
    time.sleep(0.02)
    heir = Run(store, version="2.0.0", owner_name="bob@laptop 7")
    row = dead.row()
    assert (row["status"], row["duration_seconds"]) == ("interrupted", None)
    assert "bob@laptop 7" in row["status_reason"]
    assert row["finished_at"] == heir.opened.lease.acquired_at
    assert heir.opened.lease.token > dead.opened.lease.token
    assert store.count_events(dead.request.run, "store") == 2


def test_the_token_is_at_least_the_clock_so_that_a_store_made_anew_outranks_the_lost_one(store: Store) -> None:
    before = int(store.now().timestamp())
    assert Run(store).opened.lease.token >= before


def test_tokens_grow_by_one_when_the_clock_stands_behind_them(store: Store) -> None:
    first = Run(store).done()
    path = store._url.database
    with sqlite3.connect(str(path)) as connection:
        connection.execute("UPDATE tb_lock SET token = 5000000000")
    connection.close()
    assert Run(store).opened.lease.token == 5000000001
    assert first.opened.lease.token < 5000000000


def test_the_previous_version_is_the_last_good_one(store: Store) -> None:
    assert Run(store).done().opened.previous_version is None
    assert Run(store, version="1.1.0").done("rolled_back").opened.previous_version == "1.0.0"
    assert Run(store, version="1.2.0").opened.previous_version == "1.0.0"


def test_a_fraise_may_change_its_type(store: Store) -> None:
    Run(store).done()
    Run(store, fraise_type="etl").done()
    assert [row["fraise_type"] for row in store.history()] == ["etl", "etl"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"fraise": ""}, "fraise"),
        ({"fraise": "a:b"}, "colon"),
        ({"environment": "prod "}, "environment"),
        ({"version": "v" * 129}, "version"),
        ({"version": "1\n2"}, "version"),
        ({"hosts": ["web1", "web1"]}, "twice"),
        ({"hosts": ["h\x00"]}, "host"),
        ({"kind": "install"}, "kind"),
        ({"lease_seconds": 0}, "lease"),
        ({"lease_seconds": float("nan")}, "lease"),
        ({"provider": "p" * 65}, "provider"),
    ],
)
def test_what_cannot_be_stored_as_it_is_gets_refused_before_anything_changes(store: Store, change: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        store.open_deployment(request(**change))
    assert store.read_lock("shop_api", "production") is None


def test_a_store_without_schema_says_how_to_get_one(url: str) -> None:
    with Store.connect(url) as empty, pytest.raises(MigrationError, match=r"no schema yet.*fraisier\.deploy\.store"):
        empty.open_deployment(request())


def test_a_refused_request_leaves_no_trace_of_new_names(store: Store, tmp_path: Path) -> None:
    Run(store)
    with pytest.raises(DeploymentLockedError):
        store.open_deployment(request(fraise_type="etl"))
    assert store.history()[0]["fraise_type"] == "api"
