# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""${message}"""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.ddl import create_index, create_table, create_view

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """Each step is safe to run again: MySQL and MariaDB cannot undo half a migration."""
    ${upgrades if upgrades else "pass"}
