# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who acts: the name that an operator or AWX gives, beside the user of the operating system, which nobody can leave out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError

NAMES = ("operator", "awx_user_name", "tower_user_name")
LIMIT = 255


def who(variables: Mapping[str, Any], os_user: str, host: str) -> str:
    """``claimed (user@host)``, or ``user@host`` when the variables name nobody. Control characters of a claimed name become spaces; 255 characters at most."""
    acting = f"{os_user}@{host}"
    claimed = next((name for name in (one_line(variables.get(key)) for key in NAMES) if name), "")
    if not claimed:
        return acting[:LIMIT]
    room = LIMIT - len(acting) - 3
    return f"{claimed[: max(room, 0)]} ({acting})"[:LIMIT]


ANSWERS = frozenset({"0", "1", "false", "n", "no", "none", "null", "off", "on", "true", "y", "yes"})


def words_of(option: str, value: Any) -> str:
    """What a person wrote why, as one line, "" for nothing; ValidationError for a yes or a no, which surveys and defaults give and which says nothing."""
    text = one_line(value)
    if text.lower() in ANSWERS:
        raise ValidationError(
            f"{option}: {text!r} says nothing",
            hint=f"Give the reason in words, -e \"{option}='why'\", or leave it out",
            context={"option": option, "value": text},
        )
    return text


def one_line(value: Any) -> str:
    """What a person wrote, as one line without control characters: other people's terminals show it."""
    text = "" if value is None else str(value)
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
