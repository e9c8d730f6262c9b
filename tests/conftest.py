# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every test sees the collection as Ansible does: in a real ansible_collections tree made from the checkout."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def _mirror() -> Path:
    specification = importlib.util.spec_from_file_location("fraisier_tree", CHECKOUT / "scripts" / "tree.py")
    tree = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(tree)
    return tree.mirror(CHECKOUT / "build" / "tree")


if "ansible_collections" not in CHECKOUT.parts:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        _mirror()
    TREE = CHECKOUT / "build" / "tree"
else:
    TREE = CHECKOUT.parent.parent.parent
os.environ["ANSIBLE_COLLECTIONS_PATH"] = os.pathsep.join([str(TREE), str(CHECKOUT / "build" / "collections")])
sys.path.insert(0, str(TREE))
