# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sums for the exporter: counted by the database, so that they outlive every run."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, literal, or_, select, true
from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import debts, holds, tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import OPEN_STATUSES

DEPLOYMENT_BOUNDS = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
CHECK_BOUNDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
AMOUNTS = ("value", "buckets", "count", "sum")
deployment = tables.deployment


PRUNED = "store.pruned"
"""The event of a prune: ``figures`` in its data are what the counters had counted of the rows that are gone."""
Figures = dict[str, list[dict[str, Any]]]


def metrics_rows(connection: Connection) -> Figures:
    """Every figure by name: rows with their labels and ``value``; a histogram's rows with ``buckets`` (bound -> cumulated count), ``count`` and ``sum``."""
    query = select(tables.event.c.data).where(tables.event.c.fk_deployment.is_(None), tables.event.c.type == PRUNED)
    pruned = [figures for data in connection.execute(query).scalars() if isinstance(figures := data.get("figures"), dict)]
    return {
        **added(counted(connection, true()), *pruned),
        "active_deployments": _counted(connection, _active()),
        **debts.figures(connection),
        **holds.figures(connection),
    }


def counted(connection: Connection, which: ColumnElement[bool]) -> Figures:
    """What only ever grows, of those deployments: plain values that JSON keeps."""
    return {
        "deployments": _counted(connection, _deployments(which)),
        "deployment_durations": _durations(connection, which),
        "deployment_errors": _counted(connection, _errors(which)),
        "rollbacks": _counted(connection, _rollbacks(which)),
        "health_checks": _counted(connection, _checks(which)),
        "health_check_durations": _check_durations(connection, which),
    }


def added(first: Figures, *others: Figures) -> Figures:
    """Figures of the same name and labels added up. Pure."""
    sums: dict[str, dict[Any, dict[str, Any]]] = {name: {} for name in first}
    for figures in (first, *others):
        for name, rows in figures.items():
            for row in rows:
                labels = tuple(sorted((key, value) for key, value in row.items() if key not in AMOUNTS))
                known = sums.setdefault(name, {}).get(labels)
                sums[name][labels] = _plus(known, row)
    return {name: list(rows.values()) for name, rows in sums.items()}


def _plus(known: dict[str, Any] | None, row: dict[str, Any]) -> dict[str, Any]:
    # A bound is a number here and text in JSON.
    fresh = {**row, "buckets": {float(bound): count for bound, count in row["buckets"].items()}} if "buckets" in row else dict(row)
    if known is not None and "buckets" in fresh:
        fresh["buckets"] = {bound: known["buckets"].get(bound, 0) + count for bound, count in fresh["buckets"].items()}
    if known is not None:
        fresh |= {name: known[name] + fresh[name] for name in ("value", "count", "sum") if name in fresh}
    if "sum" in fresh:
        # Moments are microseconds; what is beyond them differs with the order of adding, and a sum that shrinks looks like a restart.
        fresh["sum"] = round(fresh["sum"], 6)
    return fresh


def _counted(connection: Connection, query: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _deployments(which: ColumnElement[bool]) -> Select[Any]:
    labels = (
        tables.fraise.c.identifier.label("fraise"),
        tables.environment.c.identifier.label("environment"),
        deployment.c.provider,
        deployment.c.strategy,
        deployment.c.status,
        tables.fraise.c.type.label("fraise_type"),
    )
    return (
        select(*labels, func.count().label("value"))
        .select_from(deployment)
        .join(tables.fraise, tables.fraise.c.pk_fraise == deployment.c.fk_fraise)
        .join(tables.environment, tables.environment.c.pk_environment == deployment.c.fk_environment)
        .where(deployment.c.status.not_in(OPEN_STATUSES), which)
        .group_by(*labels)
    )


def _errors(which: ColumnElement[bool]) -> Select[Any]:
    labels = (deployment.c.provider, deployment.c.error_code.label("error_type"))
    return select(*labels, func.count().label("value")).where(deployment.c.error_code.is_not(None), which).group_by(*labels)


def _active() -> Select[Any]:
    """Providers that ever deployed, with 0 where nothing runs now: a gauge that vanishes looks like one that was never there."""
    running = func.count(case((deployment.c.status.in_(OPEN_STATUSES), 1)))
    return select(deployment.c.provider, running.label("value")).group_by(deployment.c.provider)


def _rollbacks(which: ColumnElement[bool]) -> Select[Any]:
    """``reason``: operator for a rollback that was asked for, else the error's code that led to the undo, in lower case."""
    reason = case((deployment.c.kind == "rollback", literal("operator")), else_=func.lower(func.coalesce(deployment.c.error_code, "unknown"))).label("reason")
    asked = (deployment.c.kind == "rollback") & deployment.c.status.not_in(OPEN_STATUSES)
    inner = select(deployment.c.provider, reason).where(which, or_(deployment.c.status.in_(("rolled_back", "rollback_failed")), asked)).subquery()
    return select(inner.c.provider, inner.c.reason, func.count().label("value")).group_by(inner.c.provider, inner.c.reason)


def _checks(which: ColumnElement[bool]) -> Select[Any]:
    check = tables.health_check
    labels = (deployment.c.provider, check.c.check_type, check.c.status)
    return (
        select(*labels, func.count().label("value"))
        .select_from(check)
        .join(deployment, deployment.c.pk_deployment == check.c.fk_deployment)
        .where(which)
        .group_by(*labels)
    )


def _buckets(value: ColumnElement[Any], bounds: tuple[float, ...]) -> list[Any]:
    return [func.count(case((value <= bound, 1))).label(f"le_{position}") for position, bound in enumerate(bounds)]


def _histogram(connection: Connection, query: Select[Any], bounds: tuple[float, ...]) -> list[dict[str, Any]]:
    rows = []
    for row in connection.execute(query).mappings():
        labels = {name: value for name, value in row.items() if not name.startswith("le_") and name not in ("count", "sum")}
        buckets = {bound: int(row[f"le_{position}"]) for position, bound in enumerate(bounds)}
        rows.append({**labels, "buckets": buckets, "count": int(row["count"]), "sum": float(row["sum"])})
    return rows


def _durations(connection: Connection, which: ColumnElement[bool]) -> list[dict[str, Any]]:
    value = deployment.c.duration_seconds
    labels = (deployment.c.provider, deployment.c.status)
    figures = (*_buckets(value, DEPLOYMENT_BOUNDS), func.count(value).label("count"), func.sum(value).label("sum"))
    closed = deployment.c.status.not_in(OPEN_STATUSES) & value.is_not(None)
    return _histogram(connection, select(*labels, *figures).where(closed, which).group_by(*labels), DEPLOYMENT_BOUNDS)


def _check_durations(connection: Connection, which: ColumnElement[bool]) -> list[dict[str, Any]]:
    check = tables.health_check
    value = check.c.duration_seconds
    labels = (deployment.c.provider, check.c.check_type)
    figures = (*_buckets(value, CHECK_BOUNDS), func.count(value).label("count"), func.sum(value).label("sum"))
    query = select(*labels, *figures).select_from(check).join(deployment, deployment.c.pk_deployment == check.c.fk_deployment)
    return _histogram(connection, query.where(value.is_not(None), which).group_by(*labels), CHECK_BOUNDS)
