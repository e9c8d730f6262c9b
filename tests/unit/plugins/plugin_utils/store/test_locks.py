# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock's life: renewed and given back by its owner only."""

from __future__ import annotations

import dataclasses
import time

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import LeaseLostError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Lease, Store
from tests.unit.plugins.plugin_utils.store.builders import Run


def test_a_heartbeat_moves_the_end_of_the_lease(store: Store) -> None:
    lease = Run(store, lease_seconds=5).opened.lease
    renewed = store.renew_lease(lease, 60)
    assert (renewed.token, renewed.owner, renewed.acquired_at) == (lease.token, lease.owner, lease.acquired_at)
    assert 59 < (renewed.expires_at - store.now()).total_seconds() <= 60
    lock = store.read_lock("shop_api", "production")
    assert lock is not None
    assert lock.expires_at == renewed.expires_at


def test_a_lease_that_ended_unnoticed_can_be_renewed_while_nobody_took_it(store: Store) -> None:
    lease = Run(store, lease_seconds=0.01).opened.lease
    time.sleep(0.02)
    assert store.renew_lease(lease, 30).token == lease.token


def test_a_lease_that_went_to_another_is_lost_and_the_other_is_named(store: Store) -> None:
    lease = Run(store, lease_seconds=0.01).opened.lease
    time.sleep(0.02)
    heir = Run(store, owner_name="bob@laptop 7").opened.lease
    with pytest.raises(LeaseLostError, match="bob@laptop 7") as caught:
        store.renew_lease(lease, 30)
    assert caught.value.context["newer_token"] == heir.token
    assert store.release_lease(lease) is False
    lock = store.read_lock("shop_api", "production")
    assert lock is not None
    assert lock.held


def test_a_lease_given_back_is_not_renewed(store: Store) -> None:
    lease = Run(store).opened.lease
    assert store.release_lease(lease) is True
    assert store.release_lease(lease) is False
    with pytest.raises(LeaseLostError, match="given back"):
        store.renew_lease(lease, 30)


def test_only_owner_and_token_together_are_the_key(store: Store) -> None:
    lease = Run(store).opened.lease
    assert store.release_lease(dataclasses.replace(lease, owner="somebody")) is False
    assert store.release_lease(dataclasses.replace(lease, token=lease.token - 1)) is False
    assert store.release_lease(dataclasses.replace(lease, environment="elsewhere")) is False
    assert store.release_lease(lease) is True


def test_a_lease_of_a_replaced_store_is_lost(store: Store) -> None:
    lease = Run(store).opened.lease
    with pytest.raises(LeaseLostError, match="gone from the store"):
        store.renew_lease(dataclasses.replace(lease, fraise="other"), 30)


def test_the_lock_can_be_read_held_and_free(store: Store) -> None:
    assert store.read_lock("shop_api", "production") is None
    run = Run(store, reason="why")
    lock = store.read_lock("shop_api", "production")
    assert lock is not None
    assert (lock.held, lock.owner, lock.owner_name, lock.reason, lock.deployment) == (
        True,
        run.request.owner,
        "ada@controller 42",
        "why",
        "shop_api:production:1",
    )
    store.release_lease(run.opened.lease)
    lock = store.read_lock("shop_api", "production")
    assert lock is not None
    assert (lock.held, lock.token) == (False, run.opened.lease.token)


def test_a_lease_survives_the_way_through_json(store: Store) -> None:
    lease = Run(store).opened.lease
    assert Lease.from_dict(lease.to_dict()) == lease
