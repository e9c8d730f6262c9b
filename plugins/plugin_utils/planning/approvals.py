# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who stands behind a plan: which approvals count, and why others do not. No I/O; the clock is passed in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NotApprovedError

_CLAIMED = re.compile(r"(.+) \([^()]*\)")


def person(name: str) -> str:
    """Who a recorded name means: the claimed name in front of ``(os user@host)``, else the user before the @. Two of one person are one."""
    claimed = _CLAIMED.fullmatch(name.strip())
    return (claimed.group(1) if claimed else name.partition("@")[0]).strip().casefold()


def standing(approvals: Iterable[Mapping[str, Any]], maker: str, *, own: bool, now: datetime) -> tuple[list[str], list[str]]:
    """(people whose approval counts, one line for each that does not). ``own``: whether the plan's maker may approve it."""
    counted: dict[str, str] = {}
    refused: list[str] = []
    for approval in approvals:
        name = str(approval["user_name"])
        if approval["revoked_at"] is not None:
            refused.append(f"{name}: revoked at {_moment(approval['revoked_at'])}")
        elif approval["expires_at"] <= now:
            refused.append(f"{name}: expired at {_moment(approval['expires_at'])}")
        elif not own and person(name) == person(maker):
            refused.append(f"{name}: made the plan")
        else:
            counted.setdefault(person(name), name)
    return list(counted.values()), refused


def require(needed: int, plan: str, counted: list[str], refused: list[str]) -> None:
    """Raise NotApprovedError, naming who approved and which approvals do not count, unless ``needed`` people stand behind the plan."""
    if len(counted) >= needed:
        return
    told = f" by {', '.join(counted)}" if counted else ""
    other = f". Not counted: {'; '.join(refused)}" if refused else ""
    raise NotApprovedError(
        f"Plan {plan[:12]} has {len(counted)} of the {needed} approvals that fraise_approvals asks for{told}{other}",
        hint=f"Somebody else approves it: ansible-playbook fraisier.deploy.approve -e plan={plan[:12]}",
        context={"plan": plan, "needed": needed, "counted": counted, "refused": refused},
    )


def without_a_plan(needed: int) -> NotApprovedError:
    """The refusal of a deployment that names no plan where approvals are asked for."""
    return NotApprovedError(
        f"fraise_approvals is {needed}, and this deployment names no plan",
        hint="Make one with fraisier.deploy.plan, have it approved with fraisier.deploy.approve, then deploy with -e plan=HASH",
        context={"option": "fraise_approvals", "value": needed},
    )


def _moment(value: datetime) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S UTC")
