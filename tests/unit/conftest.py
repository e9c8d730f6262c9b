# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit tests: the same examples in every run unless others are asked for, and their files in memory where there is room."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hypothesis import settings

MEMORY = Path("/dev/shm")
ROOM = 2 * 1024**3

# FRAISIER_EXAMPLES=new looks for examples that no run has tried before.
settings.register_profile("same", derandomize=True)
settings.register_profile("new", max_examples=1000)
settings.load_profile(os.environ.get("FRAISIER_EXAMPLES", "same"))


def _memory_serves() -> bool:
    if not os.access(MEMORY, os.W_OK | os.X_OK):
        return False
    return not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC and shutil.disk_usage(MEMORY).free > ROOM


# Crashes are tried at every call that changes the disk, and each of the thousands of releases is synced: half of the time would go there.
if _memory_serves():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
