# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve the store's figures to Prometheus: ``python monitoring/exporter.py --help``.

This file only finds the collection that it is part of; what it does lies in monitoring/export.
"""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

COLLECTION = "ansible_collections.fraisier.deploy"


def locate() -> None:
    """Make the collection importable from the folder that this file lies in, be it a checkout of any name or an installed collection."""
    root = Path(__file__).resolve().parent.parent
    name = ""
    for part in COLLECTION.split("."):
        name = f"{name}.{part}" if name else part
        package = types.ModuleType(name)
        package.__path__ = [str(root)] if name == COLLECTION else []
        sys.modules[name] = package


def main() -> int:
    """Run the exporter; its exit code."""
    locate()
    from ansible_collections.fraisier.deploy.monitoring.export.command import run

    return run(sys.argv[1:], os.environ, sys.stdout)


if __name__ == "__main__":
    raise SystemExit(main())
