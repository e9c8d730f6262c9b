# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service and a clock that do what a test says, so that rules about time are exact and cost none."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ProviderUnavailableError
from ansible_collections.fraisier.deploy.plugins.module_utils.health import verify
from ansible_collections.fraisier.deploy.plugins.module_utils.services import ServiceManager, ServiceStatus


class Clock:
    """A clock that only sleeping moves. ``naps``: how long each sleep was."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    @property
    def elapsed(self) -> float:
        return self.now - 1000.0


class ScriptedService(ServiceManager):
    """A service whose status is told by a function of the seconds since the start."""

    NAME = "scripted"

    def __init__(self, clock: Clock, script: Callable[[float], dict]) -> None:
        super().__init__({"name": "shop"}, root="/srv/shop", environment={})
        self.clock = clock
        self.script = script

    def status(self) -> ServiceStatus:
        facts = {"active": True, **self.script(self.clock.elapsed)}
        if "error" in facts:
            raise ProviderUnavailableError(facts["error"])
        return ServiceStatus(self.NAME, self.name, facts.pop("active"), **facts)

    def log_tail(self, lines: int) -> str:
        return "Traceback: no such table"


def wait(script: Callable[[float], dict], *, checks=(), min_healthy=10.0, interval=1.0, deadline=60.0):
    """(report, clock) of a wait for a scripted service."""
    clock = Clock()
    report = verify(
        list(checks), min_healthy=min_healthy, interval=interval, deadline=deadline, service=ScriptedService(clock, script), clock=clock, sleep=clock.sleep
    )
    return report, clock
