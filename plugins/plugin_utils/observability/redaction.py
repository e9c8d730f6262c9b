# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking secrets out of what leaves the controller: by name of the key, by value in all its spellings, and by the shapes that carry them. Pure."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import CUT, SECRET_QUERY, USERINFO, redact_url
from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability.names import (
    holds_secrets,
    is_fencing_token,
    is_secret_name,
    plain_name,
)

HIDDEN = "<redacted>"
SHORTEST_VALUE = 4
WHOLE_WORDS_BELOW = 6
"""Values shorter than this are only hidden where they stand alone: the password ``shop`` must not blank out ``shop_api``, nor ``1234`` a checksum."""
SHORTEST_NUMBER = 6
SHORTEST_PART = 8
"""Of a line of a secret, and of what base64 makes of it."""
SHORTEST_USER_TOKEN = 16
"""In a URL, a user without a password who is as long as this is a token."""
LONGEST_CUT = 4096

_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_BEARER = re.compile(r"\b([Bb]earer|BEARER|[Bb]asic|BASIC)\s+(?=\S*[0-9A-Z=])[A-Za-z0-9._~+/\-]{8,}=*")
# ``name=``, ``name: ``, ``"name": ``, ``name => ``, ``--name `` and ``'--name', ``; what follows counts when the name is that of a secret.
_NAMED = re.compile(
    r"(?<![\w.\-])(?P<flag>--?)?(?P<name>[A-Za-z_][\w.\-]{0,63})"
    r"(?:\\{0,3}[\"']?\s{0,3}(?:=>|={1,3}|:=|:(?!//))\s{0,3}|(?(flag)(?:\\{0,3}[\"']\s{0,3},\s{0,3}|[ \t]{1,3}(?!-))|(?!)))"
)
_QUOTED = re.compile(r"(?P<quote>\\{0,3}[\"'])(?P<value>(?:(?!(?P=quote))(?:\\.|[^\\]))*)", re.DOTALL)
_BRACKETED = re.compile(r"\[[^\]]*\]?|\{[^}]*\}?")
_BARE = re.compile(r"(?:(?!&[\w.\-]{1,64}=)\S)+(?<![,;)}\]\"'>\\])")
_SCALAR = re.compile(r"[^\s,}\]]+")
_LINE = re.compile(r"[^\r\n\"']+")
_REFERENCE = re.compile(r"\s*\{\{-?\s*([A-Za-z_][\w.]*)\s*(?:\|[^{}]*)?-?\}\}\s*")
_NUMBER = re.compile(r"[0-9]{1,10}")
_WHOLE_LINES = frozenset({"authorization", "proxy_authorization", "cookie", "set_cookie"})
_PLAIN = frozenset({"true", "false", "null", "none", "yes", "no"})


class Vaulted(str):
    """A text that came from a vault: a secret whatever its name."""

    __slots__ = ()


