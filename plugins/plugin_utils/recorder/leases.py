# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease of a running deployment: renewed while the controller runs, made sure of before anything changes, and given up for good once another has it.

A process that was stopped, or a machine that slept, cannot know how long that took. So no word of ours says "go" on a lease that was not confirmed within
one and a half heartbeats: it is renewed first, which the database refuses when another deployment has the lock or had it since.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError, LeaseLostError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.sink import Job
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Lease

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.opening import OpenDeployment

RENEW_RETRY_SECONDS = 2.0
STOPPED_LOOK_SECONDS = 0.5
NEVER = 3600.0


def lost(reason: str) -> str:
    """Why a deployment that lost its lease is halted."""
    return f"LEASE_LOST: {reason}"


def is_stopped(pid: int) -> bool:
    """Whether the process ``pid`` was stopped (SIGSTOP, Ctrl-Z); False where the system does not say."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0] == "T"
    except (OSError, IndexError):
        return False


class LeaseKeeper:
    """Keeps the lease of one deployment. ``ask`` hands a job to the store, ``say`` records an event, ``controller`` is the pid that the lease lives for."""

    def __init__(
        self,
        current: OpenDeployment,
        settings: dict[str, Any],
        ask: Callable[[Job], None],
        say: Callable[[str, dict[str, Any]], None],
        clock: Callable[[], float],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._current, self._ask, self._say, self._clock, self._wall = current, ask, say, clock, wall
        self._length, self._heartbeat = float(settings["lease"]), float(settings["heartbeat"])
        self._controller = int(settings.get("controller") or 0)
        self._confirmed = (clock(), wall())
        self._next = clock() + self._heartbeat
        self._failed_at: float | None = None

    def _over(self) -> bool:
        current = self._current
        return current.closed or current.lease is None or current.progress.lease_lost

    def keep(self) -> float:
        """Renew when it is due; seconds until the next look. For a controller that was stopped nothing is renewed: others need not wait for it."""
        if self._over():
            return NEVER
        wait = self._next - self._clock()
        if wait > 0:
            return wait
        if self._controller and is_stopped(self._controller):
            self._next = self._clock() + STOPPED_LOOK_SECONDS
            return STOPPED_LOOK_SECONDS
        self._renew(None)
        return self._heartbeat

    def sure(self) -> bool:
        """Whether the lease is ours beyond doubt, or the store just said that it cannot tell."""
        if self._over():
            return True
        if self._failed_at is not None and self._clock() - self._failed_at < RENEW_RETRY_SECONDS:
            return True
        passed, by_wall = self._clock() - self._confirmed[0], abs(self._wall() - self._confirmed[1])
        return max(passed, by_wall) < 1.5 * self._heartbeat

    def make_sure(self, then: Callable[[], None]) -> None:
        """Go on with ``then``, at once when the lease is sure, else once the store has answered; what it answered is in the progress by then.

        A store that is away cannot give the lock to another one either, so its silence does not stop the deployment.
        """
        if self.sure():
            then()
        else:
            self._renew(then)

    def _renew(self, then: Callable[[], None] | None) -> None:
        lease = self._current.lease
        if lease is None:
            return
        asked = (self._clock(), self._wall())
        self._next = asked[0] + self._heartbeat

        def done(answer: Any, failure: FraisierError | None) -> None:
            if isinstance(answer, Lease):
                self._current.lease, self._confirmed, self._failed_at = answer, asked, None
            elif isinstance(failure, LeaseLostError):
                self.give_up(failure)
            elif failure is not None:
                self._failed_at = self._clock()
                self._next = self._failed_at + RENEW_RETRY_SECONDS
            if then is not None:
                then()

        self._ask(Job(lambda store: store.renew_lease(lease, self._length), done))

    def give_up(self, error: FraisierError) -> None:
        """Another deployment has the lock, on the store's word or on a host's: this one changes nothing more."""
        progress = self._current.progress
        if progress.lease_lost:
            return
        progress.lease_lost = True
        progress.halted = lost(error.message)
        self._say("lease.lost", error.to_dict())
