# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import PlanDriftedError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability.redaction import Redactor
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.plans import (
    check_prefix,
    drifted,
    expected_seconds,
    hold_step,
    host_differences,
    option_digests,
    plan_document,
    plan_hash,
    planned_step,
    static_differences,
    static_part,
    steps_to_run,
)

REQUEST = {"fraise": "shop_api", "environment": "production", "kind": "deploy", "provider": "bare_metal", "strategy": "rolling", "reason": "ignored"}
PLAN = {"version": "2.0", "groups": [["web1"], ["web2", "web3"]], "hosts": ["web1", "web2", "web3"], "batches": [1, 2], "max_failed": 1}


def answer(**changes: Any) -> dict[str, Any]:
    """A host's answer to staging: it serves 1.0 and would get 2.0."""
    release = {"version": "2.0", "current": "1.0", "current_digest": "sha256:" + "1" * 64, "digest": "sha256:" + "2" * 64}
    options = {"path": "p", "health": "h", "service": "s"}
    return {
        "outcome": "ok",
        "changed": True,
        "release": {**release, **changes.pop("release", {})},
        "options": {**options, **changes.pop("options", {})},
        **changes,
    }


def answers(**hosts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"web1": answer(), "web2": answer(), "web3": answer(), **hosts}


STATIC = static_part(REQUEST, PLAN)
DOCUMENT = plan_document(STATIC, answers(), "shop_api:production:11")


