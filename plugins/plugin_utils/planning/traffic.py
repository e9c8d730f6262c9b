# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed step of traffic means for its host. Pure."""

from __future__ import annotations

from typing import Any, Protocol

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError

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


def check_batch(batch: int, servers: int, min_available: int, backend: str) -> None:
    """Refuse a batch that would take so many hosts out at once that too few stay: nobody comes back before all of it are out."""
    if servers - batch < min_available:
        raise ConfigurationError(
            f"rolling_batches: {batch} hosts at once are too many: backend {backend} has {servers} servers, and {min_available} must stay in service",
            hint="Take narrower batches, add servers, or lower traffic_min_available. Nothing was changed on these hosts",
            context={"option": "rolling_batches", "value": batch, "servers": servers, "min_available": min_available},
        )
