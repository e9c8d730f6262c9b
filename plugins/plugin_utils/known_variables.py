# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables that the collection reads, and those that are nearly one of them: Ansible itself ignores a misspelt name without a word."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

PREFIXES = ("canary_", "fraise_", "rolling_", "traffic_")
KNOWN = frozenset(
    [
        "canary_steps",
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
        "fraise_watch",
        "fraise_watch_failures",
        "fraise_watch_interval",
        "rolling_adaptive",
        "rolling_batches",
        "rolling_max_failed",
        "rolling_max_unreachable",
        "rolling_pause",
        "traffic_backend",
        "traffic_balancers",
        "traffic_drain_limit",
        "traffic_driver",
        "traffic_haproxy",
        "traffic_hook",
        "traffic_hook_weights",
        "traffic_min_available",
        "traffic_nginx",
        "traffic_only_ours",
        "traffic_path",
        "traffic_ready_timeout",
        "traffic_server",
        "traffic_throttle",
        "traffic_timeout",
        "traffic_weight",
        "traffic_weighted_hosts",
    ]
)
OF_PLAYBOOKS = frozenset(
    [
        "abort",
        "audit",
        "audit_file",
        "audit_host",
        "audit_key_file",
        "audit_type",
        "catchup",
        "deployment",
        "expires",
        "fraise",
        "hold",
        "keep",
        "keep_days",
        "limit",
        "live",
        "operator",
        "override",
        "path",
        "plan",
        "reason",
        "recover",
        "replace",
        "revoke",
        "role",
        "rollback",
        "store",
        "then",
        "time_limit",
        "verify",
        "version",
        "wait",
    ]
)
"""What is given with -e, and has no prefix."""
LIKENESS = 0.72
CLOSE_LIKENESS = 0.85
"""Without a prefix a name may well be of the user's own, so it must be closer before anything is said."""


def misspelt(names: Iterable[str]) -> list[str]:
    """A sentence for each name that is none of ours and much like one of ours; names of a user's own that are like none are no concern."""
    told = []
    for name in sorted(names):
        if name.startswith(PREFIXES) and name not in KNOWN:
            near = get_close_matches(name, KNOWN - set(names), n=1, cutoff=LIKENESS)
            if near:
                told.append(_told(name, near[0]))
    return told


def misspelt_extra(names: Iterable[str]) -> list[str]:
    """The same for what was given with -e, where names without a prefix are ours, too. Only those: an inventory is full of a user's own."""
    given = {str(name) for name in names}
    told = misspelt(given)
    for name in sorted(given):
        if not name.startswith(PREFIXES) and name not in OF_PLAYBOOKS:
            near = get_close_matches(name, OF_PLAYBOOKS - given, n=1, cutoff=CLOSE_LIKENESS)
            if near:
                told.append(_told(name, near[0]))
    return told


def _told(name: str, near: str) -> str:
    return f"{name} is no variable of fraisier.deploy and was ignored; did you mean {near}?"
