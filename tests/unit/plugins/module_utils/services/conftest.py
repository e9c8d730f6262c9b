# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fraise's folder with a release that is current, and services in it that never outlive the test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.services import ServiceManager, service_manager


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Folder of a fraise whose current release is 1.0.0."""
    (tmp_path / "releases" / "1.0.0").mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/1.0.0")
    return tmp_path


@pytest.fixture
def service(root: Path) -> Iterator[Callable[..., ServiceManager]]:
    """service(code, environment=the fraise's, own_environment=the service's, **options): a manager ``process`` whose command runs that Python code."""
    made = []

    def make(code: str, *, environment: dict | None = None, own_environment: dict | None = None, **options) -> ServiceManager:
        options = {"environment": own_environment, "manager": "process", "command": [sys.executable, "-c", code], "stop_timeout": 5.0, **options}
        made.append(service_manager(options, root=str(root), environment=environment or {}))
        return made[-1]

    yield make
    for manager in made:
        manager.stop_timeout = 0.0
        manager.stop(5)
