# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions that find nothing: is there nothing, or was a name misspelt?"""

from __future__ import annotations

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NotFoundError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.queries import answer_query
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
from tests.unit.plugins.plugin_utils.store.builders import Run


@pytest.mark.parametrize("query", ["history", "plans"])
@pytest.mark.parametrize("fraise", ["shop_api", None])
def test_an_environment_that_the_store_does_not_know_is_an_error_that_names_those_it_knows(store: Store, query: str, fraise: str | None) -> None:
    Run(store)
    Run(store, environment="staging")
    with pytest.raises(NotFoundError, match=r"fraise_environment: 'prodd': the store knows no deployments .*known: production, staging"):
        answer_query(store, {"query": query, "fraise": fraise, "environment": "prodd"})


def test_the_status_of_an_environment_without_deployments_is_no_error_and_names_the_others(store: Store) -> None:
    ask = {"query": "status", "fraise": "shop_api", "environment": "prodd"}
    assert answer_query(store, ask)["elsewhere"] == []
    Run(store)
    answer = answer_query(store, ask)
    assert (answer["status"], answer["elsewhere"]) == ([], ["production"])
    assert answer_query(store, ask | {"environment": "production"})["elsewhere"] == []


def test_what_is_known_and_has_nothing_to_show_is_no_error(store: Store) -> None:
    ask = {"query": "history", "fraise": "shop_api", "environment": "production"}
    assert answer_query(store, ask) == []
    Run(store)
    assert [row["environment"] for row in answer_query(store, ask)] == ["production"]
    assert answer_query(store, ask | {"query": "plans"}) == []
    assert answer_query(store, ask | {"fraise": "shop_mail"}) == []
