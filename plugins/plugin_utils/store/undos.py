# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the end of a deployment leaves in the store, in the transaction that writes the end: holds, quarantines, or the end of a quarantine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import goods, holds, quarantines, tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.clock import read_clock
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import bounded, mapping, optional, whole

UNDONE = ("rolled_back", "rollback_failed")


def leave(connection: Connection, deployment: Any, left: Mapping[str, Any]) -> None:
    """Do what the closing event says (planning/aftermath.py) about a deployment (its row as it was opened, its end is written already)."""
    now = read_clock(connection)
    pair = pair_name(connection, deployment)
    if "lift" in left:
        quarantines.lift(connection, deployment, _texts(left["lift"]), now)
    if left.get("hold"):
        holds.place_after(connection, deployment, pair, holds.UNDO, f"{deployment.identifier} was undone: {bounded(left['hold'])}", now)
    bad = mapping(left.get("quarantine"))
    if bad:
        blamed = to_blame(connection, pair, deployment.version, _texts(bad.get("digests")))
        quarantines.place(connection, deployment, blamed, str(bad.get("reason")), optional(bad.get("error_code"), 64), now)
    limit = whole(left.get("undo_limit")) or 0
    if limit > 0 and (count := undos_in_a_row(connection, deployment)) >= limit:
        holds.place_after(connection, deployment, pair, holds.REPEATED_UNDO, f"{count} deployments in a row were undone, {deployment.identifier} the last", now)


def pair_name(connection: Connection, deployment: Any) -> str:
    """fraise:environment."""
    pair = (tables.lock.c.fk_fraise == deployment.fk_fraise, tables.lock.c.fk_environment == deployment.fk_environment)
    return str(connection.execute(select(tables.lock.c.identifier).where(*pair)).scalar_one())


def to_blame(connection: Connection, pair: str, version: str, digests: Sequence[str]) -> list[str | None]:
    """Digests to quarantine; one None for the version alone, when no host told a digest.

    What the fleet runs is not to blame: this run of it was undone, and a catch-up or a rollback must find it.
    """
    fraise, _colon, environment = pair.partition(":")
    good = goods.last_good(connection, fraise, environment)
    if not digests:
        return [] if good is not None and good.version == version else [None]
    return [digest for digest in digests if good is None or digest != good.digest]


def undos_in_a_row(connection: Connection, deployment: Any) -> int:
    """How many deployments of the pair were undone since one last ended well, or since a person lifted the hold that such a row had brought."""
    table, hold = tables.deployment, tables.hold
    here = (table.c.fk_fraise == deployment.fk_fraise, table.c.fk_environment == deployment.fk_environment, table.c.kind == "deploy")
    good = connection.execute(select(func.max(table.c.number)).where(*here, table.c.status == "success")).scalar_one() or 0
    forgiven = connection.execute(
        select(func.max(table.c.number))
        .join(hold, hold.c.fk_deployment == table.c.pk_deployment)
        .where(*here, hold.c.kind == holds.REPEATED_UNDO, hold.c.lifted_at.is_not(None))
    ).scalar_one()
    since = max(good, forgiven or 0)
    return int(connection.execute(select(func.count()).select_from(table).where(*here, table.c.status.in_(UNDONE), table.c.number > since)).scalar_one())


def _texts(value: Any) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list | tuple) else []
