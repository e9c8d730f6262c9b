# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in URLs, and texts cut short so that half a secret can still be recognised: what hosts and controller share of redaction."""

from __future__ import annotations

import re

HIDDEN = "***"
CUT = "..."
"""Stands where a text was cut. What begins or ends here may be a part of a secret: the controller, which knows the secrets, looks for that."""

# user:password@, where an unescaped / or @ may be part of the password; or user@, which ends before the path. At most 300 characters: no search grows
# with the square of the text. A scheme holds no more than 20, and compiled when first used: most calls of a host meet no URL.
USERINFO = r"([A-Za-z][A-Za-z0-9+.\-]{0,20}://)(?:[^\s/?#@:\"']{0,100}:(?:(?!://)[^\s\"']){0,300}|[^\s/?#@:\"']{1,300})@"
SECRET_QUERY = r"(?i)([?&][^=&#\s]{0,60}(?:token|key|secret|pass|pwd|sig|auth|credential)[^=&#\s]{0,60}=)[^&#\s\"'<>]*"


def redact_url(text, mark=HIDDEN):
    """``text`` without user and password in its URLs and without the values of query parameters that look secret."""
    if "://" in text and "@" in text:
        text = re.sub(USERINFO, r"\1" + mark + "@", text)
    if "=" in text:
        text = re.sub(SECRET_QUERY, r"\1" + mark, text)
    return text


def shorten(text, characters):
    """The beginning of ``text``, at most ``characters`` long; CUT stands at its end when something is missing."""
    return text if len(text) <= characters else text[: characters - len(CUT)] + CUT


def shorten_line(text, characters):
    """``text`` as one line of at most ``characters``, cut between two words, which CUT shows; a word longer than half of the line is cut itself."""
    text = " ".join(text.split())
    if len(text) <= characters:
        return text
    kept = text[: characters - len(CUT) + 1].rpartition(" ")[0]
    return (kept if len(kept) * 2 > characters else text[: characters - len(CUT)]) + CUT


def tail(text, characters):
    """The last ``characters`` of ``text``, from the start of a line where that is possible; else CUT stands before it."""
    text = text.rstrip()
    if len(text) <= characters:
        return text
    kept = text[-characters:]
    _first, newline, rest = kept.partition("\n")
    return rest if newline and rest else (CUT + kept[len(CUT) :])[:characters]
