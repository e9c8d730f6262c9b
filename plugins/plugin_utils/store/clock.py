# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database's clock: every controller that uses a store agrees on it."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import literal_column, select
from sqlalchemy.engine import Connection

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.columns import UtcDateTime

_CLOCKS = {"postgresql": "clock_timestamp()", "mysql": "UTC_TIMESTAMP(6)"}


def read_clock(connection: Connection) -> datetime:
    """Now, aware UTC with microseconds. A SQLite store lives on this machine, so this machine's clock is its clock.

    A moment read before a statement that waits for a lock is a little old by then: that only ever keeps a foreign lease longer and gives a shorter own one.
    """
    expression = _CLOCKS.get(connection.dialect.name)
    if expression is None:
        return datetime.now(UTC)
    return connection.execute(select(literal_column(expression, UtcDateTime()))).scalar_one()
