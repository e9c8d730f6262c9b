# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rooms of the store that only some runs enter, loaded at the first step into them: every run pays for what its recorder imports."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Late:
    """Stands for a module of this package until something of it is used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(f"{__package__}.{self._name}"), attribute)
