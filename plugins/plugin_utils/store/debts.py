# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts owe: a success that left them behind notes it, a later one that reaches them settles it. And what the fleet has, against which that is held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, insert, select, update
from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.rows import find_pair
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import Event
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import HOST_LIMIT, bounded, mapping

debt = tables.owed_host
deployment = tables.deployment
host_row = tables.deployment_host
GONE = "no longer in the inventory"


def _of_pair(table: Any, fraise_key: Any, environment_key: Any) -> ColumnElement[bool]:
    matches: ColumnElement[bool] = (table.c.fk_fraise == fraise_key) & (table.c.fk_environment == environment_key)
    return matches


# -- from a deployment's end to debts ---------------------------------------------------------------------------------------------------------


def note_end(connection: Connection, row: Row[Any], event: Event) -> None:
    """Debts that the end of the deployment ``row`` makes and settles: ``owed`` (host to reason) and ``reached`` (hosts) in its closing event.

    Only a success counts, and only one that brought what the fleet has: a whole deployment says what that is, a part may agree with it. The pair's
    lock row is held by the caller. An end that comes late, from a spool, changes nothing that a later deployment has said.
    """
    owed, reached = mapping(event.data.get("owed")), event.data.get("reached")
    hosts = {bounded(name, HOST_LIMIT) for name in reached} if isinstance(reached, list) else set()
    if not owed and not hosts:
        return
    if connection.execute(select(deployment.c.status).where(deployment.c.pk_deployment == row.pk_deployment)).scalar_one() != "success":
        return
    fleet = connection.execute(_last_whole(row.fk_fraise, row.fk_environment)).first()
    whole = row.scope == "whole"
    if fleet is None or (fleet.number > row.number if whole else fleet.version != row.version):
        return
    _settle(connection, row, event, hosts, whole)
    standing = {owing.host: owing for owing in _open_debts(connection, row)}
    for name, reason in owed.items():
        host = bounded(name, HOST_LIMIT)
        if not _reached_since(connection, row, host):
            _owe(connection, row, event, host, bounded(reason), standing.get(host))


def _last_whole(fraise_key: int, environment_key: int) -> Select[Any]:
    """The newest success that covered the whole group."""
    wanted = _of_pair(deployment, fraise_key, environment_key) & (deployment.c.status == "success") & (deployment.c.scope == "whole")
    return (
        select(deployment.c.pk_deployment, deployment.c.number, deployment.c.version, deployment.c.identifier)
        .where(wanted)
        .order_by(deployment.c.number.desc())
        .limit(1)
    )


def _settle(connection: Connection, row: Row[Any], event: Event, reached: set[str], whole: bool) -> None:
    members = {name for (name,) in connection.execute(select(host_row.c.host).where(host_row.c.fk_deployment == row.pk_deployment))} if whole else set()
    for owing in _open_debts(connection, row):
        if owing.number is not None and owing.number > row.number:
            continue
        if owing.host in reached:
            settled_by = str(row.identifier)
        elif whole and owing.host not in members:
            settled_by = f"{row.identifier}: {GONE}"
        else:
            continue
        values = {"settled_at": event.at, "settled_by": bounded(settled_by, 300)}
        connection.execute(update(debt).where(debt.c.pk_owed_host == owing.pk_owed_host).values(**values))


def _open_debts(connection: Connection, row: Row[Any]) -> list[Row[Any]]:
    query = (
        select(debt.c.pk_owed_host, debt.c.host, debt.c.version, deployment.c.number)
        .outerjoin(deployment, deployment.c.pk_deployment == debt.c.fk_deployment)
        .where(_of_pair(debt, row.fk_fraise, row.fk_environment), debt.c.settled_at.is_(None))
    )
    return list(connection.execute(query))


def _owe(connection: Connection, row: Row[Any], event: Event, host: str, reason: str, standing: Row[Any] | None) -> None:
    """One host's debt: a new one, or the ``standing`` one that now is for this version; ``since`` stays the moment from which it has been behind."""
    if standing is not None:
        if standing.number is None or standing.number <= row.number:
            changes = {"version": row.version, "reason": reason, "fk_deployment": row.pk_deployment}
            connection.execute(update(debt).where(debt.c.pk_owed_host == standing.pk_owed_host).values(**changes))
        return
    values = {
        "id": uuid7(),
        "identifier": f"{row.identifier}:{host}",
        "fk_fraise": row.fk_fraise,
        "fk_environment": row.fk_environment,
        "fk_deployment": row.pk_deployment,
        "host": host,
        "version": row.version,
        "reason": reason,
        "since": event.at,
    }
    connection.execute(insert(debt).values(**values))


def _reached_since(connection: Connection, row: Row[Any], host: str) -> bool:
    """Whether a later success has brought the host to this version already."""
    query = (
        select(host_row.c.pk_deployment_host)
        .join(deployment, deployment.c.pk_deployment == host_row.c.fk_deployment)
        .where(
            _of_pair(deployment, row.fk_fraise, row.fk_environment),
            deployment.c.number > row.number,
            deployment.c.status == "success",
            deployment.c.version == row.version,
            host_row.c.host == host,
            host_row.c.state == "active",
        )
        .limit(1)
    )
    return connection.execute(query).first() is not None


# -- questions --------------------------------------------------------------------------------------------------------------------------------


