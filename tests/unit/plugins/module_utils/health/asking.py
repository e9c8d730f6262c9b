# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP check, asked once."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.module_utils.health import probe


def look(url: str, *, version: str | None = None, **options):
    """The one row of an HTTP check, asked once."""
    return probe([{"http": {"url": url, "timeout": 2.0, **options}}], version=version).checks[0]
