# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events that wait for the store, on disk: one JSON line each, appended and synced, replayed in order, then removed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path


def fingerprint(store_url: str) -> str:
    """Which store a spool is for: a digest of its URL without the password."""
    return hashlib.sha256(re.sub(r"://([^:@/]*):[^@]*@", r"://\1@", store_url).encode()).hexdigest()[:12]


class Spool:
    """One append-only file ``<fingerprint>.<name>.jsonl`` (0600) in ``folder`` (0700), locked by its writer from the first line to the last."""

    def __init__(self, folder: Path, store_url: str, name: str) -> None:
        self.folder = folder
        self.path = folder / f"{fingerprint(store_url)}.{name}.jsonl"
        self._descriptor = -1

    def append(self, lines: Sequence[bytes]) -> int:
        """Add whole lines and sync them; returns how many. Raises OSError when the disk refuses."""
        if not lines:
            return 0
        if self._descriptor < 0:
            self._descriptor = self._open()
        block = b"".join(lines)
        while block:
            block = block[os.write(self._descriptor, block) :]
        os.fsync(self._descriptor)
        return len(lines)

    def _open(self) -> int:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # A replaying run may have removed the name between the two calls above; then the next round makes a new file.
            if self.path.exists() and os.path.samestat(os.fstat(descriptor), self.path.stat()):
                return descriptor
            os.close(descriptor)

    def exists(self) -> bool:
        """Whether anything waits here."""
        return self.path.exists()

    def remove(self) -> None:
        """Forget the file once all of it is stored."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of the file; what it holds stays for the next run."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def read_lines(path: Path, offset: int = 0, lines: int = 500) -> tuple[list[bytes], int]:
    """Up to ``lines`` whole lines from ``offset`` and the offset after them. A torn last line is left out."""
    found: list[bytes] = []
    with path.open("rb") as stream:
        stream.seek(offset)
        for line in stream:
            if not line.endswith(b"\n") or len(found) == lines:
                break
            found.append(line)
            offset += len(line)
    return found, offset


def left_behind(folder: Path, store_url: str) -> list[Path]:
    """Spool files for the same store, oldest first; a living writer holds its own locked (see :class:`Claim`)."""
    return sorted(folder.glob(f"{fingerprint(store_url)}.*.jsonl"))


class Claim:
    """Exclusive hold on a spool file while it is replayed; entering answers False when its writer lives or another run replays it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> bool:
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return self._path.exists()

    def __exit__(self, *_exception: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
