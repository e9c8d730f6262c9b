# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a process is: a pid alone is not enough, since pids are used again."""

from __future__ import annotations

import json
import os
import signal


class ProcessRecord:
    """A process that was started: ``pid`` (also its session and process group), ``started`` in clock ticks since boot, ``boot`` the kernel's boot id."""

    __slots__ = ("boot", "pid", "started")

    def __init__(self, pid, started, boot):
        self.pid = pid
        self.started = started
        self.boot = boot

    @classmethod
    def of(cls, pid):
        """The record of the living process ``pid``; None when there is none."""
        stat = read_stat(pid)
        return cls(pid, stat["started"], boot_id()) if stat else None

    @classmethod
    def load(cls, path):
        """The record in the file ``path``; None when it is missing or not one."""
        try:
            with open(path, encoding="utf-8") as stream:
                data = json.load(stream)
            return cls(int(data["pid"]), int(data["started"]), str(data["boot"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, path):
        """Write the record to ``path``, complete or not at all."""
        part = "{0}.{1}.part".format(path, os.getpid())
        with open(part, "w", encoding="utf-8") as stream:
            json.dump({"pid": self.pid, "started": self.started, "boot": self.boot}, stream)
        os.replace(part, path)

    def alive(self):
        """Whether this very process runs (a zombie does not)."""
        stat = read_stat(self.pid)
        return bool(stat) and stat["state"] not in "ZX" and stat["started"] == self.started and self.boot == boot_id()

    def members(self):
        """Pids of the living processes of its session, itself included: also those that it left behind when it died."""
        leader = read_stat(self.pid)
        if self.boot != boot_id() or (leader and leader["started"] != self.started):
            return []  # the pid names another process now, so its session is not ours
        found = []
        for name in os.listdir("/proc"):
            stat = read_stat(int(name)) if name.isdigit() else None
            if stat and stat["session"] == self.pid and stat["state"] not in "ZX" and stat["started"] >= self.started:
                found.append(int(name))
        return found

    def signal_members(self, number):
        """Send signal ``number`` to every member of the session."""
        for pid in self.members():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue


def read_stat(pid):
    """{state, session, started} of process ``pid`` from /proc; None when there is none."""
    try:
        with open("/proc/{0}/stat".format(pid), "rb") as stream:
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return None
    # The command's name stands in brackets and may hold blanks and brackets itself.
    fields = text.rpartition(")")[2].split()
    if len(fields) < 20:
        return None
    return {"state": fields[0], "session": int(fields[3]), "started": int(fields[19])}


def boot_id():
    """The kernel's id of this boot, "" when it does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def signal_number(name):
    """The number of signal ``name`` (``TERM``, ``SIGTERM`` or ``15``); ValueError when there is none."""
    text = str(name).strip().upper()
    if text.isdigit():
        return int(signal.Signals(int(text)))
    try:
        return int(signal.Signals[text if text.startswith("SIG") else "SIG" + text])
    except KeyError:
        raise ValueError("no signal is called {0}".format(name)) from None
