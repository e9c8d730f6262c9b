# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs where, what stands in the way, and what is in doubt: the answer to ``status``."""

from __future__ import annotations

from typing import Any

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import OPEN_STATUSES


def standing(store: Store, fraise: str | None, environment: str | None) -> dict[str, Any]:
    """{status, fleet, owed, holds, quarantines, elsewhere}.

    A row of ``fleet`` has ``cut_off``, the deployment that was cut off while it changed the host; a row of ``status`` has ``unsettled``, the deployments
    that need a recovery, and counts no host that is in doubt. ``elsewhere``: the environments that are known when nothing is known of this one.
    """
    cut_off = {(row["fraise"], row["environment"], row["host"]): row["deployment"] for row in store.cut_off_hosts(fraise, environment)}
    fleet = [{**row, "cut_off": cut_off.get((row["fraise"], row["environment"], row["host"]))} for row in store.fleet(fraise, environment)]
    status = [_settled(store, row, fleet) for row in store.status(fraise, environment)]
    return {
        "status": status,
        "elsewhere": [] if status or not environment else [name for name in store.known_environments(fraise) if name != environment],
        "fleet": fleet,
        "owed": store.owed_hosts(fraise, environment),
        "holds": store.admissions.holds(fraise, environment),
        "quarantines": store.admissions.quarantines(fraise, environment),
    }


def _settled(store: Store, row: dict[str, Any], fleet: list[dict[str, Any]]) -> dict[str, Any]:
    pair = (row["fraise"], row["environment"])
    doubtful = [host for host in fleet if host["cut_off"] and (host["fraise"], host["environment"], host["version"]) == (*pair, row["version"])]
    goes_on = row["locked"] and row["last_status"] in OPEN_STATUSES
    unsettled = [] if goes_on or row["last_status"] == "success" else [past.identifier for past in store.unsettled(*pair)]
    return {**row, "hosts_on_version": row["hosts_on_version"] - len(doubtful), "unsettled": unsettled}
