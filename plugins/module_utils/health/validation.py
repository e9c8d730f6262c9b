# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold entries of the option ``health`` against what can be written; every complaint names the option, the value and the remedy."""

from __future__ import annotations

import os
import re

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.module_utils.health.options import HEALTH_OPTIONS, LEAVES, QUORUM_OPTIONS
from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import redact_url

MAX_DEPTH = 5
STATUS_RANGE = re.compile(r"^([1-5]\d\d)(?:-([1-5]\d\d))?$")
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def check_health_options(checks):
    """The entries of ``health`` (a list of dicts, or None) with every default filled in: [(kind, options)], composites with their members built likewise.

    Raises ValidationError at the first thing that cannot work: not exactly one kind in an entry, an unknown key, a URL that is not http(s), a port
    out of range, a quorum larger than its members, a status that is none.
    """
    return _entries(checks, "health", 0)


def check_timing(min_healthy, interval, deadline):
    """Raise ValidationError when ``min_healthy`` seconds in a row, looked at every ``interval``, can never be reached within ``deadline``."""
    if interval <= 0:
        raise ValidationError("interval: {0:g} is not more than 0".format(interval), hint="Give seconds between two looks, such as 1.")
    if min_healthy < 0:
        raise ValidationError("min_healthy: {0:g} is negative".format(min_healthy), hint="Give seconds, 0 when one passing look is enough.")
    if deadline <= 0:
        raise ValidationError("timeout: {0:g} is not more than 0".format(deadline), hint="Give seconds, such as 300.")
    if min_healthy >= deadline:
        raise ValidationError(
            "min_healthy: {0:g} s in a row cannot be reached within a timeout of {1:g} s".format(min_healthy, deadline),
            hint="Give min_healthy less than timeout.",
        )


def secret_values(checks):
    """Texts in ``checks`` (validated or not) that must never be shown: the values of all request headers, at any depth."""
    found = []
    if isinstance(checks, dict):
        for key, value in checks.items():
            if key == "headers" and isinstance(value, dict):
                found += [str(text) for text in value.values()]
            else:
                found += secret_values(value)
    elif isinstance(checks, (list, tuple)):
        for member in checks:
            found += secret_values(member)
    return found


def _entries(checks, where, depth):
    if checks is None:
        return []
    if not isinstance(checks, (list, tuple)):
        raise _wrong(where, checks, "is not a list of checks", "Write a list such as [{http: {url: ...}}].")
    if depth > MAX_DEPTH:
        raise ValidationError("{0}: checks are nested deeper than {1}".format(where, MAX_DEPTH), hint="Flatten any, all and quorum.")
    return [_entry(check, "{0}[{1}]".format(where, index), depth) for index, check in enumerate(checks)]


def _entry(check, where, depth):
    if not isinstance(check, dict):
        raise _wrong(where, check, "is not a check", "Write one of {0} with its options.".format(", ".join(HEALTH_OPTIONS)))
    unknown = sorted(set(check) - set(HEALTH_OPTIONS))
    if unknown:
        raise _wrong(where, unknown[0], "is not a kind of check", "Use one of: {0}.".format(", ".join(HEALTH_OPTIONS)))
    given = sorted(kind for kind, options in check.items() if options is not None)
    if len(given) != 1:
        raise _wrong(
            where, ", ".join(given) or "nothing", "is not exactly one kind of check", "Give one of {0} in each entry.".format(", ".join(HEALTH_OPTIONS))
        )
    kind = given[0]
    where = "{0}.{1}".format(where, kind)
    if kind in ("any", "all"):
        return kind, {"of": _members(check[kind], where, depth)}
    options = _options(check[kind], QUORUM_OPTIONS if kind == "quorum" else LEAVES[kind], where)
    if kind == "quorum":
        options["of"] = _members(options["of"], where + ".of", depth)
        if not 1 <= options["count"] <= len(options["of"]):
            raise _wrong(where + ".count", options["count"], "is not between 1 and the {0} members".format(len(options["of"])), "Count members that must pass.")
    else:
        RULES[kind](options, where)
    return kind, options


def _members(members, where, depth):
    built = _entries(members, where, depth + 1)
    if not built:
        raise _wrong(where, members, "has no members", "List at least one check.")
    return built


def _options(given, known, where):
    """``given`` with defaults and converted types; unknown and missing options are refused."""
    if not isinstance(given, dict):
        raise _wrong(where, given, "is not a dict of options", "Its options are: {0}.".format(", ".join(sorted(known))))
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise _wrong(where, unknown[0], "is not an option", "Its options are: {0}.".format(", ".join(sorted(known))))
    options = {}
    for name, spec in known.items():
        value = given.get(name)
        if value is None:
            if spec.get("required"):
                raise ValidationError("{0}.{1} is missing".format(where, name), hint="Give {0} ({1}).".format(name, spec["type"]))
            options[name] = spec.get("default")
            continue
        options[name] = _converted(value, spec["type"], "{0}.{1}".format(where, name))
        if "choices" in spec and options[name] not in spec["choices"]:
            raise _wrong("{0}.{1}".format(where, name), value, "is not a choice", "Use one of: {0}.".format(", ".join(spec["choices"])))
    return options