class Redactor:
    """Redacts text and nested values. ``values`` are the secrets known by value; those shorter than 4 characters are left to the other rules."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._by_start: dict[str, list[str]] = {}
        self._by_end: dict[str, list[str]] = {}
        known = {spelling for value in values if len(value) >= SHORTEST_VALUE for spelling in spellings(value)}
        for spelling in sorted(known, key=len, reverse=True):
            self._by_start.setdefault(spelling[:SHORTEST_VALUE], []).append(spelling)
            self._by_end.setdefault(spelling[-SHORTEST_VALUE:], []).append(spelling)

    def text(self, text: str) -> str:
        """``text`` with known values, userinfo of URLs, private keys, authorization headers and what stands under secret names taken out."""
        if self._by_start:
            text = self._without_known(text)
            if CUT in text:
                text = self._without_parts(text)
        if "-----BEGIN" in text:
            text = _PEM.sub(HIDDEN, text)
        return _without_named(_BEARER.sub(rf"\1 {HIDDEN}", redact_url(text, HIDDEN)))

    def clean(self, value: Any, *, _inside: bool = False) -> Any:
        """A copy of ``value`` (nested mappings, lists, scalars) that holds no secret."""
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._named(str(key), item, _inside) for key, item in value.items()}
        if isinstance(value, (list, tuple, set)):
            return [self.clean(item, _inside=_inside) for item in value]
        if _inside and not isinstance(value, bool) and value not in (None, ""):
            return HIDDEN
        return self.text(value) if isinstance(value, str) else value

    def _named(self, name: str, item: Any, inside: bool) -> Any:
        return item if is_fencing_token(name, item) else self.clean(item, _inside=holds_secrets(name, inside))

    def _without_known(self, text: str) -> str:
        """One walk through the text, whose time does not grow with the number of secrets."""
        kept: list[str] = []
        done = at = 0
        while at <= len(text) - SHORTEST_VALUE:
            starting = self._by_start.get(text[at : at + SHORTEST_VALUE])
            found = next((value for value in starting if text.startswith(value, at) and _stands_alone(text, at, value)), None) if starting else None
            if found is None:
                at += 1
                continue
            kept += (text[done:at], HIDDEN)
            done = at = at + len(found)
        return "".join(kept) + text[done:] if kept else text

    def _without_parts(self, text: str) -> str:
        """Where a text was cut, the part of a secret that stands at the cut."""
        pieces = text.split(CUT)
        for number, piece in enumerate(pieces):
            if number:
                pieces[number] = piece = self._without_end(piece)
            if number < len(pieces) - 1:
                pieces[number] = self._without_start(piece)
        return CUT.join(pieces)

    def _without_start(self, piece: str) -> str:
        """``piece`` without the longest start of a secret that it ends with."""
        for at in range(max(0, len(piece) - LONGEST_CUT), len(piece) - SHORTEST_VALUE + 1):
            if any(value.startswith(piece[at:]) for value in self._by_start.get(piece[at : at + SHORTEST_VALUE], ())):
                return piece[:at] + HIDDEN
        return piece

    def _without_end(self, piece: str) -> str:
        """``piece`` without the longest end of a secret that it starts with."""
        for at in range(min(LONGEST_CUT, len(piece)), SHORTEST_VALUE - 1, -1):
            if any(value.endswith(piece[:at]) for value in self._by_end.get(piece[at - SHORTEST_VALUE : at], ())):
                return HIDDEN + piece[at:]
        return piece


def _stands_alone(text: str, at: int, value: str) -> bool:
    """Whether a short value is a word of its own; a long one need not be."""
    if len(value) >= WHOLE_WORDS_BELOW:
        return True
    before, after = text[at - 1 : at], text[at + len(value) : at + len(value) + 1]
    return not any(character.isalnum() or character == "_" for character in before + after)


def _without_named(text: str) -> str:
    """``text`` without what stands under secret names in it."""
    kept: list[str] = []
    done = 0
    for found in _NAMED.finditer(text):
        name = found["name"]
        if found.start() < done or not is_secret_name(name):
            continue
        span = _value_span(text, found.end(), plain_name(name), json_key=bool(re.search(r"[\"']\s*:", found[0])))
        if span is not None:
            kept += (text[done : span[0]], HIDDEN)
            done = span[1]
    return "".join(kept) + text[done:] if kept else text


def _value_span(text: str, at: int, name: str, *, json_key: bool) -> tuple[int, int] | None:
    """Where the value that begins at ``at`` stands, None when nothing there is to be hidden."""
    if text.startswith(HIDDEN, at):
        return None
    quoted = _QUOTED.match(text, at)
    if quoted:
        return quoted.span("value") if quoted["value"] else None
    rule = _BRACKETED if text[at : at + 1] in ("[", "{") else _LINE if name in _WHOLE_LINES else _SCALAR if json_key else _BARE
    bare = rule.match(text, at)
    if bare is None or bare[0].lower() in _PLAIN or (_NUMBER.fullmatch(bare[0]) and is_fencing_token(name, int(bare[0]))):
        return None
    return bare.span()


@lru_cache(maxsize=4096)
def spellings(value: str) -> tuple[str, ...]:
    """How ``value`` may be written: as it is, escaped (JSON, once and twice, Python, shell), in URLs, in base64 wherever it begins; long lines one by one."""
    data = value.encode(errors="surrogatepass")
    found = {value, repr(value)[1:-1], shlex.quote(value).strip("'")}
    for only_ascii in (True, False):
        once = json.dumps(value, ensure_ascii=only_ascii)[1:-1]
        found |= {once, json.dumps(once, ensure_ascii=only_ascii)[1:-1]}
    for escaped in (quote(data, safe=""), quote(data), quote_plus(data)):
        found |= {escaped, re.sub(r"%[0-9A-F]{2}", lambda hexadecimal: hexadecimal[0].lower(), escaped)}
    found |= {line.strip() for line in value.splitlines() if len(line.strip()) >= SHORTEST_PART}
    found |= {text for text in _in_base64(data) if len(text) >= SHORTEST_PART}
    return tuple(sorted(text for text in found if len(text) >= SHORTEST_VALUE))


def _in_base64(value: bytes) -> Iterator[str]:
    """The letters of base64 that depend on ``value`` alone, for each of the three places it can begin at."""
    for before, letters in ((0, 0), (1, 2), (2, 3)):
        whole = slice(letters, (before + len(value)) * 8 // 6)
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"\0" * before + value).decode()[whole]


def secret_values(variables: Any, known: Mapping[str, Any] | None = None) -> set[str]:
    """Texts and numbers that stand under secret names anywhere in ``variables``, vaulted texts, and passwords in URLs, to be found by value elsewhere.

    ``known``: what templates such as ``{{ db.password }}`` refer to; by default ``variables`` themselves.
    """
    if known is None:
        known = variables if isinstance(variables, Mapping) else {}
    return {value for value in _secrets_in(variables, False, known) if len(value) >= SHORTEST_VALUE and value.lower() not in _PLAIN}


def _secrets_in(item: Any, inside: bool, known: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(item, Mapping):
        for key, member in item.items():
            if not is_fencing_token(str(key), member):
                yield from _secrets_in(member, holds_secrets(str(key), inside), known)
    elif isinstance(item, (list, tuple, set)):
        for member in item:
            yield from _secrets_in(member, inside, known)
    elif isinstance(item, str):
        yield from _passwords_in_urls(item)
        if isinstance(item, Vaulted) or (inside and "{{" not in item):
            yield str(item)
        elif inside:
            yield from _meant(item, known)
    elif inside and isinstance(item, (int, float)) and not isinstance(item, bool) and len(str(item)) >= SHORTEST_NUMBER:
        yield str(item)


def _meant(template: str, known: Mapping[str, Any]) -> Iterator[str]:
    """The text that a template of one plain reference leads to; nothing is evaluated here."""
    reference = _REFERENCE.fullmatch(template)
    item: Any = known
    for part in reference[1].split(".") if reference else ():
        item = item.get(part) if isinstance(item, Mapping) else None
    if isinstance(item, str) and "{{" not in item:
        yield str(item)


def _passwords_in_urls(text: str) -> Iterator[str]:
    """Passwords of the URLs in ``text``, before @ or in the query, as written and as meant."""
    if "://" in text and "@" in text:
        for found in re.finditer(USERINFO, text):
            user, colon, password = found[0][len(found[1]) : -1].partition(":")
            secret = password if colon else user if len(user) >= SHORTEST_USER_TOKEN else ""
            if "{{" not in secret:
                yield from (secret, unquote(secret))
    if "://" in text and "?" in text:
        for found in re.finditer(SECRET_QUERY, text):
            secret = found[0][len(found[1]) :]
            if is_secret_name(found[1][1:-1]) and "{{" not in secret:
                yield from (secret, unquote_plus(secret))
