# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backing the store up and bringing a backup back, as playbooks ask it. Both are asked apart from the recorder's own connection: see Job.apart."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.settings import state_folder
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.backup import back_up, suffix_for
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.restore import restore


def answer_apart(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to the query ``backup`` or ``restore``."""
    url, limit, replace = str(request["store_url"]), float(request["time_limit"]), bool(request["replace"])
    check, by = bool(request["check"]), str(request["by"])
    if request["query"] == "backup":
        path, make = target(request.get("path"), url), not request.get("path")
        return back_up(url, path, verify=bool(request["verify"]), replace=replace, time_limit=limit, by=by, check=check, make=make)
    if not request.get("path"):
        raise ValidationError("path is missing", hint="Name the backup: -e path=/var/backups/fraisier/store.db", context={"option": "path"})
    return restore(url, Path(str(request["path"])), replace=replace, time_limit=limit, by=by, run=str(request["run"]), check=check)


def target(given: object, url: str) -> Path:
    """Where a backup goes: the file that was named, else a new name in the folder that was named, else in the state folder of this user."""
    path = Path(str(given)) if given else state_folder() / "backups"
    if path.is_dir() or not given:
        return path / f"store-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.{suffix_for(url)}"
    return path
