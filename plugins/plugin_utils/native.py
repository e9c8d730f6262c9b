# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values at the edge of Ansible: tagged strings, lazy templates and vaulted texts as plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.vault import EncryptedString, is_encrypted
from ansible.utils.vars import transform_to_native_types

from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability.redaction import Vaulted

try:
    from ansible._internal._datatag._tags import Origin
except ImportError:  # Ansible's own affair, so it may move: then a file that is encrypted as a whole is known by its names only
    Origin = None

VAULT_HEAD_BYTES = 64


def to_native(value: Any) -> Any:
    """``value`` with nothing of Ansible's own types left in it; vaulted texts become a placeholder."""
    return transform_to_native_types(value)


def revealed(value: Any) -> Any:
    """Raw variables as plain values in which whatever came from a vault is ``Vaulted``; a vaulted text that cannot be opened here is left out."""
    if isinstance(value, EncryptedString):
        try:
            return Vaulted(str(value))
        except AnsibleError:
            return None  # without its password nobody else in this run can read it either
    if isinstance(value, Mapping):
        return {str(key): revealed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [revealed(item) for item in value]
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        origin = Origin.get_tag(value) if Origin is not None else None
        if origin is not None and origin.path and _is_vaulted_file(str(origin.path)):
            return Vaulted(value)
        return str(value) if isinstance(value, str) else value
    return None


@lru_cache(maxsize=1024)
def _is_vaulted_file(path: str) -> bool:
    try:
        with Path(path).open("rb") as stream:
            return bool(is_encrypted(stream.read(VAULT_HEAD_BYTES)))
    except OSError:
        return False
