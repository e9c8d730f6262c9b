# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment's host rows learn from steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection, Row

from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import Event
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import HOST_LIMIT, NAME_LIMIT, bounded, mapping, optional, whole

table = tables.deployment_host
_DONE = ("ok", "unchanged")
_STATES = {"stage": "staged", "activate": "active", "revert": "undone"}
"""The state a host reaches by the good end of a step; other steps do not move it."""


def find(connection: Connection, deployment_key: int, identifier: str, host: str) -> Row[Any]:
    """The host's row, made when the host was not announced at the opening."""
    name = bounded(host, HOST_LIMIT)
    query = select(table).where(table.c.fk_deployment == deployment_key, table.c.host == name)
    found = connection.execute(query).one_or_none()
    if found is None:
        row = {"id": uuid7(), "identifier": f"{identifier}:{name}", "fk_deployment": deployment_key, "host": name, "state": "pending"}
        connection.execute(insert(table).values(**row))
        found = connection.execute(query).one()
    return found


def note_batch(connection: Connection, host: Row[Any], event: Event) -> None:
    """Which batch the host shifts in."""
    batch = whole(event.data.get("batch"))
    if batch is not None and host.batch != batch:
        connection.execute(update(table).where(table.c.pk_deployment_host == host.pk_deployment_host).values(batch=batch))


def observe(connection: Connection, host: Row[Any], event: Event, target_version: str) -> None:
    """Write what the end of a step tells about the host: its state, the version that serves there, the error."""
    changes = _learned(host, event, target_version)
    if host.observed_at is not None and event.at < host.observed_at:
        # A late word: it may fill what is not known yet, never overwrite what is newer.
        changes = {name: value for name, value in changes.items() if name not in ("state", "error_code", "error_message") and getattr(host, name) is None}
    else:
        changes["observed_at"] = event.at
    if changes:
        connection.execute(update(table).where(table.c.pk_deployment_host == host.pk_deployment_host).values(**changes))


def _learned(host: Row[Any], event: Event, target_version: str) -> dict[str, Any]:
    data = event.data
    step, outcome = str(data.get("step")), str(data.get("outcome"))
    release, error = mapping(data.get("release")), mapping(data.get("error"))
    changes: dict[str, Any] = {}
    if outcome in _DONE:
        if step in _STATES:
            changes["state"] = _STATES[step]
        if step in ("stage", "activate"):
            # An earlier failure of this host is over; after an undo the error stays, as the cause of it.
            changes |= {"error_code": None, "error_message": None}
            before = optional(release.get("current" if step == "stage" and "current" in release else "previous"), NAME_LIMIT)
            if host.version_before is None and before is not None:
                changes["version_before"] = before
        if step in ("activate", "revert"):
            changes["digest"] = optional(release.get("digest"), 200)
    elif outcome in ("failed", "unreachable", "reverted"):
        changes["state"] = outcome
        changes |= {"error_code": optional(error.get("code"), 64), "error_message": optional(error.get("message"))}
        if outcome == "reverted":
            changes["digest"] = None
    if step != "stage" and release:
        changes |= _serving(release, outcome, target_version)
    return changes


def _serving(release: Mapping[str, Any], outcome: str, target_version: str) -> dict[str, Any]:
    """The version that answers on the host after the step, as far as the provider tells."""
    if "current" in release:
        return {"version_after": optional(release["current"], NAME_LIMIT)}
    version, previous = optional(release.get("version"), NAME_LIMIT), optional(release.get("previous"), NAME_LIMIT)
    if outcome == "reverted" and version == target_version:
        # The release that was tried is the one that does not serve.
        version = previous
    return {"version_after": version} if version is not None and outcome in (*_DONE, "reverted") else {}
