# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.naming import NAMED, named
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import Progress


@pytest.mark.parametrize(
    ("names", "most", "line"),
    [
        ([], NAMED, ""),
        (["a"], NAMED, "a"),
        (["a", "b"], 2, "a, b"),
        (["a", "b", "c", "d"], 2, "a, b and 2 more"),
        (dict.fromkeys("abc"), 1, "a and 2 more"),
    ],
)
def test_a_few_names_and_how_many_more(names: list[str], most: int, line: str) -> None:
    assert named(names, most) == line


def test_the_outcome_of_ten_thousand_hosts_is_a_line() -> None:
    progress = Progress.start("2.0", "1.0", [f"web{number}" for number in range(10_000)], 0)
    for name in progress.hosts:
        progress.record(name, "activate", "failed", None, {"code": "X"})
    progress.begin_undo()
    assert all(len(reason) < 500 for _status, reason in [progress.outcome()])
