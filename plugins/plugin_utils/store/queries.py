# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading: history, one deployment, status and fleet."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, Table, select
from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables, views
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.clock import read_clock


def _rows(connection: Connection, query: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _narrowed(view: Table, fraise: str | None, environment: str | None) -> Select[Any]:
    query = select(view)
    if fraise is not None:
        query = query.where(view.c.fraise == fraise)
    if environment is not None:
        query = query.where(view.c.environment == environment)
    return query


def history(connection: Connection, fraise: str | None, environment: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest ``limit`` deployments, newest first."""
    view = views.deployment_history
    return _rows(connection, _narrowed(view, fraise, environment).order_by(view.c.started_at.desc(), view.c.number.desc()).limit(limit))


def status(connection: Connection, fraise: str | None, environment: str | None) -> list[dict[str, Any]]:
    """One row for each pair; ``locked`` says whether somebody has its lock now (a lease that has ended holds nothing)."""
    view = views.fraise_status
    rows = _rows(connection, _narrowed(view, fraise, environment).order_by(view.c.fraise, view.c.environment))
    now = read_clock(connection)
    for row in rows:
        row["locked"] = row["lock_expires_at"] is not None and row["lock_expires_at"] > now
    return rows


def fleet(connection: Connection, fraise: str | None, environment: str | None) -> list[dict[str, Any]]:
    """Which host runs what, as last heard."""
    view = views.fleet
    return _rows(connection, _narrowed(view, fraise, environment).order_by(view.c.fraise, view.c.environment, view.c.host))


def deployment(connection: Connection, name: str) -> dict[str, Any] | None:
    """One deployment by identifier or UUID, with its plan, options, error, ``hosts``, ``steps``, ``checks`` and ``commands``; nothing when there is none."""
    view, table = views.deployment_history, tables.deployment
    by_id = len(name) == 36 and ":" not in name
    key = select(table.c.pk_deployment, table.c.id, table.c.plan, table.c.options, table.c.error)
    row = connection.execute(key.where(table.c.id == name if by_id else table.c.identifier == name)).one_or_none()
    if row is None:
        return None
    found = _rows(connection, select(view).where(view.c.id == row.id))[0]
    host, step, check, command = tables.deployment_host, tables.step, tables.health_check, tables.command
    of_host = host.c.pk_deployment_host
    hosts = select(*_told(host)).where(host.c.fk_deployment == row.pk_deployment).order_by(host.c.host)
    steps = select(host.c.host, *_told(step)).join(host, of_host == step.c.fk_deployment_host).where(step.c.fk_deployment == row.pk_deployment)
    checks = (
        select(host.c.host, step.c.step, step.c.identifier.label("step_id"), *_told(check))
        .join(step, step.c.pk_step == check.c.fk_step)
        .join(host, of_host == check.c.fk_deployment_host)
        .where(check.c.fk_deployment == row.pk_deployment)
    )
    return {
        **found,
        "plan": row.plan,
        "options": row.options,
        "error": row.error,
        "hosts": _rows(connection, hosts),
        "steps": _rows(connection, steps.order_by(step.c.pk_step)),
        "checks": _rows(connection, checks.order_by(check.c.pk_health_check)),
        "commands": _rows(connection, select(*_told(command)).where(command.c.fk_deployment == row.pk_deployment).order_by(command.c.pk_command)),
    }


def _told(table: Table) -> list[Any]:
    """A table's columns without internal keys; a step's identifier is called what events call it."""
    told: list[Any] = []
    for column in table.columns:
        if column.name == "identifier" and table is tables.step:
            told.append(column.label("step_id"))
        elif column.name != "id" and not column.name.startswith(("pk_", "fk_")):
            told.append(column)
    return told


def options_before_and_of(connection: Connection, identifier: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of the deployment of the same pair that came before the one with this UUID ({} for the first one), and its own."""
    table = tables.deployment
    own = connection.execute(select(table).where(table.c.id == identifier)).one()
    before = (
        select(table.c.options)
        .where(
            table.c.fk_fraise == own.fk_fraise,
            table.c.fk_environment == own.fk_environment,
            table.c.number < own.number,
            table.c.kind != "recover",  # it takes over what was planned before
        )
        .order_by(table.c.number.desc())
        .limit(1)
    )
    return dict(connection.execute(before).scalar_one_or_none() or {}), dict(own.options)
