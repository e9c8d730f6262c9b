# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a store, and what helps. Pure: the answer of a check in, sentences out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RESTORE = "ansible-playbook fraisier.deploy.store -e store=restore -e replace=true -e path=FILE"
SKEW_SECONDS = 2.0
"""More than this between the clocks of database and controller, and times in the record mislead."""


def findings(answer: Mapping[str, Any]) -> list[dict[str, str]]:
    """Each finding as {finding, remedy}; none when all is well. ``answer`` is inspect_store's, with ``spool``: files that wait for this store."""
    schema, found = answer["schema"], []
    if schema["newer"]:
        found.append((f"the schema {schema['current']} is newer than this collection, which knows {schema['head']}", "Install the newest collection"))
    elif schema["pending"]:
        found.append(
            (f"the schema is {schema['current'] or 'not there yet'}, {schema['head']} is needed", "ansible-playbook fraisier.deploy.store -e store=migrate")
        )
    elif answer["missing"]:
        found.append((f"tables or views are missing: {', '.join(answer['missing'])}", f"Restore the newest backup: {RESTORE}"))
    if answer.get("unguarded"):
        remedy = f"Find out who took them away and what was changed since; then restore a backup, which brings them back: {RESTORE}"
        found.append((f"triggers that keep the audit from being changed are gone or switched off: {', '.join(answer['unguarded'])}", remedy))
    if answer["orphans"]:
        why = "Somebody changed the store while foreign keys were off; restore a backup from before that"
        found.append((f"{answer['orphans']} rows whose parent is gone", f"{why}: {RESTORE}"))
    chain = answer.get("chain")
    if chain and not chain["ok"]:
        problem = chain["problem"]
        remedy = "Find out who did it with an earlier backup; look closer with ansible-playbook fraisier.deploy.audit"
        found.append((f"the audit is not whole at position {problem['position']}: {problem['text']}", remedy))
    if abs(answer["clock_skew_seconds"]) > SKEW_SECONDS:
        ahead = "ahead of" if answer["clock_skew_seconds"] > 0 else "behind"
        seconds = abs(answer["clock_skew_seconds"])
        found.append((f"the clock of the database is {seconds:g} s {ahead} this controller's", "Let both follow the same NTP servers"))
    if answer["stale_deployments"]:
        names = ", ".join(answer["stale_deployments"])
        found.append((f"deployments that nobody works on: {names}", "ansible-playbook fraisier.deploy.recover, or deploy again"))
    if answer.get("spool"):
        remedy = "Any run that reaches the store brings them in, unless a run that still goes on writes them"
        found.append((f"events that wait for this store in {', '.join(answer['spool'])}", remedy))
    return [{"finding": finding, "remedy": remedy} for finding, remedy in found]
