# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be a name in the store; names are never cut short."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import NAME_LIMIT, bounded, clean


def check_name(name: str, value: str, limit: int) -> None:
    """ValidationError for what cannot be kept as it is."""
    if not value or len(value) > limit or value != value.strip() or clean(value) != value or not value.isprintable():
        raise ValidationError(
            f"The {name} {bounded(value, 80)!r} cannot be a name in the store", hint=f"Use 1 to {limit} printable characters without spaces at the ends"
        )


def check_pair(fraise: str | None, environment: str) -> None:
    """``check_name`` for both (no fraise is all of them); colons part fraise:environment:number."""
    for name, value in {"fraise": fraise, "environment": environment}.items():
        if value is not None:
            check_name(name, value, NAME_LIMIT)
    if ":" in (fraise or "") or ":" in environment:
        names = f"{fraise!r}, {environment!r}"
        raise ValidationError(f"A fraise and an environment have no colon in their names: {names}", hint="Colons part fraise:environment:number")