def _converted(value, kind, where):
    """``value`` as ``kind``, by the rules Ansible has for options."""
    try:
        if kind == "bool":
            return _boolean(value)
        if kind == "int" and not isinstance(value, bool) and float(value) == int(float(value)):
            return int(float(value))
        if kind == "float" and not isinstance(value, bool) and float(value) == float(value):
            return float(value)
        if kind in ("str", "path") and not isinstance(value, (dict, list)):
            return os.path.expanduser(os.path.expandvars(str(value))) if kind == "path" else str(value)
        if kind == "list" and isinstance(value, (list, tuple)):
            return list(value)
        if kind == "dict" and isinstance(value, dict):
            return dict(value)
        if kind == "raw":
            return value
    except (TypeError, ValueError, OverflowError):
        pass
    raise _wrong(where, "a hidden value" if where.endswith("headers") else value, "is not a {0}".format(kind), "Give a {0}.".format(kind))


def _boolean(value):
    text = str(value).lower()
    if text not in TRUE + FALSE:
        raise ValueError(text)
    return text in TRUE


def _check_http(options, where):
    from urllib.parse import urlsplit

    url = options["url"]
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or re.search(r"[\x00-\x20\x7f]", url):
        raise _wrong(where + ".url", redact_url(url), "is not an http or https URL", "Write it whole, such as http://127.0.0.1:8000/health.")
    options["status"] = _statuses(options["status"], where + ".status")
    _check_timeout(options, where)
    _check_regex(options["body_regex"], where + ".body_regex")
    for name, value in options["headers"].items():
        if re.search(r"[\r\n\x00]", "{0}{1}".format(name, value)) or not re.match(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", str(name)):
            raise ValidationError("{0}.headers: the header {1!r} cannot be sent".format(where, name), hint="Name and value must each be one line.")
    if options["method"] == "HEAD" and (options["body"] or options["body_regex"] or options["json"] or options["version_path"]):
        raise _wrong(where + ".method", "HEAD", "gets no body to check", "Use GET, or leave out body, body_regex, json and version_path.")
    if options["client_key"] and not options["client_cert"]:
        raise _wrong(where + ".client_key", options["client_key"], "is given without client_cert", "Give both.")


def _check_tcp(options, where):
    if not 1 <= options["port"] <= 65535:
        raise _wrong(where + ".port", options["port"], "is not a port", "Give a number from 1 to 65535.")
    if not options["host"]:
        raise _wrong(where + ".host", "", "is empty", "Give a name or an address.")
    _check_timeout(options, where)


def _check_exec(options, where):
    command = options["command"]
    if not command or not all(isinstance(word, (str, int, float)) for word in command) or not str(command[0]):
        raise _wrong(where + ".command", command, "is not a command", "Give a list of words, such as [curl, --fail, http://127.0.0.1].")
    options["command"] = [str(word) for word in command]
    _check_timeout(options, where)


def _check_systemd(options, where):
    if not re.match(r"^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*$", options["unit"]):
        raise _wrong(where + ".unit", options["unit"], "is not the name of a unit", "Give a name such as shop-api.service.")


RULES = {"exec": _check_exec, "http": _check_http, "systemd": _check_systemd, "tcp": _check_tcp}


def _statuses(value, where):
    """[(lowest, highest)] from 200, "200", "200-299" or a list of such."""
    ranges = []
    for item in value if isinstance(value, (list, tuple)) else [value]:
        match = None if isinstance(item, bool) else STATUS_RANGE.match(str(item))
        low, high = (int(match.group(1)), int(match.group(2) or match.group(1))) if match else (1, 0)
        if low > high:
            raise _wrong(where, item, "is not an HTTP status", "Give 100 to 599, a range such as 200-299, or a list of such.")
        ranges.append((low, high))
    if not ranges:
        raise _wrong(where, value, "is empty", "Give at least one status.")
    return ranges


def _check_regex(pattern, where):
    try:
        re.compile(pattern or "")
    except re.error as error:
        raise _wrong(where, pattern, "is not a regular expression: {0}".format(error), "Correct it; a literal text goes into body.") from error


def _check_timeout(options, where):
    if not 0 < options["timeout"] <= 3600:
        raise _wrong(where + ".timeout", options["timeout"], "is not a time", "Give seconds, more than 0 and at most 3600.")


def _wrong(where, value, complaint, remedy):
    return ValidationError("{0}: {1!r} {2}".format(where, value, complaint), hint=remedy, context={"option": where})
