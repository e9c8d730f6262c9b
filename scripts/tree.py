#!/usr/bin/env python3
# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mirror the checkout into a real ``ansible_collections/fraisier/deploy`` tree.

Ansible finds a collection only in such a tree, and ansible-test refuses a symbolic link to one.
Usage: ``tree.py [DESTINATION]`` (default ``build/tree``). Only what changed is copied; what left the checkout leaves the tree.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
SKIPPED_WITHOUT_GIT = {"build", "collections", "shared", "__pycache__"}


def source_files() -> list[str]:
    """Paths (relative, with ``/``) of what belongs to the collection: what git tracks or would track, or all files outside build folders."""
    listing = subprocess.run(
        ["git", "-C", str(CHECKOUT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if listing.returncode == 0:
        return sorted({name for name in listing.stdout.split("\0") if name and (CHECKOUT / name).is_file()})
    found = []
    for folder, folders, names in os.walk(CHECKOUT):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in SKIPPED_WITHOUT_GIT]
        found += [str((Path(folder) / name).relative_to(CHECKOUT)) for name in names]
    return sorted(found)


def differs(source: Path, target: Path) -> bool:
    """Whether ``target`` must be written again to equal ``source``."""
    if not target.exists():
        return True
    here, there = source.stat(), target.stat()
    return here.st_size != there.st_size or here.st_mtime_ns != there.st_mtime_ns or (here.st_mode & 0o111) != (there.st_mode & 0o111)


def mirror(destination: Path) -> Path:
    """Bring ``destination/ansible_collections/fraisier/deploy`` to the state of the checkout and return that path."""
    root = destination / "ansible_collections" / "fraisier" / "deploy"
    wanted = source_files()
    for name in wanted:
        source, target = CHECKOUT / name, root / name
        if differs(source, target):
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f"{target.name}.{os.getpid()}.part")
            shutil.copy2(source, part)
            part.replace(target)
    kept = set(wanted)
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in {".git", "output", "__pycache__"}]
        for name in names:
            path = Path(folder) / name
            if str(path.relative_to(root)) not in kept:
                path.unlink(missing_ok=True)
    return root


def main() -> int:
    """Command line entry: print the collection's path."""
    destination = Path(sys.argv[1]) if len(sys.argv) > 1 else CHECKOUT / "build" / "tree"
    print(mirror(destination.resolve()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
