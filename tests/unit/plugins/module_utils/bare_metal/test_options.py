# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before anything is looked at, each with the option, the value and the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.options import check_release_name
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError, ValidationError

if TYPE_CHECKING:
    from tests.unit.plugins.module_utils.bare_metal.conftest import Host

ARCHIVE = {"archive": {"src": "/a.tar"}}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"state": "staged", "release": None, "source": ARCHIVE}, "release is missing"),
    ({"state": "staged", "release": "1.0", "source": None}, "exactly one of archive and git"),
    ({"state": "staged", "release": "1.0", "source": {"archive": {"src": "/a"}, "git": {"repo": "/r", "ref": "x"}}}, "exactly one"),
    ({"state": "staged", "release": "../1.0", "source": ARCHIVE}, "'../1.0' is not a version"),
    ({"state": "staged", "release": "1.0", "source": {"archive": {"src": "a.tar"}}}, "neither a URL nor an absolute path"),
    ({"state": "staged", "release": "1.0", "source": {"archive": {"src": "/a", "sha256": "12"}}}, "not a SHA-256"),
    ({"state": "staged", "release": "1.0", "source": {"git": {"repo": "-upload", "ref": "x"}}}, "not a repository"),
    ({"state": "staged", "release": "1.0", "source": {"git": {"repo": "/r", "ref": "--all"}}}, "not a branch, tag or commit"),
    ({"state": "staged", "release": "1.0", "source": ARCHIVE, "shared": ["../etc"]}, "shared: '../etc'"),
    ({"state": "staged", "release": "1.0", "source": ARCHIVE, "build": {"command": "x"}}, "is not a command"),
    ({"state": "active", "release": "1.0", "path": "srv"}, "path: 'srv'"),
    ({"state": "active", "release": "1.0", "path": "/"}, "path: '/'"),
    ({"state": "active", "release": "1.0", "min_healthy": 20, "timeout": 10}, "min_healthy"),
    ({"state": "active", "release": "1.0", "health": [{"tcp": {"port": 99999}}]}, "99999"),
    ({"state": "active", "release": "1.0", "slot": "blue"}, "slot: 'blue'"),
    ({"state": "pruned", "keep": -1}, "keep: -1"),
    ({"state": "pruned", "protect": ["a/b"]}, "protect: 'a/b'"),
    ({"state": "gone"}, "state: 'gone'"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=[message for _options, message in WRONG])
def test_bad_input_is_refused_with_a_remedy_and_nothing_is_made(host: Host, options: dict[str, Any], message: str) -> None:
    options = dict(options)
    with pytest.raises(FraisierError) as caught:
        host.call(options.pop("state"), options.pop("release", None), **options)
    assert message in str(caught.value)
    assert caught.value.hint
    assert caught.value.category == "VALIDATION"
    assert not host.root.exists()


@given(st.text())
def test_a_name_that_passes_for_a_version_is_one_plain_folder_name(name: str) -> None:
    try:
        check_release_name(name)
    except ValidationError:
        return
    assert 1 <= len(name) <= 128
    assert name.isascii()
    assert Path(name).name == name
    assert name not in (".", "..")
    assert not name.startswith((".", "-"))
    assert not any(character.isspace() or ord(character) < 0x20 for character in name)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}", fullmatch=True))
def test_every_usual_version_passes(name: str) -> None:
    check_release_name(name)


@pytest.mark.parametrize("name", ["1.0\n", "", "a" * 129, "-1", ".hidden", "a/b", "1 0", "1.0\0", "é1"])
def test_what_is_no_version_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="is not a version"):
        check_release_name(name)
