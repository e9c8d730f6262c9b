# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of an activation: open while a host moves from one release to another, so that the next call knows where it came from."""

from __future__ import annotations

import contextlib
import os

from ansible_collections.fraisier.deploy.plugins.module_utils.files import forget, fsync_folder, read_json, to_json, utc_now, write_atomically


class Journal:
    """One entry in the file ``path``: {id, from, to, service, phase: switch | revert, at}. No file means that no activation is under way."""

    def __init__(self, path):
        self.path = path

    def read(self):
        """The open entry, or None."""
        return read_json(self.path)

    def open(self, origin, target, service):
        """Write down, before anything changes, that the host moves from ``origin`` (None: nothing) to ``target``, run as ``service``; returns the entry."""
        entry = {"id": os.urandom(8).hex(), "from": origin, "to": target, "service": service, "phase": "switch", "at": utc_now()}
        write_atomically(self.path, to_json(entry))
        return entry

    def mark(self, entry, phase):
        """Say where the activation is. Only for people who look: a full disk must not keep a host from going back."""
        with contextlib.suppress(OSError):
            write_atomically(self.path, to_json(dict(entry, phase=phase)))

    def close(self):
        """The activation has ended, one way or the other."""
        if forget(self.path):
            fsync_folder(os.path.dirname(self.path))
