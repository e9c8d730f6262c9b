# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A misspelt environment is told as such: otherwise nothing found there would look like nothing to be found."""

from __future__ import annotations

from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NotFoundError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.naming import NAMED_AT_LENGTH, named
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store


def require_known_environment(store: Store, fraise: str | None, environment: str | None) -> None:
    """NotFoundError for an environment that the store has never heard of, when it has heard of others; of a fraise: where that fraise ever was."""
    if not environment:
        return
    known = store.known_environments(fraise)
    if known and environment not in known:
        raise _unknown("fraise_environment", environment, f"no deployments of {fraise} in it" if fraise else "no deployments in it", known)


def require_known_pair(store: Store, fraise: str | None, environment: str) -> None:
    """The same for who means to change something: where nothing at all is known, there is nothing to change either."""
    require_known_environment(store, fraise, environment)
    if store.known_environments(fraise):
        return
    if fraise:
        raise _unknown("fraise", fraise, "no deployments of it", store.known_fraises())
    raise _unknown("fraise_environment", environment, "no deployments in it", [])


def names_of(known: list[str]) -> str:
    """At most a screenful of names, in words."""
    return named(known, NAMED_AT_LENGTH) or "none"


def _unknown(option: str, value: str, what: str, known: list[str]) -> NotFoundError:
    context: dict[str, Any] = {"option": option, "value": value, "known": known}
    hint = f"Look at how it is spelt: -e {option}={known[0] if len(known) == 1 else 'NAME'}. " if known else ""
    hint += "Is it the right store (fraisier_store_url)? The playbook fraisier.deploy.status shows what is in it"
    return NotFoundError(f"{option}: {value!r}: the store knows {what}; known: {names_of(known)}", hint=hint, context=context)
