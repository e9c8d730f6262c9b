# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fault tests find, as a table for people and as ``build/faults.json`` for machines."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

FULL = os.environ.get("FRAISIER_FAULTS") == "full"
"""Whether every round is run (make faults), or a sample (make test)."""
FIGURES = Path(__file__).resolve().parents[2] / "build" / "faults.json"


class Table:
    """One kind of fault: a line a round, and the violations of what was promised."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rounds = 0
        self.lines: list[str] = []
        self.violations: list[str] = []

    def add(self, what: str, violations: Sequence[str], outcome: str = "", rounds: int = 1) -> None:
        """Note ``rounds`` rounds of ``what``: how they ended, and what was not as promised."""
        self.rounds += rounds
        self.lines.append(f"  {what:<58} {'VIOLATED' if violations else 'held':<8} {outcome}")
        self.violations += [f"{what}: {violation}" for violation in violations]
        self.write()

    def write(self) -> None:
        """Put the figures of this table into the file, in the place of older ones."""
        FIGURES.parent.mkdir(parents=True, exist_ok=True)
        try:
            found = json.loads(FIGURES.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = []
        figures = {"name": self.name, "rounds": self.rounds, "violations": len(self.violations), "ok": not self.violations}
        kept = [row for row in found if row["name"] != self.name]
        FIGURES.write_text(json.dumps(sorted([*kept, figures], key=lambda row: str(row["name"])), indent=2) + "\n", encoding="utf-8")

    def text(self) -> str:
        """The table as it is printed."""
        head = f"\n{self.name}: {self.rounds} rounds, {len(self.violations)} violations"
        return "\n".join([head, *self.lines, *(f"  ! {violation}" for violation in self.violations)])

    def holds(self) -> None:
        """AssertionError when anything was violated, or nothing was tried."""
        assert self.rounds, f"{self.name}: no round was run"
        assert not self.violations, self.text()
