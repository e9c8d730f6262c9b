# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host remembers of its releases (state.json): which was good, which failed, and how each was run and checked."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.module_utils.files import forget, move, read_json, to_json, write_atomically, write_new

HISTORY_LENGTH = 50
RUN_OPTIONS = ("service", "environment", "health", "min_healthy", "interval")
COMPARED = ("service", "environment")


def run_options(params):
    """How a release is run and checked: what going back to it needs, since the checks of another version may ask for that version's answers."""
    return {name: _without_none(params.get(name)) for name in RUN_OPTIONS}


def _without_none(value):
    if isinstance(value, dict):
        return {key: _without_none(member) for key, member in value.items() if member is not None}
    if isinstance(value, (list, tuple)):
        return [_without_none(member) for member in value]
    return value


class HostState:
    """The contents of state.json: {current, previous, last_good, activated_at, journal, failed, runs, history}.

    ``failed``: {version: time} of releases that were turned back. ``runs``: {version: run_options} of activated ones. ``journal``: the id of the
    last activation that ended well. Methods change the copy in memory; ``write`` or ``prepare`` and ``commit`` bring it to the disk.
    """

    def __init__(self, path):
        self.path = path
        self.prepared_path = path + ".next"
        data = read_json(path) or {}
        self.current = data.get("current")
        self.previous = data.get("previous")
        self.last_good = data.get("last_good")
        self.activated_at = data.get("activated_at")
        self.journal = data.get("journal")
        self.failed = dict(data.get("failed") or {})
        self.runs = dict(data.get("runs") or {})
        self.former = data.get("former")
        self.history = list(data.get("history") or [])

    def _data(self):
        return {
            "current": self.current,
            "previous": self.previous,
            "last_good": self.last_good,
            "activated_at": self.activated_at,
            "journal": self.journal,
            "failed": self.failed,
            "runs": self.runs,
            "former": self.former,
            "history": self.history[-HISTORY_LENGTH:],
        }

    def is_run_as(self, version, params):
        """Whether ``version`` was activated with the service and environment of ``params``."""
        known, wanted = self.runs.get(version), run_options(params)
        return known is not None and all(known.get(name) == wanted[name] for name in COMPARED)

    def activated(self, version, origin, params, journal, at):
        """``version`` became live in the place of ``origin``."""
        if origin is not None and origin != version:
            self.previous = origin
        self.current, self.activated_at, self.journal = version, at, journal
        self.failed.pop(version, None)
        # The live version activated anew with other options: going back means the same version as it was run before.
        self.former = {"version": version, "run": self.runs[version]} if origin == version and version in self.runs else None
        self.runs[version] = run_options(params)
        self.history.append({"version": version, "at": at, "outcome": "activated"})

    def stopped(self, at):
        """Nothing is live any more."""
        self.history.append({"version": self.current, "at": at, "outcome": "stopped"})
        self.current = self.activated_at = self.former = None

    def turned_back(self, version, origin, at, blame):
        """``version`` was turned back and ``origin`` (None: nothing) is live; ``blame``: whether the release itself is at fault."""
        if origin != self.current:
            self.current, self.activated_at = origin, at if origin is not None else None
        if blame and version != origin:
            self.failed[version] = at
        self.history.append({"version": version, "at": at, "outcome": "turned back"})

    def forget(self, version):
        """``version`` has been removed from the host."""
        self.failed.pop(version, None)
        self.runs.pop(version, None)
        if self.previous == version:
            self.previous = None
        if self.last_good == version:
            self.last_good = None

    def write(self):
        """Write now."""
        write_atomically(self.path, to_json(self._data()))

    def prepare(self):
        """Write everything beside the file, so that commit needs no room on the disk."""
        write_new(self.prepared_path, to_json(self._data()))

    def commit(self):
        """Make what was prepared valid, in one step."""
        move(self.prepared_path, self.path)

    def drop_prepared(self):
        """What was prepared will not come."""
        forget(self.prepared_path)
