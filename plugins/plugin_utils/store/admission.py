# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the store knows for the question whether a deployment may begin (the answer is planning/admission.py's), and people's locks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import holds, quarantines
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.clock import read_clock
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.transactions import Transactions
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import HoldRequest

Admit = Callable[[dict[str, Any]], list[dict[str, Any]]]
"""Facts in; what an override passed out, or the refusal raised."""


class Admissions:
    """Holds and quarantines of the store. Each method is one transaction."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def facts(self, fraise: str, environment: str, version: str) -> dict[str, Any]:
        """What may stand in the way of a deployment: see admission_facts."""
        return self._transactions.read("looking for holds", lambda connection: admission_facts(connection, fraise, environment, version))

    def holds(self, fraise: str | None = None, environment: str | None = None) -> list[dict[str, Any]]:
        """Holds in force, the newest first; of a fraise also those of its whole environment."""
        return self._transactions.read("reading holds", lambda connection: holds.active(connection, fraise, environment, read_clock(connection)))

    def quarantines(self, fraise: str | None = None, environment: str | None = None) -> list[dict[str, Any]]:
        """Releases in quarantine, the newest first."""
        return self._transactions.read("reading quarantines", lambda connection: quarantines.active(connection, fraise, environment))

    def lock(self, request: HoldRequest) -> dict[str, Any]:
        """Place a person's hold and its event; the hold."""
        return self._transactions.write("placing a hold", lambda connection: holds.place(connection, request))

    def unlock(self, request: HoldRequest) -> list[dict[str, Any]]:
        """Lift what holds of the request's fraise, or of the whole environment, with an event for each; what was lifted."""
        return self._transactions.write("lifting holds", lambda connection: holds.lift(connection, request))

    def to_unlock(self, request: HoldRequest) -> list[dict[str, Any]]:
        """What :meth:`unlock` would lift."""
        return self._transactions.read("reading holds", lambda connection: holds.meant(connection, request, read_clock(connection)))


def admission_facts(connection: Connection, fraise: str, environment: str, version: str) -> dict[str, Any]:
    """``now`` (the database's clock), ``holds``, ``quarantines`` of the pair, and the ``digests`` that the version is known by."""
    now = read_clock(connection)
    rows = quarantines.active(connection, fraise, environment)
    return {
        "now": now,
        "holds": holds.active(connection, fraise, environment, now),
        "quarantines": rows,
        "digests": quarantines.known_digests(connection, fraise, version) if rows else [],
    }
