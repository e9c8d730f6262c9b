# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook audit asks of the store: verify, list, export, check, checkpoint, prune."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError, NotFoundError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.audit_keys import MAKE_ONE, AuditKeys
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.audit_types import AUDIT_TYPES
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.audit_heads import check_head, make_head, require_head

Request = dict[str, Any]
Answer = dict[str, Any]


def answer_audit(store: Store, request: Request) -> Answer:
    """The answer to one request; ``ok`` is whether the chain is whole, with ``problem`` when it is not."""
    verbs: dict[str, Callable[[Store, Request, AuditKeys | None], Answer]] = {
        "verify": _verify,
        "list": _list,
        "export": _export,
        "check": _check,
        "checkpoint": _checkpoint,
        "prune": _prune,
    }
    verb = verbs.get(str(request["audit"]))
    if verb is None:
        raise NotFoundError(f"Unknown question {request['audit']}", hint=f"One of: {', '.join(verbs)}")
    store.require_schema()
    path = request.get("key_file")
    return verb(store, request, AuditKeys.load(str(path)) if path else None)


def _verify(store: Store, request: Request, keys: AuditKeys | None) -> Answer:
    began = time.monotonic()
    answer = store.audit.verify(keys, older=request.get("older"))
    return {**answer, "seconds": round(time.monotonic() - began, 3)}


def _list(store: Store, request: Request, _keys: AuditKeys | None) -> Answer:
    kind = request.get("type")
    if kind is not None and kind not in AUDIT_TYPES:
        hint = f"One of: {', '.join(AUDIT_TYPES)}"
        raise ValidationError(
            f"audit_type: {str(kind)[:80]!r} is not a type of the audit", hint=hint, context={"option": "audit_type", "value": str(kind)[:80]}
        )
    wanted = {name: request.get(name) for name in ("type", "fraise", "environment", "deployment", "host")}
    return {"ok": True, "rows": store.audit.latest(int(request["limit"]), **wanted)}


def _export(store: Store, request: Request, keys: AuditKeys | None) -> Answer:
    """The head as a document; of a chain that is broken there is none to keep."""
    answer = _verify(store, request, keys)
    return {**answer, "head": make_head(answer, store.audit.now(), store.label, keys) if answer["ok"] else None}


def _check(store: Store, request: Request, keys: AuditKeys | None) -> Answer:
    """Is an exported head still in the chain, and the chain whole?"""
    head = require_head(request["head"])
    answer = _verify(store, request, keys)
    if not answer["ok"]:
        return answer
    problem, signed = check_head(store.audit, head, answer, keys)
    return {**answer, "ok": problem is None, "problem": problem.to_dict() if problem else None, "head": head, "signed": signed}


def _checkpoint(store: Store, request: Request, keys: AuditKeys | None) -> Answer:
    signing = _signing(keys)
    answer = _verify(store, request, keys)
    if not answer["ok"]:
        return answer
    place = {"position": answer["position"], "hash": answer["hash"], "rows": answer["rows"]}
    if request["check"]:
        return {**answer, "checkpoint": {**place, "made": True}, "check": True}
    made = store.audit.checkpoint(place, signing, run=str(request["run"]), by=str(request["by"]))
    return {**answer, "checkpoint": made, "check": False}


def _prune(store: Store, request: Request, keys: AuditKeys | None) -> Answer:
    """Forget what is older than keep_days, behind a checkpoint; nothing of a chain that is broken."""
    signing = _signing(keys)
    answer = _verify(store, {**request, "older": int(request["keep_days"])}, keys)
    old = answer["old"]
    if not answer["ok"] or request["check"] or not old["rows"]:
        return {**answer, "removed": 0, "would": old["rows"], "check": bool(request["check"])}
    run, by = str(request["run"]), str(request["by"])
    made = store.audit.checkpoint(old, signing, run=run, by=by)
    removed = store.audit.prune(int(old["position"]), run=run, by=by)
    after = _verify(store, {}, keys)
    return {**after, "checkpoint": made, "removed": removed, "would": removed, "check": False}


def _signing(keys: AuditKeys | None) -> AuditKeys:
    if keys is None:
        hint = f"{MAKE_ONE}; then -e audit_key_file=audit-key.pem, or FRAISIER_AUDIT_KEY_FILE in the environment"
        raise ConfigurationError("A checkpoint is signed, and no key is named", hint=hint, context={"option": "audit_key_file", "value": None})
    keys.require_private()
    return keys
