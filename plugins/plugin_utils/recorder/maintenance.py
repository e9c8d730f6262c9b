# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking after the store itself, as playbooks ask it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.findings import findings
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.spool import left_behind
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store


def prune(store: Store, request: dict[str, Any]) -> dict[str, Any]:
    """Forget what is old and what nothing needs; in check mode say what that would be."""
    return store.retention.prune(
        keep_days=int(request["keep_days"]), keep=int(request["keep"]), run=str(request["run"]), by=str(request["by"]), check=bool(request["check"])
    )


def check(store: Store, request: dict[str, Any]) -> dict[str, Any]:
    """Is the store in order: what inspect_store says, the rows of each table, whether the audit is whole, spool files that wait here, and the findings."""
    answer = store.check()
    there = not answer["missing"]
    sizes = store.table_rows() if there else {}
    chain = store.audit.verify() if there else None
    waiting = [str(path) for path in left_behind(Path(str(request["spool"])), str(request["store_url"]))]
    answer |= {"rows": sizes, "chain": chain, "spool": waiting}
    found = findings(answer)
    return {**answer, "findings": found, "ok": not found}
