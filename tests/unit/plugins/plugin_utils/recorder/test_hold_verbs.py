# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs lock and unlock, as an operator asks for them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NotFoundError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.verbs import VerbRequest, operate
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store


def told(store: Store, verb: str, **changes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"user": "on-call (root@desk)", "run": "run-9", "fraise": "shop_api", "environment": "production", "reason": "the disks"}
    return operate(store, VerbRequest(verb, **{**usual, **changes}))


@pytest.mark.parametrize(
    ("verb", "changes", "refusal", "hint"),
    [
        ("lock", {"reason": ""}, "reason: lock needs one", "-e \"reason='why nothing may be deployed'\""),
        ("unlock", {"reason": ""}, "reason: unlock needs one", "-e \"reason='why it may go on'\""),
        ("lock", {"environment": ""}, "fraise_environment: it is not set", "-e fraise_environment=production"),
        ("unlock", {"environment": ""}, "fraise_environment: it is not set", "-e fraise_environment=production"),
        ("lock", {"expires": 0.0}, "expires: 0 is not a time that a lock may last", "leave it out"),
        ("lock", {"expires": float("nan")}, "expires: nan is not a time", "leave it out"),
        ("lock", {"expires": 367 * 86400.0}, "expires: 3.17088e.07 is not a time", "leave it out"),
        ("lock", {"argument": "shop_api:production:person:1"}, "hold: a lock takes none", "Leave it out"),
        ("lock", {"fraise": "a:b"}, "have no colon in their names", "Colons part"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(store: Store, verb: str, changes: dict[str, Any], refusal: str, hint: str) -> None:
    with pytest.raises(ValidationError, match=refusal) as caught:
        told(store, verb, **changes)
    assert hint in caught.value.hint
    assert store.admissions.holds() == []


def test_a_lock_says_what_it_holds_until_when_and_its_name(store: Store) -> None:
    forever = told(store, "lock")
    assert (forever["changed"], forever["expires_at"]) == (True, None)
    assert forever["msg"] == f"shop_api in production is locked: {forever['hold']}"
    hour = told(store, "lock", fraise="", expires=3600.0)
    assert hour["msg"].startswith("All of production is locked until 2")
    assert hour["msg"].endswith(f" UTC: {hour['hold']}")
    assert {hold["identifier"] for hold in store.admissions.holds()} == {forever["hold"], hour["hold"]}


def test_unlock_says_whose_locks_it_lifted_and_which_still_stand(store: Store) -> None:
    mine, whole = told(store, "lock"), told(store, "lock", fraise="", reason="the data centre moves")
    answer = told(store, "unlock", reason="they are new")
    assert (answer["changed"], answer["holds"], answer["left"]) == (True, [mine["hold"]], [whole["hold"]])
    assert answer["msg"] == (f"shop_api in production: lifted {mine['hold']} (by on-call (root@desk): the disks); still in force: {whole['hold']}")
    nothing = told(store, "unlock")
    assert (nothing["changed"], nothing["msg"]) == (False, f"shop_api in production: no lock to lift; still in force: {whole['hold']}")
    assert told(store, "unlock", fraise="")["msg"].startswith(f"All of production: lifted {whole['hold']}")


def test_the_lock_that_is_named_is_lifted_alone(store: Store) -> None:
    first, second = told(store, "lock"), told(store, "lock")
    assert told(store, "unlock", argument=second["hold"])["left"] == [first["hold"]]
    with pytest.raises(NotFoundError, match="there is no hold"):
        told(store, "unlock", argument=second["hold"])


def test_check_mode_writes_nothing_and_says_what_would_be_done(store: Store) -> None:
    answer = told(store, "lock", check=True)
    assert (answer["changed"], answer["hold"], answer["msg"]) == (True, None, "shop_api in production would be locked")
    assert store.admissions.holds() == []
    placed = told(store, "lock")
    assert told(store, "unlock", check=True)["msg"].startswith(f"shop_api in production: would lift {placed['hold']}")
    assert [hold["identifier"] for hold in store.admissions.holds()] == [placed["hold"]]


def test_nothing_is_unlocked_where_the_store_knows_nothing_and_that_is_an_error(store: Store) -> None:
    with pytest.raises(NotFoundError, match="fraise: 'shop_api': the store knows no deployments of it; known: none"):
        told(store, "unlock")
    told(store, "lock")
    with pytest.raises(NotFoundError, match="fraise_environment: 'prodd': the store knows no deployments of shop_api in it; known: production") as caught:
        told(store, "unlock", environment="prodd")
    assert "-e fraise_environment=production" in caught.value.hint
    assert caught.value.context == {"option": "fraise_environment", "value": "prodd", "known": ["production"]}
    with pytest.raises(NotFoundError, match="fraise_environment: 'prodd': the store knows no deployments in it; known: production"):
        told(store, "unlock", environment="prodd", fraise="")
    with pytest.raises(NotFoundError, match="fraise: 'shop_apy': the store knows no deployments of it; known: shop_api"):
        told(store, "unlock", fraise="shop_apy")


def test_a_lock_of_an_environment_that_nobody_deployed_to_says_so(store: Store) -> None:
    assert "known" not in told(store, "lock")["msg"]
    assert told(store, "lock", environment="prodd", check=True)["msg"].endswith("would be locked. Nothing was ever deployed there; known: production")
    assert told(store, "lock", environment="prodd")["msg"].endswith(". Nothing was ever deployed there; known: production")
