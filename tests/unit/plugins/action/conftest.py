# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recorder that the actions find by the environment, as in a playbook run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    # Not at the top: pytest may read this file before Ansible's own importer of collections is in place.
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import SOCKET_VARIABLE
    from tests.unit.plugins.action.acting import recorder

    with tempfile.TemporaryDirectory(prefix="fraisier-") as folder, recorder(Path(folder)) as (found, path):  # a socket's path is short
        monkeypatch.setenv(SOCKET_VARIABLE, path)
        yield found
