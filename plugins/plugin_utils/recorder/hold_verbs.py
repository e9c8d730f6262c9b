# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs ``lock`` and ``unlock``: a person stops deployments of a fraise, or of a whole environment, and lets them go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.admission import PERSON, moment
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.known import names_of, require_known_pair
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import HoldRequest, Store

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.verbs import VerbRequest

LONGEST_LOCK_SECONDS = 366 * 86400


def lock(store: Store, request: VerbRequest) -> dict[str, Any]:
    """Place a hold; ``expires`` may end it."""
    seconds = request.expires
    if seconds is not None and not 0 < seconds <= LONGEST_LOCK_SECONDS:
        hint = f"Give seconds, more than 0 and at most {LONGEST_LOCK_SECONDS}, or leave it out: the lock then lasts until somebody unlocks"
        raise ValidationError(f"expires: {seconds:g} is not a time that a lock may last", hint=hint, context={"option": "expires", "value": seconds})
    asked = _asked(request, "lock", None)
    if request.argument:
        raise ValidationError("hold: a lock takes none", hint="Leave it out", context={"option": "hold", "value": request.argument})
    known = store.known_environments(asked.fraise)
    # A lock may come before the first deployment, so a new name is no error; a misspelt one must not look like a lock of what was meant.
    new = f". Nothing was ever deployed there; known: {names_of(known)}" if known and asked.environment not in known else ""
    if request.check:
        return {"changed": True, "hold": None, "msg": f"{_where(request)} would be locked{new}"}
    row = store.admissions.lock(asked)
    until = f" until {moment(row['expires_at'])}" if row["expires_at"] else ""
    msg = f"{_where(request)} is locked{until}: {row['identifier']}{new}"
    return {"changed": True, "hold": row["identifier"], "expires_at": row["expires_at"], "msg": msg}


def unlock(store: Store, request: VerbRequest) -> dict[str, Any]:
    """Lift the holds of the fraise or of the whole environment, or the one that is named."""
    asked = _asked(request, "unlock", request.argument or None)
    if not request.argument:
        require_known_pair(store, asked.fraise, asked.environment)
    lifted = store.admissions.to_unlock(asked) if request.check else store.admissions.unlock(asked)
    names = [row["identifier"] for row in lifted]
    did = "would lift" if request.check else "lifted"
    said = f"{did} {', '.join(_described(row) for row in lifted)}" if lifted else "no lock to lift"
    left = [row["identifier"] for row in store.admissions.holds(request.fraise or None, request.environment) if row["identifier"] not in names]
    # Holds of single fraises stay when the whole environment is unlocked, and the other way round.
    stays = f"; still in force: {', '.join(left)}" if left else ""
    return {"changed": bool(lifted), "holds": names, "left": left, "msg": f"{_where(request)}: {said}{stays}"}


def _described(row: dict[str, Any]) -> str:
    kind = "" if row["kind"] == PERSON else f", {row['kind']}"
    return f"{row['identifier']} (by {row['placed_by']}{kind}: {row['reason']})"


def _where(request: VerbRequest) -> str:
    return f"{request.fraise} in {request.environment}" if request.fraise else f"All of {request.environment}"


def _asked(request: VerbRequest, verb: str, hold: str | None) -> HoldRequest:
    if not request.environment:
        hint = "Set it for the inventory, or give it with -e fraise_environment=production"
        raise ValidationError("fraise_environment: it is not set", hint=hint, context={"option": "fraise_environment"})
    if not request.reason:
        why = "why nothing may be deployed" if verb == "lock" else "why it may go on"
        raise ValidationError(f"reason: {verb} needs one", hint=f"Give it with -e \"reason='{why}'\"", context={"option": "reason"})
    return HoldRequest(
        run=request.run,
        user=request.user,
        reason=request.reason,
        environment=request.environment,
        fraise=request.fraise or None,
        hold=hold,
        seconds=request.expires,
    )
