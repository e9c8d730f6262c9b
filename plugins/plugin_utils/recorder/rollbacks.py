# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a rollback goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NotFoundError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store

LOOKED_AT = 200


def rollback_target(store: Store, fraise: str, environment: str) -> str:
    """The version a rollback without ``version`` goes to.

    After a deployment that left hosts on a version that nobody answers for, that is the last good version; otherwise the good one before it that no
    later rollback has left. Good is what a deployment of the whole fraise brought with success to every host, with the same content, and what is not in
    quarantine. Raises NotFoundError when there is none.
    """
    rows = store.history(fraise, environment, limit=LOOKED_AT)
    good = [row for row in rows if row["status"] == "success" and row["scope"] == "whole"]
    banned = store.quarantined(fraise, environment)

    def fits(row: dict[str, Any]) -> bool:
        return row["version"] not in banned and store.same_everywhere(str(row["identifier"]))

    in_doubt = any(host.touched for past in store.unsettled(fraise, environment) for host in past.hosts.values())
    if good and in_doubt and good[0]["version"] not in banned:
        return str(good[0]["version"])
    target = earlier_good(good, fits)
    if target is None:
        raise NotFoundError(
            f"{fraise} in {environment} has no earlier version that was deployed with success to every host and is not in quarantine",
            hint="Look at the playbook fraisier.deploy.history, or name a version with -e version=",
        )
    return target


def require_known(store: Store, fraise: str, environment: str, version: str) -> None:
    """ValidationError for a version that this environment never had: freezes, approvals and locks of an undo do not hold a rollback."""
    rows = store.history(fraise, environment, limit=LOOKED_AT)
    had = {str(row["version"]) for row in rows if row["status"] == "success"} | {str(row["previous_version"]) for row in rows if row["previous_version"]}
    if version not in had:
        raise ValidationError(
            f"version: {version} was never deployed with success to {fraise} in {environment}, so going to it is no rollback",
            hint="Bring it with the playbook fraisier.deploy.deploy; the playbook fraisier.deploy.history shows what was there",
            context={"option": "version", "value": version},
        )


def earlier_good(good: list[dict[str, Any]], fits: Callable[[dict[str, Any]], bool] = lambda _row: True) -> str | None:
    """Of successes, newest first: the version before the one in place that ``fits``, leaving out those that a rollback left and nobody deployed since."""
    kept: set[str] = set()
    left: set[str] = set()
    for row in good:
        version = str(row["version"])
        if version != good[0]["version"] and version not in left and fits(row):
            return version
        if row["kind"] == "rollback" and row["previous_version"] not in kept:
            left.add(str(row["previous_version"]))
        kept.add(version)
    return None
