# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which operator's command says something new, given those before it. Pure: values in, a text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

NOT_OBEYED = "not obeyed: "
"""How the outcome of a command begins that changed nothing."""
ENDS_A_PAUSE = ("resume", "promote")


def standing_pause(earlier: Sequence[Mapping[str, Any]], now: datetime) -> Mapping[str, Any] | None:
    """The pause that holds now, of commands in the order in which they were given: the last one, unless it was ended since or has expired."""
    for command in reversed(earlier):
        if str(command["outcome"] or "").startswith(NOT_OBEYED):
            continue
        if command["verb"] in ENDS_A_PAUSE:
            return None
        if command["verb"] == "pause":
            return None if command["expires_at"] is not None and command["expires_at"] <= now else command
    return None


def nothing_new(verb: str, earlier: Sequence[Mapping[str, Any]], now: datetime) -> str:
    """Why ``verb`` needs no command of its own, to be read after the deployment's name; empty when it does."""
    aborting = next((entry for entry in earlier if entry["verb"] == "abort" and not str(entry["outcome"] or "").startswith(NOT_OBEYED)), None)
    if aborting is not None:
        return f"is being aborted already, by {_said(aborting)}"
    paused = standing_pause(earlier, now)
    if verb == "pause" and paused is not None:
        until = f", until {paused['expires_at']:%Y-%m-%d %H:%M:%S} UTC" if paused["expires_at"] is not None else ""
        return f"is paused already, by {_said(paused)}{until}"
    if verb == "resume" and paused is None:
        return "is not paused"
    return ""


def _said(command: Mapping[str, Any]) -> str:
    return f"{command['user_name']} since {command['issued_at']:%Y-%m-%d %H:%M:%S} UTC" + (f" ({command['reason']})" if command["reason"] else "")
