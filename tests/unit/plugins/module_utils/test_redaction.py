# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in URLs, and texts cut short."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import CUT, redact_url, shorten, shorten_line, tail

QUICK = settings(max_examples=60, deadline=None, derandomize=True)
PASSWORDS = st.text(st.characters(min_codepoint=33, max_codepoint=382, exclude_characters="\"'", exclude_categories=["C", "Z"]), min_size=3, max_size=40)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://u:p@h/x", "https://***@h/x"),
        ("git clone ssh://git@h:22/x y", "git clone ssh://***@h:22/x y"),
        ("https://h/path@2x.png", "https://h/path@2x.png"),
        ("mail joe@example.org", "mail joe@example.org"),
        ("http://127.0.0.1:8000/health: 500, wanted 200", "http://127.0.0.1:8000/health: 500, wanted 200"),
        ("a https://t@h b postgresql://u:p%40@h/d", "a https://***@h b postgresql://***@h/d"),
        ("postgresql://u:p/w@x#y@h/d is away", "postgresql://***@h/d is away"),
        ("https://h/?deep=1&api_key=a&X-Amz-Signature=b c", "https://h/?deep=1&api_key=***&X-Amz-Signature=*** c"),
    ],
)
def test_only_the_secret_parts_of_a_url_are_hidden(text: str, shown: str) -> None:
    assert redact_url(text) == shown


@QUICK
@given(PASSWORDS, st.sampled_from(["connect to {} failed", '{{"url": "{}"}}', "{}", "git clone {} x"]))
def test_no_password_of_a_url_survives_whatever_signs_it_has(password: str, around: str) -> None:
    text = around.format(f"postgresql://deploy:pw{password}@db.example.org/store")
    shown = redact_url(text)
    assert shown == around.format("postgresql://***@db.example.org/store")


@QUICK
@given(st.text(max_size=100), st.integers(1, 50))
def test_a_tail_is_short_and_an_end_of_the_text(text: str, characters: int) -> None:
    kept = tail(text, characters)
    assert len(kept) <= characters
    whole = text.rstrip()
    assert whole.endswith(kept) or (kept.startswith(CUT[:characters]) and whole.endswith(kept[len(CUT) :]))


def test_a_cut_is_marked_so_that_half_a_secret_can_be_recognised() -> None:
    assert shorten("0123456789", 10) == "0123456789"
    assert shorten("01234567890", 10) == "0123456..."
    assert tail("01234567890", 10) == "...4567890"
    assert tail("first line\nlast", 6) == "last"


def test_a_line_is_cut_between_two_words_and_the_cut_shows() -> None:
    assert shorten_line("Look at its log\n on the host.", 29) == "Look at its log on the host."
    assert shorten_line("Look at its log on the host.", 22) == "Look at its log on..."
    assert shorten_line("Look at its log on the host.", 25) == "Look at its log on the..."
    assert shorten_line("Look at its log on the host.", 24) == "Look at its log on..."
    assert shorten_line("0123456789 0123456789", 8) == "01234..."


@QUICK
@given(st.text(max_size=80), st.integers(4, 60))
def test_a_line_is_never_longer_than_asked(text: str, characters: int) -> None:
    kept = shorten_line(text, characters)
    assert len(kept) <= characters
    assert kept == " ".join(text.split()) or kept.endswith(CUT)


@pytest.mark.parametrize("text", ["http://a:" * 7000, "http://" + "a:" * 30000, "?key" * 16000, "a://" * 16000 + "@"])
def test_a_long_text_is_searched_in_a_moment(text: str) -> None:
    began = time.process_time()
    redact_url(text)
    assert time.process_time() - began < 5
