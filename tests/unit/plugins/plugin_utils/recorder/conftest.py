# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store that a recorder of these tests finds, open beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A SQLite store with the newest schema and no rows."""
    # Not at the top: pytest reads this file before Ansible's loader for collections is in place.
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
    from tests.unit.plugins.plugin_utils.store.builders import empty_store

    empty_store(tmp_path / "store.db")
    with Store.connect(f"sqlite:///{tmp_path}/store.db") as connected:
        yield connected
