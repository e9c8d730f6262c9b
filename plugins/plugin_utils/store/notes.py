# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events that the store writes itself, in the transaction of what they tell of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.chain import Deed, remember
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import document

SOURCE = "store"
"""The source of the events that the store itself writes."""


def note(connection: Connection, run: str, kind: str, data: Mapping[str, Any], now: datetime, *, key: int | None = None, deployment: str | None = None) -> None:
    """An event of the store's own, of the run ``run``; ``key`` and ``deployment`` (a UUID) when it belongs to a deployment.

    The next number is free: a run's own events come from one process, those of a run that is dead are written under its pair's lock.
    """
    event = tables.event
    seq = connection.execute(select(func.coalesce(func.max(event.c.seq), 0) + 1).where(event.c.run == run, event.c.source == SOURCE)).scalar_one()
    unique, identifier, told = uuid7(), f"{run}:{SOURCE}:{seq}", document(data)
    connection.execute(
        insert(event).values(
            id=unique,
            identifier=identifier,
            fk_deployment=key,
            run=run,
            source=SOURCE,
            seq=seq,
            at=now,
            stored_at=now,
            type=kind,
            deployment=deployment,
            data=told,
        )
    )
    remember(connection, Deed(unique, identifier, now, kind, told, deployment))
