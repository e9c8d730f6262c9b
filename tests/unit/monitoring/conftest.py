# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store in a file of its own, and the exporter's figures of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Url of a SQLite store whose file is not there yet."""
    return f"sqlite:///{tmp_path}/state/store.db"


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    """A migrated SQLite store."""
    # Not at the top: pytest reads this file before Ansible's loader for collections is in place.
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
    from tests.unit.plugins.plugin_utils.store.builders import empty_store

    empty_store(tmp_path / "state" / "store.db")
    with Store.connect(url) as connected:
        yield connected


@pytest.fixture
def scrape(url: str) -> Callable[[], str]:
    """One scrape of the store at ``url``, by a collector of its own, as text."""
    from prometheus_client import CollectorRegistry, generate_latest

    from ansible_collections.fraisier.deploy.monitoring.export.collector import StoreCollector
    from ansible_collections.fraisier.deploy.monitoring.export.reading import Reader

    def exposition() -> str:
        registry = CollectorRegistry()
        registry.register(StoreCollector(Reader(url, timeout=5.0)))
        return generate_latest(registry).decode()

    return exposition
