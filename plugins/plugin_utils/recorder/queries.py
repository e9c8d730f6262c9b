# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to the store that playbooks ask: history, status, the target of a rollback, the state of the schema."""

from __future__ import annotations

from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NotFoundError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import STAGED_ONLY
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.plans import find_plan
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store

LOOKED_AT = 200
QUERIES = ("check", "command", "deployment", "fleet", "history", "migrate", "plan", "plans", "sql", "status")


def rollback_target(store: Store, fraise: str, environment: str) -> str:
    """The version a rollback without ``version`` goes to.

    After a deployment that left the fleet in doubt (interrupted, failed, rollback_failed, aborted, with at least one host shifted) that is the last
    good version; otherwise the good one before it that no later rollback has left. Never one that failed or was rolled back. Raises NotFoundError
    when there is none.
    """
    rows = store.history(fraise, environment, limit=LOOKED_AT)
    good = [row for row in rows if row["status"] == "success"]
    if good and _in_doubt(store, rows):
        return str(good[0]["version"])
    target = earlier_good(good)
    if target is None:
        raise NotFoundError(
            f"{fraise} in {environment} has no earlier version that was deployed with success",
            hint="Look at the playbook fraisier.deploy.history, or name a version with -e version=",
        )
    return target


def _in_doubt(store: Store, rows: list[dict[str, Any]]) -> bool:
    """Whether the newest deployment may have left hosts on another version than the last good one."""
    newest = rows[0]
    if newest["status"] in ("success", "rolled_back") or str(newest["status_reason"] or "").startswith(STAGED_ONLY):
        return False
    told = store.deployment(str(newest["identifier"])) or {}
    return any(step["step"] == "activate" for step in told.get("steps", []))


def earlier_good(good: list[dict[str, Any]]) -> str | None:
    """Of successes, newest first: the version before the one in place, leaving out those that a rollback left and nobody deployed since."""
    kept: set[str] = set()
    left: set[str] = set()
    for row in good:
        version = str(row["version"])
        if version != good[0]["version"] and version not in left:
            return version
        if row["kind"] == "rollback" and row["previous_version"] not in kept:
            left.add(str(row["previous_version"]))
        kept.add(version)
    return None


def answer_query(store: Store, request: dict[str, Any]) -> Any:
    """The answer to one ``query`` request, plain values only."""
    fraise, environment = request.get("fraise"), request.get("environment")
    query = request["query"]
    if query == "history":
        return store.history(fraise, environment, limit=int(request.get("limit") or 20))
    if query == "status":
        return {"status": store.status(fraise, environment), "fleet": store.fleet(fraise, environment)}
    if query == "fleet":
        return store.fleet(fraise, environment)
    if query == "deployment":
        found = store.deployment(str(request.get("deployment")))
        if found is None:
            raise NotFoundError(f"No deployment {request.get('deployment')} in the store", hint="Look at the playbook fraisier.deploy.history")
        return found
    if query == "command":
        # Its deployment may have been pruned meanwhile: then nothing is known of it.
        return store.commands.outcome(str(request.get("command"))) or {"obeyed_at": None, "outcome": None}
    if query == "plan":
        return find_plan(store, str(request.get("plan") or ""))
    if query == "plans":
        return store.plans.latest(fraise, environment, int(request.get("limit") or 20))
    if query == "migrate":
        applied = store.migrate()
        return {"applied": applied, "schema": _schema(store)}
    if query == "sql":
        return {"sql": store.offline_sql(store.dialect), "dialect": store.dialect}
    return {**store.check(), "schema": _schema(store)}


def _schema(store: Store) -> dict[str, Any]:
    state = store.schema()
    return {"dialect": store.dialect, "current": state.current, "head": state.head, "pending": list(state.pending)}
