# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The head of the audit as a document to keep elsewhere: who has it can tell later whether the chain before it was cut off or written anew."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.audit import Audit, Keys, head_payload
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.chain_walk import Problem

KIND = "fraisier.deploy audit head"
FORMAT = 1
_HASH = re.compile(r"[0-9a-f]{64}")


def make_head(answer: Mapping[str, Any], at: str, store: str, keys: Keys | None) -> dict[str, Any]:
    """The document: {kind, format, store, position, hash, at, key_id, signature}; unsigned (both None) without a private key."""
    signing = keys if keys is not None and keys.key_id is not None else None
    head = {"kind": KIND, "format": FORMAT, "store": store, "position": answer["position"], "hash": answer["hash"], "at": at}
    head |= {"key_id": signing.key_id if signing else None}
    return {**head, "signature": signing.sign(head_payload(head)) if signing else None}


def require_head(value: Any) -> dict[str, Any]:
    """``value`` when it is an exported head; else ValidationError."""
    whole = isinstance(value, Mapping) and value.get("kind") == KIND and value.get("format") == FORMAT
    if whole:
        position, digest = value.get("position"), value.get("hash")
        whole = isinstance(position, int) and not isinstance(position, bool) and 0 <= position < 2**62
        whole = whole and isinstance(digest, str) and bool(_HASH.fullmatch(digest)) and isinstance(value.get("at"), str)
        whole = whole and all(value.get(name) is None or isinstance(value[name], str) for name in ("key_id", "signature"))
    if not whole:
        raise ValidationError(
            "audit_file: what it holds is not an exported head of an audit",
            hint="Name a file that fraisier.deploy.audit -e audit=export wrote",
            context={"option": "audit_file", "value": None},
        )
    return {name: value.get(name) for name in ("kind", "format", "store", "position", "hash", "at", "key_id", "signature")}


def check_head(audit: Audit, head: Mapping[str, Any], found: Mapping[str, Any], keys: Keys | None) -> tuple[Problem | None, bool | None]:
    """What is wrong with the chain by an exported head (or nothing), and whether its signature was proved (nothing: not looked at).

    ``found`` is the answer of a walk that found the chain whole.
    """
    position = int(head["position"])
    proved = None
    if keys is not None:
        signature, key = head["signature"], head["key_id"]
        proved = keys.holds(str(key), head_payload(head), signature) if signature and key else False
        if not proved:
            why = "bears no signature" if not signature else "is signed with a key that is not in the key file" if proved is None else "bears a false signature"
            return Problem(position, "signature", f"the exported head {why}"), False
    if position > found["position"]:
        return Problem(found["position"] + 1, "tail", f"the chain ends at row {found['position']}, and row {position} was exported at {head['at']}"), proved
    digest = audit.hash_at(position)
    if digest is None:
        text = f"row {position}, the exported one, was forgotten behind a checkpoint since: export the head again after each prune"
        return Problem(position, "forgotten", text), proved
    if digest != head["hash"]:
        return Problem(position, "changed", f"row {position} is not the one that was exported at {head['at']}: the chain up to it was written anew"), proved
    return None, proved
