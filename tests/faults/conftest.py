# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases and hosts of the testbed, and tables that are shown whether they hold or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.faults.record import Table
from tests.testbed.fixtures import *  # noqa: F403


@pytest.fixture
def table(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[str], Table]]:
    """Makes tables; each is printed at the end of its test."""
    made: list[Table] = []

    def make(name: str) -> Table:
        made.append(Table(name))
        return made[-1]

    yield make
    with capsys.disabled():
        for each in made:
            print(each.text())
