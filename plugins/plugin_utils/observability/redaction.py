# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking secrets out of what leaves the controller: by name of the key, by value, and by the shapes that carry them (URLs, headers, assignments)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "<redacted>"
SHORTEST_VALUE = 4

_WORDS = "pass(?:word|wd|phrase)?|pwd|secrets?|tokens?|(?:api|access|private)[_-]?keys?|credentials?|authorization|cookies?|auth"
_NAME = re.compile(rf"(?:^|[_\-. ])(?:{_WORDS})(?:$|[_\-. ])", re.IGNORECASE)
_PLAIN_NAMES = frozenset({"fence_token", "token_path"})
_USERINFO = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*://)[^/\s@'\"]+@")
_ASSIGNMENT = re.compile(
    r"(?i)\b([\w\-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key)[\w\-]*)"
    r"(\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&'\"]+)"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/\-]{8,}=*")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def is_secret_name(name: str) -> bool:
    """Whether a key of that name holds a secret: ``db_password`` and ``apiKey`` do, ``author`` and ``keyboard`` do not."""
    return name not in _PLAIN_NAMES and bool(_NAME.search(_CAMEL.sub("_", name)))


class Redactor:
    """Redacts text and nested values. ``values`` are the secrets known by value; those shorter than 4 characters are left to the other rules."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = sorted({value for value in values if len(value) >= SHORTEST_VALUE}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """``text`` with known values, userinfo of URLs, assignments to secret names and authorization headers taken out."""
        for value in self._values:
            text = text.replace(value, HIDDEN)
        text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
        text = _BEARER.sub(rf"\1 {HIDDEN}", text)
        return _ASSIGNMENT.sub(rf"\1\2{HIDDEN}", text)

    def clean(self, value: Any) -> Any:
        """A copy of ``value`` (nested mappings, lists, scalars) that holds no secret."""
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._named(str(key), item) for key, item in value.items()}
        if isinstance(value, (list, tuple, set)):
            return [self.clean(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def _named(self, name: str, item: Any) -> Any:
        return HIDDEN if isinstance(item, str) and item and is_secret_name(name) else self.clean(item)


def secret_values(variables: Any, inside_secret: bool = False) -> set[str]:
    """Texts that stand under secret names anywhere in ``variables``, so that they can be found by value elsewhere."""
    found: set[str] = set()
    if isinstance(variables, Mapping):
        for key, item in variables.items():
            found |= secret_values(item, inside_secret or is_secret_name(str(key)))
    elif isinstance(variables, (list, tuple, set)):
        for item in variables:
            found |= secret_values(item, inside_secret)
    elif inside_secret and isinstance(variables, str) and len(variables) >= SHORTEST_VALUE and "{{" not in variables:
        found.add(str(variables))
    return found
