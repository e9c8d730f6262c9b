# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a playbook, as it was read, speaks of this collection. What is included later on is not seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

OURS = "fraisier.deploy."


def is_ours(playbook: Any) -> bool:
    """Whether a task of any play is an action of ours, or a role of ours is named."""
    return any(_play_is_ours(play) for play in playbook.get_plays())


def _play_is_ours(play: Any) -> bool:
    if any(str(role).startswith(OURS) for role in play.roles):
        return True
    return any(_any_ours(blocks) for blocks in (play.pre_tasks, play.tasks, play.post_tasks, play.handlers))


def _any_ours(entries: Iterable[Any]) -> bool:
    """``entries``: blocks and tasks, as deep as they are nested."""
    for entry in entries:
        if hasattr(entry, "block"):
            if _any_ours([*entry.block, *entry.rescue, *entry.always]):
                return True
        elif str(getattr(entry, "resolved_action", None) or entry.action).startswith(OURS) or str(entry.args.get("name", "")).startswith(OURS):
            return True
    return False
