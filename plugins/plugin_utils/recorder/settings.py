# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorder's settings from the callback's options, with the defaults that depend on the user."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError


def state_folder() -> Path:
    """``fraisier`` in the user's XDG state folder (XDG Base Directory Specification 0.8)."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "fraisier"


def recorder_settings(option: Callable[[str], Any]) -> dict[str, Any]:
    """Settings as plain values; ConfigurationError when they cannot work together."""
    lease, heartbeat = float(option("lease_seconds")), float(option("heartbeat_seconds"))
    if heartbeat <= 0 or lease < 2 * heartbeat:
        raise ConfigurationError(
            f"lease_seconds is {lease:g} and heartbeat_seconds {heartbeat:g}",
            hint="The lease must be at least twice the heartbeat, and the heartbeat more than 0",
            context={"option": "lease_seconds", "value": lease},
        )
    return {
        "store_url": str(option("store_url") or f"sqlite:///{state_folder() / 'store.db'}"),
        "spool": str(option("spool_path") or state_folder() / "spool"),
        "timeout": float(option("store_timeout")),
        "required": bool(option("store_required")),
        "auto_migrate": bool(option("store_auto_migrate")),
        "lease": lease,
        "heartbeat": heartbeat,
    }
