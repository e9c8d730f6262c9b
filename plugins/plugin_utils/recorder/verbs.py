# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators ask of the store: one function for each verb, which writes its row and the event ``operator.<verb>`` in one transaction.

A verb is asked for by the action ``operate``. Its function gets the store and a :class:`VerbRequest`, and returns plain values: at least ``changed`` and
``msg``, one line for a person. With ``check`` set it writes nothing and says what it would do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder import hold_verbs
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.approving import approve_plan
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import CommandRequest, Store, plain

LONGEST_PAUSE_SECONDS = 30 * 86400
AFTER_A_PAUSE = ("resume", "abort")
WAYS_TO_ABORT = ("undo", "leave")
WISHES = {"pause": "pauses at its next gate", "resume": "goes on", "promote": "skips its wait", "abort": "is aborted"}


@dataclasses.dataclass(frozen=True)
class VerbRequest:
    """One act of an operator. ``user``: who, as a person reads it; ``run``: the playbook run that asks, for its events; ``expires``: seconds."""

    verb: str
    user: str
    run: str
    fraise: str = ""
    environment: str = ""
    deployment: str | None = None
    argument: str | None = None
    reason: str = ""
    expires: float | None = None
    override: str = ""
    plan: str = ""
    check: bool = False


Verb = Callable[[Store, VerbRequest], dict[str, Any]]


def operate(store: Store, request: VerbRequest) -> dict[str, Any]:
    """Do what is asked, in the store's thread."""
    verb = VERBS.get(request.verb)
    if verb is None:
        raise ValidationError(f"verb: there is no {request.verb!r}", hint=f"One of: {', '.join(sorted(VERBS))}", context={"option": "verb"})
    answer: dict[str, Any] = plain(verb(store, request))
    return answer


def refused(option: str, value: object, what: str, hint: str) -> ValidationError:
    """A value that cannot work."""
    return ValidationError(f"{option}: {what}", hint=hint, context={"option": option, "value": value})


def one_of(option: str, value: str | None, choices: tuple[str, ...], default: str) -> str:
    """The value of an option with choices."""
    if value in (None, ""):
        return default
    if value not in choices:
        raise refused(option, value, f"there is no {value!r}", f"One of: {', '.join(choices)}")
    return str(value)


def require_pair(request: VerbRequest) -> None:
    """Refuse a request that does not say of what it speaks."""
    if not request.fraise:
        raise refused("fraise", "", "it is missing", "Name the service, a group of the inventory: -e fraise=shop_api")
    if not request.environment:
        raise refused("fraise_environment", "", "it is not set", "Set it for the inventory, or give it with -e fraise_environment=production")


def _pause(store: Store, request: VerbRequest) -> dict[str, Any]:
    seconds = request.expires
    if seconds is None or not 0 < seconds <= LONGEST_PAUSE_SECONDS:
        hint = f"Give seconds, more than 0 and at most {LONGEST_PAUSE_SECONDS}: every pause ends"
        raise refused("expires", seconds, f"{seconds} is not a time that a pause may last", hint)
    return _command(store, dataclasses.replace(request, argument=one_of("then", request.argument, AFTER_A_PAUSE, "resume")))


def _plain_command(store: Store, request: VerbRequest) -> dict[str, Any]:
    if request.argument:
        raise refused("argument", request.argument, f"{request.verb} takes none", "Leave it out")
    return _command(store, dataclasses.replace(request, argument=None, expires=None))


def _abort(store: Store, request: VerbRequest) -> dict[str, Any]:
    if not request.reason:
        raise refused("reason", "", "an abort needs one", "Give it with -e \"reason='why it must not go on'\"; Ansible splits -e at blanks outside of quotes")
    return _command(store, dataclasses.replace(request, argument=one_of("abort", request.argument, WAYS_TO_ABORT, "undo"), expires=None))


def _command(store: Store, request: VerbRequest) -> dict[str, Any]:
    """Hand a verb to the deployment that runs."""
    require_pair(request)
    asked = CommandRequest(
        verb=request.verb,
        fraise=request.fraise,
        environment=request.environment,
        user=request.user,
        run=request.run,
        reason=request.reason,
        argument=request.argument,
        expires=request.expires,
        deployment=request.deployment or None,
    )
    answer = store.commands.foresee(asked) if request.check else store.commands.issue(asked)
    already = answer.pop("already")
    wish = f"{answer['deployment']} {WISHES[request.verb]}"
    if request.check:
        wish = f"{answer['deployment']} would be told: {request.verb}"
    return {**answer, "changed": not already, "msg": already or wish}


VERBS: dict[str, Verb] = {
    "abort": _abort,
    "approve": approve_plan,
    "lock": hold_verbs.lock,
    "pause": _pause,
    "promote": _plain_command,
    "resume": _plain_command,
    "unlock": hold_verbs.unlock,
}
"""Verb to what it does."""
