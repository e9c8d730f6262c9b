# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed step of traffic means for its host. Pure."""

from __future__ import annotations

from typing import Any, Protocol

TRAFFIC_STEPS = ("drain", "undrain", "weight")


class Shifting(Protocol):
    """What is read and written of a host's progress."""

    state: str
    error: dict[str, Any] | None
    failure: dict[str, Any] | None


def traffic_failed(entry: Shifting, step: str, error: dict[str, Any] | None, *, settled: bool) -> None:
    """A host that could not be drained is not shifted. One that serves but gets no requests has failed, and after its undo is not back.

    While all go back, a drain that fails keeps no host from going back.
    """
    if settled and step != "undrain":
        return
    if settled:
        if entry.state == "undone":
            entry.state = "undo_failed"
    elif entry.state in ("pending", "staged", "active"):
        entry.state = "failed"
    entry.error = error
    if not settled:
        entry.failure = error