def shuffled(value: Any) -> Any:
    """The same value with the keys of every mapping the other way round."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(entry) for entry in value] if isinstance(value, list) else value


PAUSE = {"kind": "pause", "seconds": 60.0, "weight": 100.0, "host_weight": 100, "interval": 0.0, "approval": False, "then": ""}
APPROVAL = {**PAUSE, "seconds": 3600.0, "approval": True, "then": "abort"}
WEIGHT = {**PAUSE, "kind": "weight", "seconds": 0.0, "weight": 5.0, "host_weight": 10}
ANALYSIS = {**PAUSE, "kind": "analysis", "seconds": 600.0, "interval": 60.0}


def test_the_steps_of_a_canary_are_of_the_plan_and_a_difference_names_both_lists() -> None:
    stepped = {**PLAN, "after": [[WEIGHT, PAUSE, APPROVAL], []]}
    planned = plan_document(static_part(REQUEST, stepped), answers(), None)
    assert plan_hash(planned) != plan_hash(plan_document(STATIC, answers(), None))
    assert static_differences(planned, static_part(REQUEST, stepped)) == []
    (difference,) = static_differences(planned, static_part(REQUEST, {**stepped, "after": [[ANALYSIS], []]}))
    assert str(difference) == (
        "canary_steps: planned weight 5 %, pause 60 s, approval within 3600 s, then abort | no step, found analysis 600 s, a look every 60 s | no step"
    )
    (gone,) = static_differences(planned, STATIC)
    assert (gone.option, gone.found) == ("canary_steps", "no steps")


def test_the_same_plan_has_the_same_hash_whatever_the_order_of_its_keys() -> None:
    assert plan_hash(shuffled(DOCUMENT)) == plan_hash(DOCUMENT)
    assert plan_hash(json.loads(json.dumps(DOCUMENT))) == plan_hash(DOCUMENT)
    assert plan_hash(plan_document(STATIC, dict(reversed(answers().items())), "shop_api:production:11")) == plan_hash(DOCUMENT)
    assert len(plan_hash(DOCUMENT)) == 64


@pytest.mark.parametrize(
    "change",
    [
        lambda request, plan, checks: request.update(fraise="shop_web"),
        lambda request, plan, checks: request.update(environment="staging"),
        lambda request, plan, checks: request.update(kind="rollback"),
        lambda request, plan, checks: request.update(provider="swarm"),
        lambda request, plan, checks: request.update(strategy="canary"),
        lambda request, plan, checks: plan.update(version="2.1"),
        lambda request, plan, checks: plan.update(max_failed=0),
        lambda request, plan, checks: plan.update(max_unreachable=1),
        lambda request, plan, checks: plan.update(pause_seconds=60),
        lambda request, plan, checks: plan.update(groups=[["web1", "web2"], ["web3"]]),
        lambda request, plan, checks: plan.update(groups=[["web2"], ["web1", "web3"]]),
        lambda request, plan, checks: plan.update(groups=[["web1"], ["web2"]]),
        lambda request, plan, checks: checks["web2"]["release"].update(current="0.9"),
        lambda request, plan, checks: checks["web2"]["release"].update(current_digest="sha256:other"),
        lambda request, plan, checks: checks["web2"]["release"].update(digest="sha256:other"),
        lambda request, plan, checks: checks["web2"]["options"].update(health="other"),
        lambda request, plan, checks: checks["web2"]["options"].update(build="more"),
        lambda request, plan, checks: checks["web2"]["options"].pop("path"),
        lambda request, plan, checks: checks["web2"].update(changed=False),
    ],
)
def test_anything_that_matters_gives_another_hash(change: Callable[[Any, Any, Any], None]) -> None:
    request, plan, checks = dict(REQUEST), copy.deepcopy(PLAN), copy.deepcopy(answers())
    change(request, plan, checks)
    assert plan_hash(plan_document(static_part(request, plan), checks, "shop_api:production:11")) != plan_hash(DOCUMENT)


def test_a_plan_made_after_another_success_has_another_hash_so_that_the_same_move_can_be_made_again() -> None:
    assert plan_hash(plan_document(STATIC, answers(), "shop_api:production:13")) != plan_hash(DOCUMENT)


def test_options_that_hosts_share_are_written_once() -> None:
    document = plan_document(STATIC, answers(web2=answer(options={"path": "other", "build": "b"})), None)
    assert document["options"] == {"path": "p", "health": "h", "service": "s", "build": "b"}
    assert document["hosts"]["web1"]["options"] == {"build": None}
    assert document["hosts"]["web2"]["options"] == {"path": "other"}


@pytest.mark.parametrize(
    ("stages", "current", "steps"),
    [
        (True, "1.0", ["stage", "activate", "verify", "retire"]),
        (False, None, ["activate", "verify", "retire"]),
        (True, "2.0", ["stage"]),
        (False, "2.0", []),
    ],
)
def test_the_steps_that_a_host_would_go_through(stages: bool, current: str | None, steps: list[str]) -> None:
    assert steps_to_run(stages, current, "2.0") == steps


def test_a_digest_of_options_changes_with_them_and_never_with_a_secret() -> None:
    redactor = Redactor({"hunter22"})

    def digests(password: str = "hunter22", url: str = "https://ann:pw@host/x", **more: Any) -> dict[str, str]:
        environment = {"DB_PASSWORD": password, "API_TOKEN": 1234, "PORT": 80, "HOST": "db"}
        return option_digests({"environment": environment, "source": {"archive": {"src": url}}, "build": ["make", "all"], "group": None, **more}, redactor)

    assert digests() == digests(password="another", url="https://bob:other@host/x")
    assert set(digests()) == {"environment", "source", "build"}
    assert digests()["source"] != digests(url="https://ann:pw@host/y")["source"]
    assert digests(build=["make", "some"])["build"] != digests()["build"]
    assert digests(build="make hunter22") == digests(build="make <redacted>")


def test_a_plan_that_fits_has_no_differences() -> None:
    assert static_differences(DOCUMENT, static_part(REQUEST, PLAN)) == []
    assert host_differences(DOCUMENT, answers(), resumed=False) == []


@pytest.mark.parametrize(
    ("request_change", "plan_change", "told"),
    [
        ({"kind": "rollback"}, {}, ["kind: planned deploy, found rollback"]),
        ({"strategy": "canary"}, {}, ["strategy: planned rolling, found canary"]),
        ({}, {"version": "2.1"}, ["version: planned 2.0, found 2.1"]),
        ({}, {"max_failed": 3}, ["max_failed: planned 1, found 3"]),
        ({}, {"pause_seconds": 60}, ["pause_seconds: planned nothing, found 60"]),
        ({}, {"max_unreachable": 3}, ["max_unreachable: planned nothing, found 3"]),
        ({}, {"groups": [["web1", "web2"], ["web3"]]}, ["batches: planned web1 | web2, web3, found web1, web2 | web3"]),
        ({}, {"groups": [["web2"], ["web1", "web3"]]}, ["batches: planned web1 | web2, web3, found web2 | web1, web3"]),
        (
            {},
            {"groups": [["web1"], ["web2", "web4"]]},
            ["hosts of web3: planned in the plan, found not in this run", "hosts of web4: planned not in the plan, found in this run"],
        ),
    ],
)
def test_what_would_be_done_otherwise_is_named(request_change: dict[str, Any], plan_change: dict[str, Any], told: list[str]) -> None:
    found = static_part({**REQUEST, **request_change}, {**PLAN, **plan_change})
    assert [str(difference) for difference in static_differences(DOCUMENT, found)] == told


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"release": {"current": "1.5", "current_digest": "sha256:other"}}, "version in place of web2: planned 1.0, found 1.5"),
        ({"release": {"current": None, "current_digest": None}}, "version in place of web2: planned 1.0, found nothing"),
        ({"release": {"current": "2.0", "current_digest": "sha256:" + "2" * 64}}, "version in place of web2: planned 1.0, found 2.0"),
        ({"release": {"current_digest": "sha256:other"}}, f"content in place of web2: planned sha256:{'1' * 64}, found sha256:other"),
        ({"release": {"digest": "sha256:other"}}, f"content of the release of web2: planned sha256:{'2' * 64}, found sha256:other"),
        ({"options": {"health": "other"}}, "option health of web2: planned digest h, found digest other"),
        ({"options": {"force": "f"}}, "option force of web2: planned not set, found digest f"),
    ],
)
def test_a_host_that_is_not_as_planned_is_named_with_what_differs(found: dict[str, Any], told: str) -> None:
    assert [str(difference) for difference in host_differences(DOCUMENT, answers(web2=answer(**found)), resumed=False)] == [told]


def test_a_host_that_was_not_staged_in_this_run_is_named_and_one_that_failed_is_left_to_the_budget() -> None:
    checks = answers(web2=answer(outcome="failed", release={"current": None}), web3=answer(outcome="unreachable"))
    del checks["web1"]
    assert [str(difference) for difference in host_differences(DOCUMENT, checks, resumed=False)] == [
        "release of web1: planned staged, found not staged in this run"
    ]


def test_a_plan_that_was_begun_before_takes_hosts_that_have_arrived_but_no_others() -> None:
    arrived = answer(release={"current": "2.0", "current_digest": "sha256:" + "2" * 64})
    assert host_differences(DOCUMENT, answers(web1=arrived), resumed=True) == []
    astray = answer(release={"current": "1.5"})
    assert [difference.host for difference in host_differences(DOCUMENT, answers(web1=arrived, web2=astray), resumed=True)] == ["web2"]
    other = answer(release={"current": "2.0", "current_digest": "sha256:other", "digest": "sha256:other"})
    assert [difference.option for difference in host_differences(DOCUMENT, answers(web1=other), resumed=True)] == ["content of the release"]


def test_a_digest_that_could_not_be_known_when_planning_is_no_difference() -> None:
    document = plan_document(STATIC, answers(web1=answer(release={"digest": None})), None)
    assert document["hosts"]["web1"]["target_digest"] is None
    assert host_differences(document, answers(), resumed=False) == []


def test_the_refusal_names_the_plan_and_what_differs_with_short_digests() -> None:
    name = plan_hash(DOCUMENT)
    differences = host_differences(DOCUMENT, answers(web2=answer(release={"digest": "sha256:" + "9" * 64})), resumed=False)
    error = drifted(name, differences)
    assert isinstance(error, PlanDriftedError)
    assert error.code == "PLAN_DRIFTED"
    assert f"plan {name[:12]} was made for: content of the release of web2: planned sha256:222222222222, found sha256:999999999999" in error.message
    assert error.context["differences"][0]["found"] == "sha256:" + "9" * 64


def test_a_long_list_of_differences_is_told_in_part() -> None:
    differences = host_differences(DOCUMENT, answers(web2=answer(options={f"o{number}": "x" for number in range(15)})), resumed=False)
    assert drifted(plan_hash(DOCUMENT), differences).message.endswith("; and 7 more")


def test_what_differs_in_the_same_way_on_many_hosts_is_one_line() -> None:
    moved = answer(release={"digest": "sha256:" + "9" * 64})
    differences = host_differences(DOCUMENT, dict.fromkeys(PLAN["hosts"], moved), resumed=False)
    message = drifted(plan_hash(DOCUMENT), differences).message
    assert message.count("content of the release") == 1
    assert "content of the release of web1, web2, web3: planned sha256:222222222222, found sha256:999999999999" in message


def test_what_a_host_is_staged_with_can_be_held_to_the_plan_before_it_is_called() -> None:
    planned = planned_step(DOCUMENT, "web2")
    hold_step("web2", planned, answer()["options"], "sha256:" + "2" * 64)
    hold_step("web2", planned, answer()["options"], None)
    with pytest.raises(PlanDriftedError, match="content of the release of web2: planned sha256:222222222222, found sha256:999999999999"):
        hold_step("web2", planned, answer()["options"], "sha256:" + "9" * 64)
    with pytest.raises(PlanDriftedError, match="option build of web2: planned not set, found digest b") as refusal:
        hold_step("web2", planned, answer(options={"build": "b"})["options"], None)
    # The refusal is the outcome of that host's step, and comes back to where hosts are compared: it is no failure of the budget's.
    checks = answers(web2={"outcome": "failed", "error": refusal.value.to_dict()})
    assert [str(difference) for difference in host_differences(DOCUMENT, checks, resumed=False)] == ["option build of web2: planned not set, found digest b"]


def test_a_plan_of_the_other_kind_names_its_playbook() -> None:
    rollback = plan_document({**STATIC, "kind": "rollback"}, answers(), None)
    error = drifted(plan_hash(rollback), static_differences(rollback, STATIC))
    assert "fraisier.deploy.rollback" in error.hint


@pytest.mark.parametrize(
    ("successes", "batches", "seconds"), [([(60.0, 3)], 3, 60.0), ([(60.0, 3), (30.0, 1), (8.0, 2)], 2, 40.0), ([(10.0, 0)], 2, None), ([], 3, None)]
)
def test_what_it_takes_is_the_median_of_what_it_took_for_as_many_batches(successes: list[tuple[float, int]], batches: int, seconds: float | None) -> None:
    assert expected_seconds(successes, batches) == seconds


def test_the_start_of_a_hash_is_enough() -> None:
    assert check_prefix(" ABCDEF123456 ") == "abcdef123456"
    assert check_prefix("a" * 64) == "a" * 64


@pytest.mark.parametrize("given", ["", "abcdef12345", "a" * 65, "shop_api:1.4.2", "%" * 12])
def test_what_is_no_hash_is_refused_with_the_remedy(given: str) -> None:
    with pytest.raises(ValidationError, match="at least 12"):
        check_prefix(given)
