# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines for people about what stands in the way of deployments: locks and quarantined releases. Pure: rows in, lines out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

SHOWN_DIGEST = 19


def hold_lines(holds: Sequence[Mapping[str, Any]], quarantines: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each lock and each release in quarantine, with who, since when and why; no line when there is nothing."""
    lines = [""] if holds or quarantines else []
    for hold in holds:
        where = f"{hold['fraise']} in {hold['environment']}" if hold["fraise"] else f"all of {hold['environment']}"
        until = f" until {_moment(hold['expires_at'])}" if hold["expires_at"] else ""
        kind = "" if hold["kind"] == "person" else f" ({hold['kind']})"
        lines.append(f"LOCKED {where}{kind} by {hold['placed_by']} since {_moment(hold['placed_at'])}{until}: {hold['reason']} [{hold['identifier']}]")
    for row in quarantines:
        digest = f" ({row['digest'][:SHOWN_DIGEST]})" if row["digest"] else ""
        by = f" by {row['deployment']}" if row["deployment"] else ""
        where = f"{row['fraise']} {row['version']}{digest} in {row['environment']}"
        lines.append(f"QUARANTINED {where} since {_moment(row['placed_at'])}{by}: {row['reason']}")
    return lines


def held_word(row: Mapping[str, Any], holds: Sequence[Mapping[str, Any]]) -> str | None:
    """For the column of the lock's owner, of a fraise in an environment that nobody deploys now: that its lines tell of a lock."""
    mine = any(hold["environment"] == row["environment"] and hold["fraise"] in (None, row["fraise"]) for hold in holds)
    return "see LOCKED below" if mine else None


def _moment(value: Any) -> str:
    """A moment, or its text as it comes over the wire, to the second in UTC."""
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return f"{found:%Y-%m-%d %H:%M:%S} UTC"
