# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Step rows (intent and outcome), their health checks, and the releases that staging makes known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection, Row

from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.rows import insert_missing
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import Event
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import NAME_LIMIT, bounded, document, mapping, number, optional, whole

table = tables.step
CHECK_LIMIT = 200
"""Health checks kept of one step."""


def _find(connection: Connection, deployment_key: int, name: str) -> Row[Any] | None:
    return connection.execute(select(table).where(table.c.fk_deployment == deployment_key, table.c.identifier == name)).one_or_none()


def _insert(connection: Connection, deployment_key: int, host_key: int, name: str, values: Mapping[str, Any]) -> None:
    keys = {"id": uuid7(), "identifier": name, "fk_deployment": deployment_key, "fk_deployment_host": host_key}
    connection.execute(insert(table).values(**keys, **values))


def intend(connection: Connection, deployment_key: int, host_key: int, name: str, event: Event) -> None:
    """The step is about to be done. When its outcome came before this word, that stays."""
    data = event.data
    values = {
        "step": bounded(data.get("step"), 32),
        "attempt": whole(data.get("attempt")),
        "batch": whole(data.get("batch")),
        "target_version": optional(data.get("target"), NAME_LIMIT),
        "started_at": event.at,
    }
    found = _find(connection, deployment_key, name)
    if found is None:
        _insert(connection, deployment_key, host_key, name, values)
        return
    if found.finished_at is not None:
        values["duration_seconds"] = max(0.0, (found.finished_at - event.at).total_seconds())
    connection.execute(update(table).where(table.c.pk_step == found.pk_step).values(**values))


def conclude(connection: Connection, deployment_key: int, host_key: int, name: str, event: Event) -> Row[Any]:
    """The step has ended; its row as it is then."""
    data, error = event.data, mapping(event.data.get("error"))
    changed = data.get("changed")
    values: dict[str, Any] = {
        "finished_at": event.at,
        "outcome": bounded(data.get("outcome"), 32),
        "changed": changed if isinstance(changed, bool) else None,
        "error_code": optional(error.get("code"), 64),
        "error_category": optional(error.get("category"), 32),
        "error_message": optional(error.get("message")),
        "timings": document(data.get("timings"), 16384),
    }
    found = _find(connection, deployment_key, name)
    if found is None:
        _insert(connection, deployment_key, host_key, name, {"step": bounded(data.get("step"), 32), **values})
    else:
        if found.started_at is not None:
            values["duration_seconds"] = max(0.0, (event.at - found.started_at).total_seconds())
        connection.execute(update(table).where(table.c.pk_step == found.pk_step).values(**values))
    return connection.execute(select(table).where(table.c.fk_deployment == deployment_key, table.c.identifier == name)).one()


def store_checks(connection: Connection, deployment_key: int, host_key: int, step: Row[Any], event: Event) -> None:
    """One row for each health check that the step reports; an outcome told twice under two events does not double them."""
    checks = mapping(event.data.get("health")).get("checks")
    if not isinstance(checks, list) or not checks:
        return
    health_check = tables.health_check
    if connection.execute(select(health_check.c.pk_health_check).where(health_check.c.fk_step == step.pk_step).limit(1)).first() is not None:
        return
    rows = [
        {
            "id": uuid7(),
            "identifier": f"{step.identifier}:{position}",
            "fk_deployment": deployment_key,
            "fk_deployment_host": host_key,
            "fk_step": step.pk_step,
            "number": position,
            "check_type": bounded(check.get("type") or "unknown", 32),
            "target": bounded(check.get("target")),
            "status": "pass" if check.get("ok") is True else "fail",
            "attempts": whole(check.get("attempts")),
            "duration_seconds": number(check.get("duration")),
            "message": optional(check.get("message")),
            "checked_at": event.at,
        }
        for position, check in enumerate(map(mapping, checks[:CHECK_LIMIT]))
    ]
    connection.execute(insert(health_check), rows)


def note_release(connection: Connection, fraise_key: int, event: Event, version: str) -> None:
    """A release that a host has staged: a fraise's version and digest, once for the whole fleet."""
    release = mapping(event.data.get("release"))
    digest = optional(release.get("digest"), 200)
    if digest is None or event.data.get("outcome") not in ("ok", "unchanged"):
        return
    name = bounded(release.get("version") or version, NAME_LIMIT)
    table = tables.release
    here = (table.c.fk_fraise == fraise_key, table.c.version == name, table.c.digest == digest)
    found = connection.execute(select(table.c.pk_release, table.c.last_staged_at).where(*here)).one_or_none()
    if found is None:
        _insert_release(connection, fraise_key, name, digest, event)
    elif event.at > found.last_staged_at:
        connection.execute(update(table).where(table.c.pk_release == found.pk_release).values(last_staged_at=event.at))


def _insert_release(connection: Connection, fraise_key: int, version: str, digest: str, event: Event) -> None:
    fraise = connection.execute(select(tables.fraise.c.identifier).where(tables.fraise.c.pk_fraise == fraise_key)).scalar_one()
    row = {"fk_fraise": fraise_key, "version": version, "digest": digest, "first_staged_at": event.at, "last_staged_at": event.at}
    insert_missing(connection, tables.release, [{"id": uuid7(), "identifier": f"{fraise}:{version}:{digest}", **row}])
