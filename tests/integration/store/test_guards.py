# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The triggers of the audit on each database."""

from __future__ import annotations

from tests.unit.plugins.plugin_utils.store.test_guards import *  # noqa: F403
