# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in a sentence: a fleet has thousands of hosts, a line has room for a few."""

from __future__ import annotations

from collections.abc import Iterable

NAMED = 5
"""Names that are told where the sentence says how many there are, or the table below it lists them all."""
NAMED_AT_LENGTH = 20
"""Names that are told where a person has to look after each."""


def named(names: Iterable[str], most: int = NAMED) -> str:
    """``web1, web2 and 98 more``: at most ``most`` names, and how many there are besides; "" for none."""
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
