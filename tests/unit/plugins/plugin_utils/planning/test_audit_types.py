# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which events are audited, and as what."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.audit_types import AUDIT_TYPES, audit_type


@pytest.mark.parametrize(
    ("event", "data", "expected"),
    [
        ("deployment.opened", {}, "deployment"),
        ("deployment.closed", {}, "deployment"),
        ("deployment.refused", {}, "security"),
        ("step.intent", {"step": "verify"}, "deployment"),
        ("step.outcome", {"step": "activate", "error": None}, "deployment"),
        ("step.outcome", {"step": "verify", "error": None}, "health_check"),
        ("step.outcome", {"step": "activate", "error": {"code": "HEALTH_CHECK_FAILED"}}, "health_check"),
        ("step.outcome", {"step": "stage", "error": {"code": "PROVIDER_CONNECTION_ERROR"}}, "provider_error"),
        ("step.outcome", {"step": "activate", "error": {"code": "FENCED"}}, "lock"),
        ("step.outcome", {"step": "activate", "error": {"code": None}}, "deployment"),
        ("gate.decided", {}, "deployment"),
        ("lock.taken", {}, "lock"),
        ("lease.lost", {}, "lock"),
        ("hold.placed", {}, "lock"),
        ("operator.pause", {}, "operator"),
        ("command.obeyed", {}, "operator"),
        ("quarantine.lifted", {}, "security"),
        ("override.given", {}, "security"),
        ("plan.made", {}, "deployment"),
        ("owed.settled", {}, "deployment"),
        ("host.drifted", {}, "configuration"),
        ("configuration.changed", {}, "configuration"),
        ("webhook.sent", {}, "webhook"),
        ("performance.slow", {}, "performance"),
        ("security.something", {}, "security"),
        ("health_check.failed", {}, "health_check"),
        ("store.pruned", {}, "system"),
        ("playbook.started", {}, "system"),
        ("an.invention", {}, "system"),
        ("play.started", {}, None),
        ("task.ok", {"action": "ansible.builtin.debug"}, None),
        ("task.failed", {"action": "fraisier.deploy.release"}, None),
        ("task.ok", {"action": "fraisier.deploy.bare_metal"}, "deployment"),
        ("task.unreachable", {"action": "fraisier.deploy.bare_metal"}, "provider_error"),
    ],
)
def test_each_event_has_its_place(event: str, data: dict[str, Any], expected: str | None) -> None:
    assert audit_type(event, data) == expected
    assert expected is None or expected in AUDIT_TYPES


def test_every_type_of_the_audit_has_an_event() -> None:
    prefixes = ("configuration", "deployment", "health", "lock", "operator", "performance", "provider", "security", "system", "webhook")
    assert {audit_type(f"{prefix}.x", {}) for prefix in prefixes} == set(AUDIT_TYPES)
