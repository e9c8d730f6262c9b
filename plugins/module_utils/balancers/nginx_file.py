# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of server lines that an nginx ``upstream`` block includes. It is ours: what is in it is the state of the backend.

A line as a person writes it first: ``server 10.0.0.1:8000 weight=3 max_fails=2; # web1``. As we write it: the same parameters, the weight as it is
now, ``down`` when no requests come, and a comment that keeps what the weight was: ``# web1 own=3 percent=10``.
"""

from __future__ import annotations

import re

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ProviderConfigurationError

HEAD = "# Written by fraisier.deploy: the servers of one upstream. Add or remove lines here; it keeps weight and down.\n"
LINE = re.compile(r"^server\s+(?P<address>[^\s;#{}]+)(?P<parameters>[^;#{}]*);\s*(?:#\s*(?P<comment>.*))?\Z")
ADDRESS = re.compile(r"^(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?\Z")


class Line:
    """One server: ``name``, ``address`` as written, ``own`` weight, ``percent`` of it, ``drained``, and its other ``parameters`` (list of texts)."""

    __slots__ = ("address", "drained", "name", "own", "parameters", "percent")

    def __init__(self, name, address, own, percent, drained, parameters):
        self.name = name
        self.address = address
        self.own = own
        self.percent = percent
        self.drained = drained
        self.parameters = parameters

    @property
    def host_and_port(self):
        """(host, port) as nginx takes the address."""
        found = ADDRESS.match(self.address)
        return found.group("host").strip("[]"), int(found.group("port") or 80)


def parse(text, path):
    """The Lines of the file; ProviderConfigurationError names the line that is no server."""
    lines, names = [], set()
    for number, raw in enumerate(text.splitlines(), start=1):
        stripped = raw.strip()
        if not stripped or stripped.startswith("#"):
            continue
        found = LINE.match(stripped)
        if found is None or ADDRESS.match(found.group("address")) is None:
            raise _refused(path, number, stripped, "is no server line such as: server 10.0.0.1:8000; # web1")
        line = _line(found, path, number, stripped)
        if line.name in names:
            raise _refused(path, number, stripped, "names {0} a second time".format(line.name))
        names.add(line.name)
        lines.append(line)
    return lines


def _line(found, path, number, stripped):
    words = (found.group("comment") or "").split()
    kept = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    own, drained, parameters = 1, False, []
    for parameter in found.group("parameters").split():
        if parameter.startswith("weight="):
            own = parameter[len("weight=") :]
        elif parameter == "down":
            drained = True
        else:
            parameters.append(parameter)
    try:
        own, percent = int(kept.get("own", own)), int(kept.get("percent", 100))
    except ValueError:
        raise _refused(path, number, stripped, "has a weight that is no number") from None
    if own < 1 or not 0 <= percent <= 100:
        raise _refused(path, number, stripped, "has a weight that cannot be")
    if percent == 0 and "drained" not in words:
        drained = False  # down, because none of its weight is left
    return Line(words[0] if words else found.group("address"), found.group("address"), own, percent, drained, parameters)


def _refused(path, number, line, reason):
    return ProviderConfigurationError(
        "{0}: line {1}: {2!r} {3}".format(path, number, line[:100], reason),
        infrastructure=True,
        hint="Write one server a line, with its name behind #, and nothing else.",
        context={"option": "nginx.include", "value": path, "line": number},
    )


def render(lines):
    """The text of the file. Weights stand in the relation of own weight times percent, in the smallest numbers."""
    shares = {line.name: line.own * line.percent for line in lines}
    common = 0
    for share in shares.values():
        common = _divisor(common, share)
    text = HEAD
    for line in lines:
        share = shares[line.name]
        words = ["server", line.address]
        if share:
            words.append("weight={0}".format(share // common))
        words += line.parameters
        if line.drained or not share:
            words.append("down")
        comment = "{0} own={1} percent={2}{3}".format(line.name, line.own, line.percent, " drained" if line.drained else "")
        text += "{0}; # {1}\n".format(" ".join(words), comment)
    return text


def _divisor(one, other):
    while other:
        one, other = other, one % other
    return one
