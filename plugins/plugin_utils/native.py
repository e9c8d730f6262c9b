# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values at the edge of Ansible: tagged strings, lazy templates and vaulted texts as plain Python."""

from __future__ import annotations

from typing import Any

from ansible.utils.vars import transform_to_native_types


def to_native(value: Any) -> Any:
    """``value`` with nothing of Ansible's own types left in it; vaulted texts become a placeholder."""
    return transform_to_native_types(value)
