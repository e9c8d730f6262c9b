# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A staging that is bound to a digest takes the very content that the fleet runs, or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.pins import check_pinned, pin

SUM, OTHER = "a" * 64, "b" * 64
COMMIT = "c" * 40


def pinned(source: dict[str, Any], digest: str | None) -> dict[str, Any]:
    options = {"release": "1.1", "source": source}
    pin(options, digest)
    found: dict[str, Any] = options["source"]  # type: ignore[assignment]
    return found


def test_an_archive_is_held_to_the_sum() -> None:
    given = {"archive": {"src": "shop.tar.gz"}}
    assert pinned(given, f"sha256:{SUM}") == {"archive": {"src": "shop.tar.gz", "sha256": SUM}}
    assert given == {"archive": {"src": "shop.tar.gz"}}, "what the task gave is not changed"


def test_a_sum_that_was_given_must_be_the_same_however_it_is_written() -> None:
    assert pinned({"archive": {"src": "x", "sha256": f"sha256:{SUM.upper()}"}}, f"sha256:{SUM}")["archive"]["sha256"] == SUM
    with pytest.raises(ValidationError, match=f"fraise_source.archive.sha256: {OTHER} is not what the fleet has"):
        pinned({"archive": {"src": "x", "sha256": OTHER}}, f"sha256:{SUM}")


def test_a_tag_that_may_have_moved_is_replaced_by_the_commit() -> None:
    assert pinned({"git": {"repo": "r", "ref": "v1.1"}}, f"git:{COMMIT}") == {"git": {"repo": "r", "ref": COMMIT}}


def test_a_source_of_another_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="fraise_source: git is not what the fleet has"):
        pinned({"git": {"repo": "r", "ref": "v1.1"}}, f"sha256:{SUM}")
    with pytest.raises(ValidationError, match="fraise_source: archive is not what the fleet has"):
        pinned({"archive": {"src": "x"}}, f"git:{COMMIT}")


@pytest.mark.parametrize("digest", [None, ""])
def test_without_a_digest_nothing_is_bound(digest: str | None) -> None:
    assert pinned({"git": {"repo": "r", "ref": "v1.1"}}, digest) == {"git": {"repo": "r", "ref": "v1.1"}}
    check_pinned({"release": {"digest": f"sha256:{OTHER}"}}, digest)


def test_a_host_that_took_what_it_had_is_refused_when_that_is_another_content() -> None:
    check_pinned({"release": {"digest": f"sha256:{SUM}"}}, f"sha256:{SUM}")
    check_pinned({"release": {"digest": None}}, f"sha256:{SUM}")
    check_pinned({"failed": True, "release": {"digest": f"sha256:{OTHER}"}}, f"sha256:{SUM}")
    with pytest.raises(ValidationError, match="the release on this host"):
        check_pinned({"release": {"digest": f"sha256:{OTHER}"}}, f"sha256:{SUM}")
