# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators may ask, before it reaches a running deployment."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NoOpenDeploymentError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.verbs import VerbRequest, operate
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
from tests.unit.plugins.plugin_utils.store.builders import Run


def asked(verb: str, **changes: Any) -> VerbRequest:
    return VerbRequest(verb, **{"user": "ada@desk", "run": "run-9", "fraise": "shop_api", "environment": "production", **changes})


@pytest.mark.parametrize(
    ("verb", "changes", "refusal"),
    [
        ("dance", {}, "verb: there is no 'dance'"),
        ("resume", {"fraise": ""}, "fraise: it is missing"),
        ("resume", {"environment": ""}, "fraise_environment: it is not set"),
        ("pause", {}, "expires: None is not a time that a pause may last"),
        ("pause", {"expires": 0.0}, "expires: 0.0 is not a time"),
        ("pause", {"expires": float("nan")}, "expires: nan is not a time"),
        ("pause", {"expires": 31 * 86400.0}, "expires: 2678400.0 is not a time"),
        ("pause", {"expires": 5.0, "argument": "explode"}, "then: there is no 'explode'"),
        ("abort", {}, "reason: an abort needs one"),
        ("abort", {"reason": "why", "argument": "some"}, "abort: there is no 'some'"),
        ("promote", {"argument": "all"}, "argument: promote takes none"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(store: Store, verb: str, changes: dict[str, Any], refusal: str) -> None:
    run = Run(store)
    with pytest.raises(ValidationError, match=refusal) as caught:
        operate(store, asked(verb, **changes))
    assert caught.value.hint
    assert run.row()["commands"] == []


def test_the_answer_says_what_comes_of_it(store: Store) -> None:
    run = Run(store)
    answer = operate(store, asked("pause", expires=600.0))
    assert (answer["changed"], answer["msg"]) == (True, "shop_api:production:1 pauses at its next gate")
    assert answer["command"] == run.store.commands.waiting(run.opened.id)["commands"][0]["id"]


def test_asked_again_it_is_no_change(store: Store) -> None:
    Run(store)
    operate(store, asked("pause", expires=600.0))
    again = operate(store, asked("pause", expires=600.0))
    assert (again["changed"], again["command"]) == (False, None)
    assert again["msg"].startswith("shop_api:production:1 is paused already, by ada@desk since ")


def test_check_mode_writes_nothing_and_says_what_would_be_told(store: Store) -> None:
    run = Run(store)
    answer = operate(store, asked("abort", reason="why", check=True))
    assert (answer["changed"], answer["msg"], answer["command"]) == (True, "shop_api:production:1 would be told: abort", None)
    assert run.row()["commands"] == []
    with pytest.raises(NoOpenDeploymentError):
        operate(store, asked("abort", reason="why", fraise="other", check=True))
