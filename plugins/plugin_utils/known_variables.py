# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables that the collection reads, and those that are nearly one of them: Ansible itself ignores a misspelt name without a word."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

PREFIXES = ("fraise_", "rolling_")
KNOWN = frozenset(
    [
        "fraise_approvals",
        "fraise_approve_own",
        "fraise_build",
        "fraise_build_timeout",
        "fraise_environment",
        "fraise_environment_freezes",
        "fraise_environment_variables",
        "fraise_freezes",
        "fraise_group",
        "fraise_health",
        "fraise_interval",
        "fraise_keep",
        "fraise_lock_after_undo",
        "fraise_lock_timeout",
        "fraise_min_healthy",
        "fraise_owner",
        "fraise_path",
        "fraise_pause_limit",
        "fraise_provider",
        "fraise_reconnect",
        "fraise_service",
        "fraise_shared",
        "fraise_source",
        "fraise_strategy",
        "fraise_timeout",
        "fraise_type",
        "fraise_undo_limit",
        "rolling_batches",
        "rolling_max_failed",
        "rolling_max_unreachable",
        "rolling_pause",
    ]
)
LIKENESS = 0.72


def misspelt(names: Iterable[str]) -> list[str]:
    """A sentence for each name that is none of ours and much like one of ours; names of a user's own that are like none are no concern."""
    told = []
    for name in sorted(names):
        if name.startswith(PREFIXES) and name not in KNOWN:
            near = get_close_matches(name, KNOWN - set(names), n=1, cutoff=LIKENESS)
            if near:
                told.append(f"{name} is no variable of fraisier.deploy and was ignored; did you mean {near[0]}?")
    return told
