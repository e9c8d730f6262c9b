# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.status_report import status_report

AT = datetime(2026, 11, 22, 11, 33, 21, 217574, tzinfo=UTC)


def test_an_empty_store_says_so() -> None:
    assert status_report({"status": [], "fleet": []}) == ["No deployments in the store"]


def test_an_environment_without_deployments_is_told_with_those_that_have_some() -> None:
    told = "No deployments in the store of this environment; the store knows: live, test"
    assert status_report({"status": [], "fleet": [], "elsewhere": ["live", "test"]}) == [told]


def status(**lock: Any) -> dict[str, Any]:
    row = {"fraise": "shop", "environment": "test", "version": "1.0", "deployed_at": AT, "last_version": "2.0", "last_status": "rolled_back"}
    row.update(hosts_on_version=2, hosts_total=3)
    fleet = [{"fraise": "shop", "environment": "test", "host": f"web{number}", "version": "1.0", "state": "undone", "at": AT} for number in (1, 2, 3)]
    return {"status": [{**row, "locked": False, "lock_owner_name": "ann@desk", **lock}], "fleet": fleet}


def inspected(version: str | None, health: str = "healthy") -> dict[str, Any]:
    """What the step inspect of a host answers."""
    return {"release": {"version": version}, "health": {"status": health} if version else None}


def test_the_status_says_what_runs_and_what_each_host_was_last_known_to_serve() -> None:
    assert status_report(status()) == [
        "FRAISE  ENVIRONMENT  VERSION  HOSTS   SINCE (UTC)          LAST DEPLOYMENT  LOCKED BY",
        "shop    test         1.0      2 of 3  2026-11-22 11:33:21  2.0 rolled_back  -",
        "",
        "FRAISE  HOST  RECORDED  STATE   AS OF (UTC)",
        "shop    web1  1.0       undone  2026-11-22 11:33:21",
        "shop    web2  1.0       undone  2026-11-22 11:33:21",
        "shop    web3  1.0       undone  2026-11-22 11:33:21",
    ]


def test_the_status_names_who_holds_the_lock_only_while_it_is_held() -> None:
    assert status_report(status(locked=True))[1].endswith("ann@desk")
    assert status_report(status(locked=False))[1].endswith("-")


def test_the_status_holds_the_record_against_what_hosts_answer() -> None:
    lines = status_report(status(), {"web1": inspected("1.0"), "web2": inspected("2.0")})
    assert lines[3].endswith("ANSWERS    AGREES  NOTE")
    assert [line.split()[6:8] for line in lines[4:]] == [["1.0", "yes"], ["2.0", "NO"], ["not", "asked"]]


def test_the_status_says_of_a_host_that_came_back_with_an_old_version_what_the_fleet_has() -> None:
    answer = status()
    answer["fleet"][1]["version"] = "0.9"
    lines = status_report(answer, {"web1": inspected("1.0"), "web2": inspected("0.9"), "web3": inspected("1.0")})
    assert lines[3].endswith("ANSWERS  AGREES  NOTE")
    assert [line.split(None, 6)[-1] for line in lines[4:]] == ["1.0      yes     -", "0.9      NO      answers 0.9, the fleet has 1.0", "1.0      yes     -"]
    assert [line.split(None, 6)[-1].split() for line in status_report(answer, {"web1": inspected("1.0")})[4:5]] == [["1.0", "yes"]]


def test_before_the_first_success_there_is_no_version_to_agree_with() -> None:
    answer = status()
    answer["status"][0]["version"] = None
    assert status_report(answer, {"web1": inspected("1.0")})[4].split()[6:] == ["1.0", "yes"]


def test_the_status_lists_who_owes_since_when_and_why() -> None:
    owed = [{"fraise": "shop", "environment": "test", "host": "web3", "version": "1.0", "since": AT, "reason": "unreachable: " + "x" * 200}]
    lines = status_report({**status(), "owed": owed})
    assert lines[7:10] == [
        "",
        "FRAISE  ENVIRONMENT  HOST  OWES  SINCE (UTC)          WHY",
        f"shop    test         web3  1.0   2026-11-22 11:33:21  unreachable: {'x' * 104}...",
    ]
    assert lines[10:] == ["Once these hosts are back: ansible-playbook fraisier.deploy.catchup -e fraise=shop"]


def test_a_host_that_serves_nothing_is_not_one_that_was_not_asked() -> None:
    lines = status_report(status(), {"web1": inspected(None), "web2": inspected("1.0"), "web3": inspected("1.0")})
    assert lines[4].split()[6:8] == ["nothing", "NO"]


def test_a_host_whose_service_is_dead_does_not_agree_whatever_its_link_says() -> None:
    lines = status_report(status(), {"web1": inspected("1.0", "unhealthy")})
    assert lines[4].split()[6:] == ["1.0", "(unhealthy)", "NO"]


def test_a_host_that_was_asked_and_gave_no_answer_is_not_one_that_was_not_asked() -> None:
    lines = status_report(status(), {"web1": {}, "web2": {"unreachable": True, "msg": "no route\n to host"}})
    assert [line.split(None, 6)[-1] for line in lines[4:]] == ["no answer  NO      -", "no answer  NO      no route to host", "not asked  -       -"]


@pytest.mark.parametrize(
    ("state", "last", "shown"),
    [
        ("pending", "success", "unchanged"),
        ("staged", "interrupted", "unchanged"),
        ("staged", "in_progress", "staged"),
        ("active", "success", "active"),
        ("failed", "failed", "failed"),
    ],
)
def test_a_state_that_leads_to_another_is_shown_only_while_the_deployment_goes_on(state: str, last: str, shown: str) -> None:
    answer = status(last_status=last, last_deployment="shop:test:7")
    answer["fleet"][0].update(state=state, deployment="shop:test:7")
    assert status_report(answer)[4].split()[3] == shown


def test_a_failure_of_a_past_deployment_is_told_as_past() -> None:
    answer = status(last_deployment="shop:test:7")
    answer["fleet"][0].update(state="failed", deployment="shop:test:6")
    assert "failed in shop:test:6 " in status_report(answer)[4]


def test_what_was_cut_off_is_named_with_the_remedy() -> None:
    answer = status(unsettled=["shop:test:7"], last_deployment="shop:test:7", last_status="interrupted")
    answer["fleet"][1].update(cut_off="shop:test:7")
    lines = status_report(answer)
    assert "cut off by shop:test:7" in lines[5]
    assert lines[-2:] == ["", "UNSETTLED shop:test:7: finish or undo it with ansible-playbook fraisier.deploy.recover -e fraise=shop"]
