# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the end of a deployment leaves behind: a hold, a quarantine, or the end of one. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import shorten_line

UNDONE = ("rolled_back", "rollback_failed")
UNDO_LIMIT = 3
NOTHING: dict[str, Any] = {}


def tells_of_release(error: Mapping[str, Any] | None) -> bool:
    """Whether an error speaks against the release itself: not against network, disk or lock, not against what was asked for, and not by guess."""
    if not error:
        return False
    if error.get("code") == "ROLLBACK_FAILED":
        # Going back failed: what the release is judged by is why the host had to go back.
        return tells_of_release((error.get("context") or {}).get("failure"))
    return error.get("infrastructure") is False and error.get("category") != "VALIDATION"


def cause(status: str, errors: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The error that a deployment ended by: after an undo the first one that speaks against the release, else the first one."""
    first = errors[0] if errors else None
    return next((error for error in errors if tells_of_release(error)), first) if status in UNDONE else first


def aftermath(
    *,
    kind: str,
    status: str,
    reason: str,
    error: Mapping[str, Any] | None,
    digests: Collection[str],
    options: Mapping[str, Any],
    aborted: bool,
) -> dict[str, Any]:
    """What the closing event tells the store to leave, besides the outcome.

    ``digests``: what the hosts have staged. ``aborted``: a person ended it. The answer may hold ``hold`` (the reason of one), ``quarantine`` ({digests,
    error_code, reason}), ``undo_limit``, and ``lift`` (the digests that have proved good).
    """
    if status == "success":
        return {"lift": sorted(digests)}
    if kind != "deploy" or status not in UNDONE:
        return dict(NOTHING)
    why = reason
    if error:
        why = f"{reason}; {error.get('code')}: {shorten_line(str(error.get('message', '')), 300)}"
    left: dict[str, Any] = {"undo_limit": int(options.get("undo_limit", UNDO_LIMIT))}
    if options.get("lock_after_undo", True):
        left["hold"] = why
    if tells_of_release(error) and not aborted:
        left["quarantine"] = {"digests": sorted(digests), "error_code": (error or {}).get("code"), "reason": why}
    return left
