# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment waits for at a gate: an operator's pause, or the time between two batches. No I/O; the clock is passed in."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError

DAY_SECONDS = 86400.0
"""How long a pause lasts whose end nobody gave, and the longest wait between two batches."""


def bake_seconds(value: object, option: str = "rolling_pause", what: str = "a time between two batches") -> float:
    """The seconds of ``option``, which are ``what``, as a number; ValidationError for anything else."""
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= DAY_SECONDS:
        raise ValidationError(
            f"{option}: {value!r} is not {what}",
            hint=f"Give seconds, 0 to {DAY_SECONDS:g}",
            context={"option": option, "value": str(value)},
        )
    return seconds


@dataclass
class Pause:
    """An operator's wish to wait until ``ends_at``. ``ends`` tells a person when that is; ``then``: resume or abort. ``began_at``: when a gate first held."""

    command: str
    text: str
    ends_at: float
    ends: str
    then: str
    began_at: float | None = None


@dataclass
class Hold:
    """A gate that waits: for a ``pause`` or a ``bake``; ``reason`` is one line for a person, which stays the same while it waits."""

    kind: str
    reason: str
    ends_at: float


@dataclass
class Lasting:
    """A step that lasts: ``left`` seconds more at ``seen_at``. Its time stands still while an operator's pause holds it.

    ``text``: what it is, for a person. ``then``: what follows when it was to be approved and nobody did: abort or resume; "" for a step that just ends.
    ``promoted``: an operator ended it. ``slice_left``: seconds until somebody looks at what is watched; None for a step in which nobody does.
    """

    text: str
    left: float
    seen_at: float
    then: str = ""
    promoted: bool = False
    slice_left: float | None = None

    def pass_time(self, now: float, *, still: bool) -> None:
        """The time until ``now`` has passed, or stood ``still``."""
        if not still:
            passed = now - self.seen_at
            self.left = max(0.0, self.left - passed)
            self.slice_left = None if self.slice_left is None else max(0.0, self.slice_left - passed)
        self.seen_at = now

    @property
    def waits(self) -> float:
        """Seconds until a gate goes on: to the end of the step, or to the next look."""
        return 0.0 if self.promoted else self.left if self.slice_left is None else min(self.left, self.slice_left)


@dataclass
class Waits:
    """The waits of one deployment. ``bake_seconds``: how long a batch that changed something is watched before the next one goes.

    ``step``: what lasts now, in the middle of a play.
    """

    bake_seconds: float = 0.0
    pause: Pause | None = None
    baked_from: float | None = None
    holding: str = ""
    step: Lasting | None = None

    def batch_ended(self, changed: bool, now: float) -> None:
        """A batch has ended; one in which nothing changed need not be watched."""
        self.baked_from = now if changed and self.bake_seconds > 0 else None

    def look(self, at: str, batch: int, batches: int, now: float) -> Hold | None:
        """What the gate ``at`` (before the batch ``batch``, during a step, or settle) waits for now, or nothing.

        A pause that has ended is the caller's to take away.
        """
        during = {"during": f"during {self.step.text}" if self.step else "during a step", "before": f"before batch {batch} of {batches}"}
        place = during.get(at, "before it settles")
        if self.step is not None:
            self.step.pass_time(now, still=self.pause is not None)
        hold = None
        if self.pause is not None:
            if self.pause.began_at is None:
                self.pause.began_at = now
            hold = Hold("pause", f"{self.pause.text}, {place}, until {self.pause.ends}, then: {self.pause.then}", self.pause.ends_at)
        elif at == "before" and self.baked_from is not None and now < self.baked_from + self.bake_seconds:
            hold = Hold("bake", f"waiting {self.bake_seconds:g} s {place}", self.baked_from + self.bake_seconds)
        elif at == "during" and self.step is not None and self.step.waits > 0:
            hold = Hold("step", self.step.text, now + self.step.waits)
        self.holding = hold.kind if hold else ""
        return hold

    def skip(self, now: float) -> float | None:
        """End whatever a gate waits for now; seconds that were left, or nothing when none waits."""
        # Between two looks of a step that is watched no gate waits, and the step lasts all the same.
        if not self.holding and (self.step is None or self.step.slice_left is None):
            return None
        ends = [self.pause.ends_at] if self.pause else []
        if self.baked_from is not None:
            ends.append(self.baked_from + self.bake_seconds)
        if self.step is not None:
            ends.append(now + self.step.left)
            self.step.promoted = True
        self.pause, self.baked_from, self.holding = None, None, ""
        return max(0.0, max(ends, default=now) - now)
