# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: PTH100, PTH110, PTH120, PTH123
"""An interpreter for a host, named in ansible_python_interpreter: stands still at one exact call that changes the disk or starts a program.

``at.json`` beside this file arms it: {from, number, tear}. Counting begins at the first such call with ``from`` in a path; at the ``number``-th it writes
``mark`` (the call's name and path) and waits until ``go`` is there. With ``tear`` a write is half done first. Without ``at.json`` it is Python itself.
Its first line on the host is ``#!/usr/bin/python3 -IS``.
"""

import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
CALLS = ("chmod", "fchmod", "fsync", "ftruncate", "link", "mkdir", "open", "rename", "rmdir", "symlink", "unlink", "utime", "write")
PATIENCE_SECONDS = 60.0
genuine_open, genuine_write, genuine_rename = os.open, os.write, os.rename


class Trap:
    """Counts calls and stands still at the wanted one."""

    def __init__(self, wanted):
        self.wanted, self.count, self.begun = wanted, 0, False

    def passes(self, name, words):
        """Whether the call is the wanted one (it then has stood still already, but for a write that is to be torn)."""
        told = " ".join(str(word) for word in words if isinstance(word, str))
        self.begun = self.begun or self.wanted["from"] in told
        self.count += self.begun
        if not self.begun or self.count != self.wanted["number"]:
            return False
        if name != "write" or not self.wanted["tear"]:
            self.stand_still(name + " " + told[-60:])
        return True

    def stand_still(self, told):
        """Say where, and wait."""
        descriptor = genuine_open(HERE + "/mark.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        genuine_write(descriptor, told.encode())
        os.close(descriptor)
        genuine_rename(HERE + "/mark.new", HERE + "/mark")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not os.path.exists(HERE + "/go") and time.monotonic() < deadline:
            time.sleep(0.02)


def arm(trap):
    """Put the trap before every call."""

    def wrap(name, genuine):
        def call(*words, **options):
            if trap.passes(name, words) and name == "write" and trap.wanted["tear"]:
                genuine(words[0], bytes(words[1])[: len(words[1]) // 2])
                trap.stand_still("write, torn")
            return genuine(*words, **options)

        return call

    for name in CALLS:
        setattr(os, name, wrap(name, getattr(os, name)))
    begin = subprocess.Popen.__init__

    def start(self, arguments, *words, **options):
        trap.passes("start", [arguments] if isinstance(arguments, str) else [str(word) for word in arguments])
        begin(self, arguments, *words, **options)

    subprocess.Popen.__init__ = start


def main():
    words = sys.argv[1:]
    if "-c" not in words or not os.path.exists(HERE + "/at.json"):
        os.execv(PYTHON, [PYTHON, *words])
    code = words[words.index("-c") + 1]
    with open(HERE + "/at.json") as stream:
        arm(Trap(json.load(stream)))
    sys.argv = ["-c"]
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})


main()
