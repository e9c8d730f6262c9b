# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sets a deployment apart from those before it, for the audit: settings that were changed, and a deployment that took far longer than usual."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.plans import expected_seconds
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.sink import Job, Sink

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.opening import OpenDeployment
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.operations import Operations

SLOW_TIMES, SLOW_SECONDS = 2.0, 10.0
"""A deployment is slow that took so many times what is usual, and so many seconds more."""


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Each setting that both have and that differs: {from, to}."""
    return {name: {"from": before[name], "to": now[name]} for name in sorted(now) if name in before and before[name] != now[name]}


def slow(seconds: float, usual: float | None) -> dict[str, float] | None:
    """{seconds, usual_seconds} when a deployment took far longer than ``usual``; None else, or when nothing is known."""
    if usual is None or seconds <= SLOW_TIMES * usual or seconds <= usual + SLOW_SECONDS:
        return None
    return {"seconds": round(seconds, 1), "usual_seconds": usual}


def compare(sink: Sink, operations: Operations, current: OpenDeployment, clock: float) -> None:
    """After the opening was answered, so that nothing waits for it: record what was changed, remember how long is usual. ``clock``: when it was opened."""
    request, identity = current.request, current.identity
    current.opened_at = clock
    if identity is None or request["kind"] == "recover":
        return
    pair = (request["fraise"], request["environment"])

    def done(answer: Any, failure: FraisierError | None) -> None:
        if failure is not None:
            return
        before, now, durations = answer
        current.usual_seconds = expected_seconds(durations, len(current.plan["groups"]))
        changed = changes(before, now)
        if changed:
            operations.emit("configuration.changed", {"changed": changed, "by": request.get("user")})

    sink.ask(Job(lambda store: (*store.options_before_and_of(identity.id), store.plans.durations(*pair)), done))


def tell_slow(operations: Operations, current: OpenDeployment, status: str, clock: float) -> None:
    """At the end: record a success that was slow. Waits of people are not time that it took: a deployment that was paused is not judged."""
    told = slow(clock - current.opened_at, current.usual_seconds) if status == "success" and not current.waited else None
    if told:
        operations.emit("performance.slow", told)