def owed_hosts(connection: Connection, fraise: str | None, environment: str | None) -> list[dict[str, Any]]:
    """Open debts: fraise, environment, host, version owed, reason, since, deployment that left it behind last."""
    query = (
        select(
            tables.fraise.c.identifier.label("fraise"),
            tables.environment.c.identifier.label("environment"),
            debt.c.host,
            debt.c.version,
            debt.c.reason,
            debt.c.since,
            deployment.c.identifier.label("deployment"),
        )
        .select_from(debt)
        .join(tables.fraise, tables.fraise.c.pk_fraise == debt.c.fk_fraise)
        .join(tables.environment, tables.environment.c.pk_environment == debt.c.fk_environment)
        .outerjoin(deployment, deployment.c.pk_deployment == debt.c.fk_deployment)
        .where(debt.c.settled_at.is_(None))
        .order_by(tables.fraise.c.identifier, tables.environment.c.identifier, debt.c.host)
    )
    if fraise is not None:
        query = query.where(tables.fraise.c.identifier == fraise)
    if environment is not None:
        query = query.where(tables.environment.c.identifier == environment)
    return [dict(row) for row in connection.execute(query).mappings()]


def recorded_versions(connection: Connection, fraise: str, environment: str) -> Mapping[str, str | None]:
    """Every host that a deployment of the pair ever named, with the version it was last heard to serve (nothing when it never was)."""
    pair = find_pair(connection, fraise, environment)
    if pair is None:
        return {}
    ours = _of_pair(deployment, pair.fk_fraise, pair.fk_environment)
    heard = func.max(deployment.c.number).label("number")
    joined = host_row.join(deployment, deployment.c.pk_deployment == host_row.c.fk_deployment)
    newest = select(host_row.c.host, heard).select_from(joined).where(ours, host_row.c.version_after.is_not(None)).group_by(host_row.c.host).subquery()
    last = (newest.c.host == host_row.c.host) & (newest.c.number == deployment.c.number)
    found = {name: None for (name,) in connection.execute(select(host_row.c.host).select_from(joined).where(ours).distinct())}
    query = select(host_row.c.host, host_row.c.version_after).select_from(joined.join(newest, last)).where(ours)
    return {**found, **{row.host: row.version_after for row in connection.execute(query)}}


# -- figures ----------------------------------------------------------------------------------------------------------------------------------


def figures(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """For each pair that was ever deployed: how many hosts owe, and whether its hosts are recorded on different versions (1 or 0)."""
    rows = _fleet_versions(connection)
    lock, named = tables.lock, (tables.fraise.c.identifier.label("fraise"), tables.environment.c.identifier.label("environment"))
    owing = func.count(debt.c.pk_owed_host).label("owing")
    open_debt = _of_pair(debt, lock.c.fk_fraise, lock.c.fk_environment) & debt.c.settled_at.is_(None)
    query = (
        select(*named, lock.c.fk_fraise, lock.c.fk_environment, owing)
        .select_from(lock)
        .join(tables.fraise, tables.fraise.c.pk_fraise == lock.c.fk_fraise)
        .join(tables.environment, tables.environment.c.pk_environment == lock.c.fk_environment)
        .outerjoin(debt, open_debt)
        .group_by(*named, lock.c.fk_fraise, lock.c.fk_environment)
    )
    pairs = list(connection.execute(query))
    labels = [{"fraise": pair.fraise, "environment": pair.environment} for pair in pairs]
    return {
        "owed_hosts": [{**label, "value": int(pair.owing)} for label, pair in zip(labels, pairs, strict=True)],
        "mixed_fleet": [{**label, "value": int(rows.get((pair.fk_fraise, pair.fk_environment), 0) > 1)} for label, pair in zip(labels, pairs, strict=True)],
    }


def _fleet_versions(connection: Connection) -> dict[tuple[int, int], int]:
    """Pair to the number of different versions that its hosts were last heard to serve.

    Its hosts are those of the newest success that covered the whole group and of what came after: others have left the inventory.
    """
    pair = (deployment.c.fk_fraise, deployment.c.fk_environment)
    joined = host_row.join(deployment, deployment.c.pk_deployment == host_row.c.fk_deployment)
    good = (
        select(*pair, func.max(deployment.c.number).label("number"))
        .where(deployment.c.status == "success", deployment.c.scope == "whole")
        .group_by(*pair)
        .subquery()
    )
    same_pair = _of_pair(good, deployment.c.fk_fraise, deployment.c.fk_environment)
    members = (
        select(*pair, host_row.c.host)
        .select_from(joined.outerjoin(good, same_pair))
        .where(good.c.number.is_(None) | (deployment.c.number >= good.c.number))
        .distinct()
        .subquery()
    )
    heard = (
        select(*pair, host_row.c.host, func.max(deployment.c.number).label("number"))
        .select_from(joined)
        .where(host_row.c.version_after.is_not(None))
        .group_by(*pair, host_row.c.host)
        .subquery()
    )
    last = _of_pair(heard, *pair) & (heard.c.host == host_row.c.host) & (heard.c.number == deployment.c.number)
    member = _of_pair(members, *pair) & (members.c.host == host_row.c.host)
    versions = func.count(host_row.c.version_after.distinct()).label("versions")
    query = select(*pair, versions).select_from(joined.join(heard, last).join(members, member)).group_by(*pair)
    return {(row.fk_fraise, row.fk_environment): int(row.versions) for row in connection.execute(query)}
