# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of checks, composites in them, and the report that comes of it."""

from __future__ import annotations

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import HealthCheckError
from ansible_collections.fraisier.deploy.plugins.module_utils.health import probe
from tests.unit.plugins.module_utils.health.scripted import Clock, ScriptedService

TRUE, FALSE = {"exec": {"command": ["true"]}}, {"exec": {"command": ["false"]}}


@pytest.mark.parametrize(
    ("checks", "status"),
    [
        ([], "healthy"),
        ([TRUE], "healthy"),
        ([TRUE, FALSE], "unhealthy"),
        ([{"all": [TRUE, TRUE]}], "healthy"),
        ([{"all": [TRUE, FALSE]}], "unhealthy"),
        ([{"any": [TRUE, TRUE]}], "healthy"),
        ([{"any": [FALSE, TRUE]}], "degraded"),
        ([{"any": [FALSE, FALSE]}], "unhealthy"),
        ([{"quorum": {"count": 2, "of": [TRUE, TRUE, FALSE]}}], "degraded"),
        ([{"quorum": {"count": 2, "of": [TRUE, FALSE, FALSE]}}], "unhealthy"),
        ([{"quorum": {"count": 2, "of": [TRUE, TRUE, TRUE]}}], "healthy"),
        ([{"all": [TRUE, {"any": [TRUE, FALSE]}]}], "degraded"),
        ([{"any": [{"all": [TRUE, FALSE]}, TRUE]}, TRUE], "degraded"),
    ],
)
def test_one_word_says_how_all_checks_stand(checks, status):
    report = probe(checks)
    assert report.status == status
    assert report.ok is (status != "unhealthy")


def test_a_composite_stands_before_its_members_and_all_are_asked():
    rows = probe([{"any": [TRUE, {"quorum": {"count": 2, "of": [FALSE, TRUE]}}]}]).to_dict()["checks"]
    assert [(row["type"], row["ok"]) for row in rows] == [("any", True), ("exec", True), ("quorum", False), ("exec", False), ("exec", True)]
    assert rows[0]["target"] == "exec true, quorum 2 of exec false, exec true"
    assert rows[2]["message"] == "1 of 2 pass, wanted 2"
    assert set(rows[0]) == {"type", "target", "ok", "attempts", "duration", "message"}


def test_without_checks_and_service_the_answer_is_healthy_and_says_why():
    assert probe([]).to_dict() == {"status": "healthy", "message": "no checks", "checks": []}


def test_a_probe_without_checks_tells_how_the_service_is():
    clock = Clock()
    assert probe([], service=ScriptedService(clock, lambda now: {"pid": 7})).status == "healthy"
    assert probe([], service=ScriptedService(clock, lambda now: {"active": False})).message == "scripted shop is not active"


def test_an_unhealthy_report_becomes_an_error_that_names_what_fails():
    report = probe([TRUE, {"exec": {"command": ["sh", "-c", "echo no table; exit 1"]}}])
    error = report.to_error()
    assert isinstance(error, HealthCheckError)
    assert error.message == "exec sh -c 'echo no table; exit 1': return code 1, wanted 0: no table"
    assert [row["type"] for row in error.context["failing"]] == ["exec"]
    assert not error.infrastructure
