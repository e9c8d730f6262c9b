# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making any value storable in all three databases: bounded, and free of what one of them refuses."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

NAME_LIMIT = 128
HOST_LIMIT = 255
TEXT_LIMIT = 4096
JSON_LIMIT = 1024 * 1024

# PostgreSQL stores no NUL; no database stores half a surrogate pair (they come from output that was not UTF-8).
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean(text: str) -> str:
    """``text`` with what cannot be stored replaced by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def bounded(value: Any, limit: int = TEXT_LIMIT) -> str:
    """Text of at most ``limit`` characters; what is cut out of the middle is counted there."""
    text = clean("" if value is None else str(value))
    if len(text) <= limit:
        return text
    mark = f" ... [{len(text) - limit} more characters] ... "
    if limit <= 4 * len(mark):
        return text[:limit]
    room = limit - len(mark)
    return text[: room // 2] + mark + text[len(text) - (room - room // 2) :]


def optional(value: Any, limit: int = TEXT_LIMIT) -> str | None:
    """``bounded``, but nothing stays nothing."""
    return None if value is None or value == "" else bounded(value, limit)


def number(value: Any) -> float | None:
    """A finite number, or nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def whole(value: Any, bits: int = 31) -> int | None:
    """A whole number that fits a column of ``bits`` bits and its sign, or nothing."""
    found = number(value)
    return None if found is None or abs(found) >= 2**bits else int(found)


def mapping(value: Any) -> Mapping[str, Any]:
    """``value`` when it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def storable(value: Any) -> Any:
    """``value`` as strict JSON that every database takes: no NaN, no NUL, text keys."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): storable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [storable(entry) for entry in value]
    return clean(str(value))


def dumps(value: Any) -> str:
    """JSON text as the store writes it: compact, readable characters, no NaN."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def document(value: Any, limit: int = JSON_LIMIT) -> dict[str, Any]:
    """A JSON object of at most ``limit`` bytes. A larger one keeps its start as text: {truncated_bytes, start}."""
    cleaned = storable(mapping(value))
    text = dumps(cleaned)
    size = len(text.encode())
    if size <= limit:
        return dict(cleaned)
    return {"truncated_bytes": size, "start": text[:TEXT_LIMIT]}
