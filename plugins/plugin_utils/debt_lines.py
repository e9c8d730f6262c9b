# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines for people about hosts that were left behind or came back another than recorded. Pure: values in, lines out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import shorten_line

REASON_LENGTH = 120


def brief(reason: str) -> str:
    """A reason that fits a line."""
    return str(shorten_line(reason, REASON_LENGTH))


def remedy(fraise: str) -> str:
    """What brings hosts up that were left behind."""
    return f"Once these hosts are back: ansible-playbook fraisier.deploy.catchup -e fraise={fraise}"


def nothing_owed_line(version: str) -> str:
    """What a catching up says that has nothing to do."""
    return f"no host of this run owes anything, the fleet has {version}"


def owed_lines(fraise: str, version: str, owed: Mapping[str, str]) -> list[str]:
    """After an outcome: which hosts were left behind, and what brings them up."""
    if not owed:
        return []
    return [*(f"{host} owes {version} ({brief(reason)})" for host, reason in owed.items()), remedy(fraise)]


def drift_line(host: str, drift: Mapping[str, Any]) -> str:
    """A host that serves another version than the record says."""
    why = f"{drift['cut_off']} was cut off while it changed it" if drift.get("cut_off") else "somebody or something else changed it"
    return f"  {host}  answers {drift['answers'] or 'nothing'}, the record says {drift['recorded']}: {why}"
