# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adding to the audit: deeds are remembered while a transaction goes on and added to the chain as its last act.

So the head of the chain, for which all controllers queue, is locked after every other row and only for a moment, and one transaction adds all its rows at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection, Row

from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.audit_types import audit_type
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.rows import insert_missing
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import format_time
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import HOST_LIMIT, NAME_LIMIT, bounded, optional

GENESIS = "0" * 64
"""What the first row names as the hash before it."""
HEAD_NAME = "chain"
CHUNK = 400
"""Rows in one statement."""
_PENDING = "fraisier_audit_pending"
_NAMES = "fraisier_audit_names"
MOST_NAMES = 256


@dataclass(frozen=True)
class Deed:
    """What is to be audited: mostly an event, with its row's ``id`` and ``identifier``. ``data`` is storable; ``deployment`` a UUID."""

    id: str
    identifier: str
    at: datetime
    event: str
    data: Mapping[str, Any]
    deployment: str | None = None
    host: str | None = None


@dataclass(frozen=True)
class _Names:
    deployment: str
    fraise: str | None
    environment: str | None
    user: str


def canonical(values: Mapping[str, Any]) -> str:
    """The one spelling of a row's content: sorted keys, no spaces, readable characters."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def chained(previous_hash: str, body: str) -> str:
    """The hash of a row that follows the row with ``previous_hash``."""
    return hashlib.sha256(f"{previous_hash}\n{body}".encode()).hexdigest()


def begin(connection: Connection) -> None:
    """Forget what an attempt that failed had remembered."""
    connection.info.pop(_PENDING, None)


def remember(connection: Connection, deed: Deed) -> None:
    """Add this to the audit at the end of the transaction, if it belongs there."""
    kind = audit_type(deed.event, deed.data)
    if kind is not None:
        connection.info.setdefault(_PENDING, []).append((kind, deed))


def end(connection: Connection) -> None:
    """Add what was remembered to the chain; the caller commits."""
    pending: list[tuple[str, Deed]] = connection.info.pop(_PENDING, [])
    if not pending:
        return
    names = _names(connection, {deed.deployment for _kind, deed in pending if deed.deployment is not None})
    head = lock_head(connection)
    position, last = int(head.position), str(head.hash)
    rows = []
    for kind, deed in pending:
        position += 1
        row = _row(position, kind, deed, names)
        row |= {"previous_hash": last, "hash": (last := chained(last, row["body"]))}
        rows.append(row)
    for start in range(0, len(rows), CHUNK):
        connection.execute(insert(tables.audit), rows[start : start + CHUNK])
    here = tables.audit_head.c.pk_audit_head == head.pk_audit_head
    connection.execute(update(tables.audit_head).where(here).values(position=position, hash=last))


def lock_head(connection: Connection) -> Row[Any]:
    """The end of the chain, held until this transaction ends; made when it is not there yet."""
    query = select(tables.audit_head).where(tables.audit_head.c.identifier == HEAD_NAME).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        insert_missing(connection, tables.audit_head, [{"id": uuid7(), "identifier": HEAD_NAME, "position": 0, "hash": GENESIS}])
        row = connection.execute(query).one()
    return row


def _row(position: int, kind: str, deed: Deed, names: Mapping[str, _Names]) -> dict[str, Any]:
    known = names.get(deed.deployment) if deed.deployment is not None else None
    columns: dict[str, Any] = {
        "id": deed.id,
        "identifier": deed.identifier,
        "position": position,
        "type": kind,
        "event": deed.event,
        "actor": bounded(actor(deed.data) or (known.user if known else ""), 255),
        "fraise": known.fraise if known else optional(deed.data.get("fraise"), NAME_LIMIT),
        "environment": known.environment if known else optional(deed.data.get("environment"), NAME_LIMIT),
        "deployment": known.deployment if known else deed.deployment,
        "host": optional(deed.host, HOST_LIMIT),
    }
    body = canonical({**columns, "at": format_time(deed.at), "data": deed.data})
    return {**columns, "at": deed.at, "body": body}


def actor(data: Mapping[str, Any]) -> str:
    """Who did it, by the event's own words."""
    by = data.get("by")
    if by:
        return str(by)
    user, controller = data.get("user"), data.get("controller")
    return f"{user}@{controller}" if user and controller else str(user or "")


def _names(connection: Connection, wanted: Iterable[str]) -> dict[str, _Names]:
    """How people call these deployments (UUIDs). It never changes, so a connection remembers it."""
    known: dict[str, _Names] = connection.info.setdefault(_NAMES, {})
    missing = sorted(set(wanted) - set(known))
    if missing:
        if len(known) + len(missing) > MOST_NAMES:
            known.clear()
            missing = sorted(set(wanted))
        for start in range(0, len(missing), CHUNK):
            known.update(
                {row.id: _Names(row.identifier, row.fraise, row.environment, row.user_name) for row in _named(connection, missing[start : start + CHUNK])}
            )
    return known


def _named(connection: Connection, deployments: Sequence[str]) -> Sequence[Row[Any]]:
    deployment = tables.deployment
    columns = (deployment.c.id, deployment.c.identifier, deployment.c.user_name)
    names = tables.fraise.c.identifier.label("fraise"), tables.environment.c.identifier.label("environment")
    return connection.execute(
        select(*columns, *names)
        .join(tables.fraise, tables.fraise.c.pk_fraise == deployment.c.fk_fraise)
        .join(tables.environment, tables.environment.c.pk_environment == deployment.c.fk_environment)
        .where(deployment.c.id.in_(deployments))
    ).all()
