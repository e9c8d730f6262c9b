# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrated stores on all three databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store with the newest schema, once on each kind of database."""
    # Not at the top: pytest reads this file before Ansible's loader for collections is in place.
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store

    with Store.connect(store_url) as connected:
        connected.migrate()
        yield connected
