# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators ask of a running deployment: written by their run, read and obeyed by the deployment's recorder."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection, Row

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NoOpenDeploymentError, NotFoundError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.orders import NOT_OBEYED, nothing_new
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.clock import read_clock
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.notes import note
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.rows import find_pair
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.transactions import Transactions
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import OPEN_STATUSES, CommandRequest, Event, told_time
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import bounded, optional

command, deployment = tables.command, tables.deployment


class Commands:
    """The store's commands. Each method is one transaction."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def issue(self, request: CommandRequest) -> dict[str, Any]:
        """Write a command and its event, unless it says nothing new: {deployment, command (its id, or nothing), expires_at, already (why it is nothing new)}.

        Raises NoOpenDeploymentError when no deployment is there to obey, NotFoundError when the one named is unknown.
        """
        return self._transactions.write("writing a command", lambda connection: issue(connection, request))

    def foresee(self, request: CommandRequest) -> dict[str, Any]:
        """What :meth:`issue` would answer; nothing is written."""
        return self._transactions.read("reading commands", lambda connection: _told(*_looked(connection, request, read_clock(connection)), None, None))

    def waiting(self, deployment_id: str) -> dict[str, Any]:
        """The commands of a deployment (its UUID) that were not obeyed yet, oldest first, under ``commands``; the database's clock under ``now``."""
        return self._transactions.read("reading commands", lambda connection: waiting(connection, deployment_id))

    def outcome(self, command_id: str) -> dict[str, Any] | None:
        """{obeyed_at, outcome} of a command; nothing when its deployment is no longer in the record."""
        query = select(command.c.obeyed_at, command.c.outcome).where(command.c.id == command_id)
        row = self._transactions.read("reading a command", lambda connection: connection.execute(query).one_or_none())
        return None if row is None else {"obeyed_at": row.obeyed_at, "outcome": row.outcome}


def issue(connection: Connection, request: CommandRequest) -> dict[str, Any]:
    """See :meth:`Commands.issue`."""
    now = read_clock(connection)
    row, already = _looked(connection, request, now)
    if already:
        return _told(row, already, None, None)
    unique = uuid7()
    expires_at = now + timedelta(seconds=request.expires) if request.expires is not None else None
    values = {
        "verb": request.verb,
        "argument": request.argument,
        "reason": bounded(request.reason),
        "user_name": bounded(request.user, 255),
        "issued_at": now,
        "expires_at": expires_at,
    }
    connection.execute(insert(command).values(id=unique, identifier=unique, fk_deployment=row.pk_deployment, **values))
    told = {**values, "by": values["user_name"], "command": unique, "deployment": row.identifier}
    note(connection, request.run, f"operator.{request.verb}", told, now, key=row.pk_deployment, deployment=row.id)
    return _told(row, "", unique, expires_at)


def _told(row: Row[Any], already: str, unique: str | None, expires_at: datetime | None) -> dict[str, Any]:
    return {"deployment": row.identifier, "command": unique, "expires_at": expires_at, "already": f"{row.identifier} {already}" if already else ""}


def _looked(connection: Connection, request: CommandRequest, now: datetime) -> tuple[Row[Any], str]:
    """The deployment that is meant, and why the command would say nothing new. Its row is locked, so that two operators take turns."""
    pair = find_pair(connection, request.fraise, request.environment)
    row = _meant(connection, request, pair)
    if pair is None or pair.fk_deployment != row.pk_deployment or pair.released_at is not None or pair.expires_at <= now:
        since = f" since {told_time(pair.expires_at)}" if pair is not None and pair.expires_at is not None else ""
        raise NoOpenDeploymentError(
            f"{row.identifier} was not closed, but its controller has not been heard of{since}: nobody is there to obey",
            hint=f"Look at what the hosts serve with fraisier.deploy.status -e fraise={request.fraise}, then deploy or roll back again",
            context={"deployment": row.identifier},
        )
    columns = (command.c.verb, command.c.user_name, command.c.reason, command.c.issued_at, command.c.expires_at, command.c.outcome)
    query = select(*columns).where(command.c.fk_deployment == row.pk_deployment).order_by(command.c.pk_command)
    earlier = [dict(found) for found in connection.execute(query).mappings()]
    return row, nothing_new(request.verb, earlier, now)


def _meant(connection: Connection, request: CommandRequest, pair: Row[Any] | None) -> Row[Any]:
    """The open deployment: the one named, else the newest of the pair."""
    name = f"{request.fraise} in {request.environment}"
    columns = (deployment.c.pk_deployment, deployment.c.id, deployment.c.identifier, deployment.c.status)
    here = [] if pair is None else [deployment.c.fk_fraise == pair.fk_fraise, deployment.c.fk_environment == pair.fk_environment]
    newest = None
    if here:
        wanted = [deployment.c.identifier == request.deployment] if request.deployment else []
        newest = connection.execute(select(*columns).where(*here, *wanted).order_by(deployment.c.number.desc()).limit(1).with_for_update()).one_or_none()
    if newest is not None and newest.status in OPEN_STATUSES:
        return newest
    if newest is None and request.deployment:
        hint = f"Look at the playbook fraisier.deploy.history -e fraise={request.fraise}"
        raise NotFoundError(f"{name} has no deployment {request.deployment}", hint=hint, context={"option": "deployment", "value": request.deployment})
    last = f"{newest.identifier} ended {newest.status}" if newest is not None else "it was never deployed"
    raise NoOpenDeploymentError(
        f"No deployment of {name} is under way: {last}",
        hint="Look at the names of fraise and environment, and at the playbook fraisier.deploy.history",
        context={"fraise": request.fraise, "environment": request.environment},
    )


def waiting(connection: Connection, deployment_id: str) -> dict[str, Any]:
    """See :meth:`Commands.waiting`."""
    columns = (command.c.id, command.c.verb, command.c.argument, command.c.reason, command.c.user_name, command.c.expires_at)
    query = (
        select(*columns)
        .join(deployment, deployment.c.pk_deployment == command.c.fk_deployment)
        .where(deployment.c.id == deployment_id, command.c.obeyed_at.is_(None))
        .order_by(command.c.pk_command)
    )
    found = [dict(row) for row in connection.execute(query).mappings()]
    # Most looks find nothing: only those that do ask for the clock.
    return {"commands": found, "now": read_clock(connection) if found else None}


def unheard(connection: Connection, deployment_key: int, at: datetime, why: str) -> None:
    """The deployment has ended: commands that it has not spoken of were not obeyed."""
    open_still = (command.c.fk_deployment == deployment_key, command.c.obeyed_at.is_(None))
    connection.execute(update(command).where(*open_still).values(obeyed_at=at, outcome=f"{NOT_OBEYED}{why}"))


def obey(connection: Connection, deployment_key: int, event: Event) -> None:
    """The recorder's word that a command was obeyed, and how; its first word stays."""
    mine = (command.c.fk_deployment == deployment_key, command.c.id == str(event.data.get("command")), command.c.obeyed_at.is_(None))
    connection.execute(update(command).where(*mine).values(obeyed_at=event.at, outcome=optional(event.data.get("outcome"))))
