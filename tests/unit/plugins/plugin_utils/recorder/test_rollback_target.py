# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a rollback without a version goes."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.queries import earlier_good


def successes(*told: str) -> list[dict]:
    """Newest first, from words in the order of time: "1.0", or "1.1>1.0" for a rollback that left 1.1."""
    rows = []
    for word in told:
        left, _arrow, version = word.rpartition(">")
        rows.insert(0, {"version": version, "kind": "rollback" if left else "deploy", "previous_version": left or None})
    return rows


def test_the_version_before_the_one_in_place():
    assert earlier_good(successes("1.0", "1.1", "1.2")) == "1.1"


def test_a_second_rollback_goes_further_back_not_forward_again():
    assert earlier_good(successes("1.0", "1.1", "1.2", "1.2>1.1")) == "1.0"


def test_a_version_that_was_deployed_again_after_it_was_left_counts_again():
    assert earlier_good(successes("1.0", "1.1", "1.1>1.0", "1.1", "1.2")) == "1.1"


def test_redeploying_the_same_version_is_no_earlier_one():
    assert earlier_good(successes("1.0", "1.1", "1.1")) == "1.0"


def test_nothing_before_the_first():
    assert earlier_good(successes("1.0")) is None
    assert earlier_good([]) is None
