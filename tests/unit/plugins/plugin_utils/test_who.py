# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.who import who, words_of


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({}, "deploy@ci1"),
        ({"operator": "ada"}, "ada (deploy@ci1)"),
        ({"awx_user_name": "bob"}, "bob (deploy@ci1)"),
        ({"tower_user_name": "eve"}, "eve (deploy@ci1)"),
        ({"operator": "ada", "awx_user_name": "bob"}, "ada (deploy@ci1)"),
        ({"operator": "", "awx_user_name": None, "tower_user_name": "eve"}, "eve (deploy@ci1)"),
        ({"operator": "  \n "}, "deploy@ci1"),
    ],
)
def test_a_claimed_name_stands_beside_the_user_of_the_operating_system(variables: dict, text: str) -> None:
    assert who(variables, "deploy", "ci1") == text


def test_a_claimed_name_cannot_forge_a_second_line_or_push_the_real_user_out() -> None:
    assert who({"operator": "ada\nroot@ci1\x1b[2J"}, "deploy", "ci1") == "ada root@ci1 [2J (deploy@ci1)"
    long = who({"operator": "a" * 1000}, "deploy", "ci1")
    assert len(long) == 255
    assert long.endswith(" (deploy@ci1)")


@pytest.mark.parametrize("value", [False, True, "no", "YES", " false ", "0", "null"])
def test_a_yes_or_a_no_is_no_reason(value):
    with pytest.raises(ValidationError, match=r"override: .* says nothing"):
        words_of("override", value)


@pytest.mark.parametrize(("value", "text"), [(None, ""), ("", ""), ("  two\nwords ", "two words"), ("no more disks", "no more disks")])
def test_words_and_nothing_are_taken_as_one_line(value, text):
    assert words_of("reason", value) == text
