# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the action ``deployment`` that only a recovery needs."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DeploymentLockedError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.actions import FraisierAction
from ansible_collections.fraisier.deploy.plugins.plugin_utils.reports import table

WORDS = {"finish": "finishing", "undo": "undoing", "refuse": "refused"}


def decided(action: FraisierAction, answer: dict[str, Any]) -> dict[str, Any]:
    """The result of a decision: the open deployment, with ``how`` and ``reason``."""
    text = f"{WORDS[answer['how']]} {answer['resumes']} ({answer['deployment']['version']}): {answer['reason']}"
    action.say(text)
    told = {"how": answer["how"], "reason": answer["reason"], "needed": True, "undoes": answer["how"] != "finish"}
    return {"changed": False, "msg": text, **answer["deployment"], **told}


def until_lease_ends(error: DeploymentLockedError) -> int:
    """Seconds until the holder's lease ends unless it is renewed: a dead one's does, a living one's does not."""
    try:
        expires = datetime.fromisoformat(str(error.context["expires_at"]))
    except (KeyError, TypeError, ValueError):
        return 0
    return max(0, math.ceil((expires - datetime.now(UTC)).total_seconds()) + 1)


def undo_plan_lines(answer: dict[str, Any]) -> list[str]:
    """What an undo would do, host by host, from the answers of check mode."""
    deployment = answer["deployment"]
    rows = []
    for name, host in answer["hosts"].items():
        goes = "revert" in (answer["checks"].get(name) or {})
        rows.append((name, answer["inspected"].get(name), host["before"] or "nothing" if goes else "stays"))
    return [f"Undo of {deployment['resumes']} ({deployment['version']}). Nothing was changed.", *table(("HOST", "SERVES", "WOULD GO BACK TO"), rows)]
