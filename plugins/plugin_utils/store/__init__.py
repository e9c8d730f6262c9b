# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store: the only code that knows SQL.

Importing this package is cheap (the value types only); SQLAlchemy is loaded when ``Store`` is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import (
    CLOSED_STATUSES,
    OPEN_STATUSES,
    STATUSES,
    ApprovalRequest,
    CommandRequest,
    Event,
    GoodRelease,
    HoldRequest,
    Lease,
    LockRow,
    Opened,
    OpenRequest,
    PlanRequest,
    PlanUse,
    SchemaState,
    plain,
)

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.store import Store

__all__ = [
    "CLOSED_STATUSES",
    "OPEN_STATUSES",
    "STATUSES",
    "ApprovalRequest",
    "CommandRequest",
    "Event",
    "GoodRelease",
    "HoldRequest",
    "Lease",
    "LockRow",
    "OpenRequest",
    "Opened",
    "PlanRequest",
    "PlanUse",
    "SchemaState",
    "Store",
    "plain",
]


def __getattr__(name: str) -> Any:
    if name == "Store":
        from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.store import Store

        return Store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
