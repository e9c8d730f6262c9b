# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns what a test session started, so that a later session can remove what a killed one left behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

LONGEST_SCRATCH = 40  # a Unix socket's whole path must stay under 108 bytes


@dataclass(frozen=True)
class Owner:
    """A process, told apart from a later one with the same number: by its start time, its pid namespace and the machine's boot."""

    pid: int
    started: int
    namespace: str
    boot: str

    def __str__(self) -> str:
        return f"{self.pid}.{self.started}.{self.namespace}.{self.boot}"

    @classmethod
    def parse(cls, text: str) -> Owner:
        """The inverse of ``str()``."""
        pid, started, namespace, boot = text.split(".")
        return cls(int(pid), int(started), namespace, boot)

    def is_dead(self) -> bool:
        """Whether it surely runs no more; a process of another pid namespace cannot be seen from here and counts as alive."""
        if self.boot != boot_id():
            return True
        return self.namespace == pid_namespace() and start_time(self.pid) != self.started


def start_time(pid: int) -> int | None:
    """Clock ticks after boot at which ``pid`` started; None when there is no such process (or it only waits to be reaped)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def boot_id() -> str:
    """What names this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def pid_namespace() -> str:
    """Number of the pid namespace this process lives in."""
    return str(Path("/proc/self/ns/pid").stat().st_ino)


def owner(pid: int | None = None) -> Owner:
    """The owner mark of ``pid`` (default: this process)."""
    number = os.getpid() if pid is None else pid
    return Owner(number, start_time(number) or 0, pid_namespace(), boot_id())


def _open_to_all(path: Path) -> bool:
    return all(folder.is_dir() and folder.stat().st_mode & 0o001 for folder in [path, *path.parents])


def scratch(purpose: str) -> Path:
    """A new private folder with a short path that other users can be let into; such folders of dead owners are removed."""
    roots = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    root = next((path for path in roots if len(str(path)) <= LONGEST_SCRATCH and _open_to_all(path) and os.access(path, os.W_OK)), roots[0])
    prefix = f"frz-{purpose}-"
    for left in root.glob(f"{prefix}*"):
        try:
            dead = Owner.parse((left / "owner").read_text(encoding="ascii")).is_dead()
        except (OSError, ValueError):
            continue
        if dead:
            shutil.rmtree(left, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
    (made / "owner").write_text(str(owner()), encoding="ascii")
    return made
