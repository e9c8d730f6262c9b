# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hard limits: a value above its ceiling or below its floor is a failure, whatever other judges say. Pure functions.

A limit compares one number with another. It proves nothing about a difference between canary and baseline, and on few requests it cries wolf: one error of 20
requests is 5 %. It is for what must never be, such as half of all requests failing, or a queue that is full.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError


@dataclass(frozen=True)
class Limits:
    """A value must not exceed ``ceiling`` nor fall below ``floor``; on the limit is within."""

    ceiling: float | None = None
    floor: float | None = None

    def __post_init__(self) -> None:
        """Refuse limits that nothing or everything keeps."""
        given = [limit for limit in (self.ceiling, self.floor) if limit is not None]
        if not given:
            raise ValidationError("ceiling, floor: neither is given, so the metric could never fail", hint="Give a ceiling, a floor, or both")
        if not all(map(math.isfinite, given)):
            raise ValidationError(f"ceiling {self.ceiling}, floor {self.floor}: not a finite number", hint="Give plain numbers")
        if self.ceiling is not None and self.floor is not None and self.floor > self.ceiling:
            raise ValidationError(
                f"floor {self.floor:g} lies above ceiling {self.ceiling:g}, so every value would fail",
                hint="Give a floor below the ceiling",
                context={"floor": self.floor, "ceiling": self.ceiling},
            )


def broken(limits: Limits, value: float) -> str | None:
    """Which limit ``value`` breaks, in words; None when it keeps both. Raises for what is no finite number: nobody may take that for a pass."""
    if not math.isfinite(value):
        raise ValidationError(f"{value} is no number that could be compared with a limit", hint="Check what the metric's source answers")
    if limits.ceiling is not None and value > limits.ceiling:
        return f"{value:g} is above the ceiling {limits.ceiling:g}"
    if limits.floor is not None and value < limits.floor:
        return f"{value:g} is below the floor {limits.floor:g}"
    return None
