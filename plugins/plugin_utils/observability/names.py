# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names hold secrets. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_WORDS = (
    "pass(?:word|wd|phrase|code)?|pwd|pw|psk|otp|jwt|secrets?|tokens?|credentials?|creds?|authorization|cookies?|auth(?=$)"
    "|(?:api|access|account|deploy|encryption|master|private|secret|shared|signing|ssh|storage)_?keys?"
)
_SECRET = re.compile(rf"(?:^|_)(?:{_WORDS})(?:$|_)")
# A last word that makes it something about a secret, or what stands beside one: password_file, token_ttl, auth.user, headers.Accept.
_ABOUT = re.compile(
    r"(?:^|_)(?:accept|agent|age|backend|class|connection|control|count|dir|directory|domain|email|enabled|encoding|engine|expiry|file|folder|format|host"
    r"|hostname|language|length|lifetime|method|name|path|policy|port|prefix|provider|realm|ref|required|scheme|source|store|timeout|ttl|type|uri|url|user"
    r"|username|version)$"
)
HIGHEST_FENCING_TOKEN = 10**9
_FENCES = frozenset({"fence_token", "seen_token"})
_PARTS = re.compile(r"[\-. ]")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """``name`` in one spelling: lower case, words joined by _."""
    return _PARTS.sub("_", _CAMEL.sub("_", name)).lower().strip("_")


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a key of that name holds a secret: ``db_password`` and ``apiKey`` do, ``author``, ``keyboard`` and ``password_file`` do not."""
    plain = plain_name(name)
    return bool(_SECRET.search(plain)) and not _ABOUT.search(plain) and plain not in _FENCES


def holds_secrets(name: str, inside: bool) -> bool:
    """Whether what stands under ``name`` is secret; ``inside``: whether the mapping is that it stands in. Request headers hold secrets."""
    plain = plain_name(name)
    if plain == "headers" or (plain.endswith("_headers") and plain != "response_headers"):
        return True
    return not _ABOUT.search(plain) if inside else is_secret_name(name)


def is_fencing_token(name: str, value: Any) -> bool:
    """Whether this is the number of a lock, which people must see: a secret token is a text."""
    return isinstance(value, int) and value < HIGHEST_FENCING_TOKEN and plain_name(name) in _FENCES | {"token"}
