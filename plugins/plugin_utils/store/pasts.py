# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What earlier deployments of a pair left behind: intents without outcomes, hosts that were switched and did not come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import Connection, Row

from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.recovery import UNDO, Past, PastHost, unsettled_chain
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import tables
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.rows import find_pair
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import bounded, mapping

LOOKED_AT = 50
deployment = tables.deployment


def unsettled(connection: Connection, fraise: str, environment: str) -> list[Past]:
    """The deployments of the pair that need a recovery, newest first; usually none, at the price of one query."""
    pair = find_pair(connection, fraise, environment)
    if pair is None:
        return []
    here = (deployment.c.fk_fraise == pair.fk_fraise, deployment.c.fk_environment == pair.fk_environment)
    rows = connection.execute(select(deployment).where(*here).order_by(deployment.c.number.desc()).limit(LOOKED_AT)).all()
    doubtful: list[Row[Any]] = []
    for row in rows:
        if _past(row, {}, []).settles:
            break
        doubtful.append(row)
    if not doubtful:
        return []
    hosts, gates = _hosts(connection, doubtful), _gates(connection, doubtful)
    return unsettled_chain([_past(row, hosts.get(row.pk_deployment, {}), gates.get(row.pk_deployment, [])) for row in doubtful])


def newest_number(connection: Connection, fraise: str, environment: str) -> int:
    """The number that was given last to a deployment of the pair, 0 when there was none."""
    pair = find_pair(connection, fraise, environment)
    return int(pair.last_number) if pair is not None else 0


def _past(row: Row[Any], hosts: dict[str, PastHost], gates: Sequence[Any]) -> Past:
    halted, batches, decided = "", [], False
    for gate in map(mapping, gates):
        if "how" in gate:
            decided, halted = True, str(gate.get("reason") or "it was to be undone") if gate["how"] == UNDO else ""
        elif gate.get("go") is False:
            halted = str(gate.get("reason") or "a gate said no")
        elif gate.get("at") == "before" and isinstance(gate.get("hosts"), list):
            batches.append(gate["hosts"])
    return Past(
        identifier=row.identifier,
        id=row.id,
        number=row.number,
        version=row.version,
        status=row.status,
        whole=row.scope == "whole",
        resumes=row.resumes,
        halted=halted,
        undecided=row.kind == "recover" and not decided,
        plan=dict(mapping(row.plan)),
        hosts=hosts,
        passed=frozenset(str(host) for batch in batches[:-1] for host in batch),
    )


def _hosts(connection: Connection, rows: Sequence[Row[Any]]) -> dict[int, dict[str, PastHost]]:
    """For each deployment its hosts: what its steps say was begun, and what came back."""
    host, step = tables.deployment_host, tables.step
    query = (
        select(host.c.fk_deployment, host.c.host, host.c.state, host.c.version_before, step.c.step, step.c.outcome, step.c.changed)
        .join(step, step.c.fk_deployment_host == host.c.pk_deployment_host)
        .where(host.c.fk_deployment.in_([row.pk_deployment for row in rows]))
        .order_by(step.c.pk_step)
    )
    found: dict[int, dict[str, PastHost]] = {}
    for row in connection.execute(query):
        known = found.setdefault(row.fk_deployment, {}).get(row.host, PastHost())
        # An intent without an outcome, and an outcome without an answer, may have switched the host.
        begun = row.step == "activate" and row.changed is not False
        staged = row.step == "stage" and row.outcome in ("ok", "unchanged")
        back = row.state in ("undone", "reverted")
        found[row.fk_deployment][row.host] = PastHost(known.touched or begun, back, row.version_before, known.known or staged or row.version_before is not None)
    return found


def _gates(connection: Connection, rows: Sequence[Row[Any]]) -> dict[int, list[Any]]:
    """For each deployment what its gates and its recovery decided, in order."""
    event = tables.event
    query = (
        select(event.c.fk_deployment, event.c.data)
        .where(event.c.fk_deployment.in_([row.pk_deployment for row in rows]), event.c.type.in_(("gate.decided", "recovery.decided")))
        .order_by(event.c.pk_event)
    )
    found: dict[int, list[Any]] = {}
    for row in connection.execute(query):
        found.setdefault(row.fk_deployment, []).append(row.data)
    return found


def note_recovery(connection: Connection, key: int, data: Mapping[str, Any]) -> None:
    """A later deployment has settled this one: say so in its reason."""
    word = bounded(f"{data.get('how') or 'recovered'} by {data.get('by')}")
    known = connection.execute(select(deployment.c.status_reason).where(deployment.c.pk_deployment == key)).scalar_one_or_none()
    reason = bounded(f"{known}; {word}" if known else word)
    connection.execute(update(deployment).where(deployment.c.pk_deployment == key).values(status_reason=reason))
