# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to the store that playbooks ask: history, status, the target of a rollback, the state of the schema."""

from __future__ import annotations

from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NotFoundError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.maintenance import check, prune
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.plans import find_plan
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store

QUERIES = ("audit", "backup", "check", "command", "deployment", "fleet", "grants", "history", "migrate", "plan", "plans", "prune", "restore", "sql", "status")


def answer_query(store: Store, request: dict[str, Any]) -> Any:
    """The answer to one ``query`` request, plain values only."""
    fraise, environment = request.get("fraise"), request.get("environment")
    query = request["query"]
    if query == "history":
        return store.history(fraise, environment, limit=int(request.get("limit") or 20)) or nothing_in(store, fraise, environment)
    if query == "status":
        from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.standing import standing

        return standing(store, fraise, environment)
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
        return store.plans.latest(fraise, environment, int(request.get("limit") or 20)) or nothing_in(store, fraise, environment)
    if query == "migrate":
        applied = store.migrate()
        return {"applied": applied, "schema": _schema(store)}
    if query == "prune":
        return prune(store, request)
    if query == "audit":
        from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.auditing import answer_audit

        return answer_audit(store, request)
    if query == "sql":
        return {"sql": store.offline_sql(store.dialect), "dialect": store.dialect}
    if query == "grants":
        return {"sql": store.grants_sql(store.dialect, str(request.get("role") or "")), "dialect": store.dialect}
    found = check(store, request)
    return {**found, "schema": {**found["schema"], "dialect": store.dialect}}


def nothing_in(store: Store, fraise: str | None, environment: str | None) -> list[Any]:
    """Nothing was found: is it for a name that is misspelt?"""
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.known import require_known_environment

    require_known_environment(store, fraise, environment)
    return []


def _schema(store: Store) -> dict[str, Any]:
    state = store.schema()
    return {"dialect": store.dialect, "current": state.current, "head": state.head, "pending": list(state.pending)}
