# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers as people read them."""

from __future__ import annotations


def percent(share: float, digits: int | None = None) -> str:
    """0.001 as "0.1 %", with two digits that say something, or so many places as given."""
    number = share * 100.0
    if digits is not None:
        return f"{number:.{digits}f} %"
    if number >= 10.0:
        return f"{number:.1f} %".replace(".0 %", " %")
    return f"{float(f'{number:.2g}'):g} %"


def points(difference: float) -> str:
    """A difference of two shares, 0.009 as "0.9 points" of percent."""
    return f"{float(f'{difference * 100.0:.2g}'):g} points"


def times_or_so(power: float) -> str:
    """0.9 as "in 90 of 100 cases"."""
    return f"in {power * 100:g} of 100 cases"


def factor(value: float) -> str:
    """An e-value or a ratio, short."""
    return f"{value:.3g}" if value < 10_000 else "over 10,000"
