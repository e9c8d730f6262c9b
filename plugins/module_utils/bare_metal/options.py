# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the provider: the argument_spec, and what no argument_spec can say."""

from __future__ import annotations

import os
import re

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ProviderConfigurationError, ValidationError
from ansible_collections.fraisier.deploy.plugins.module_utils.health.options import HEALTH_OPTIONS
from ansible_collections.fraisier.deploy.plugins.module_utils.services import SERVICE_OPTIONS

STATES = ("absent", "active", "inactive", "inspected", "pruned", "staged")
NEED_RELEASE = ("active", "staged")
RELEASE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}\Z")
MODE = re.compile(r"^0?[0-7]{3}\Z")

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["absent", "active", "inactive", "inspected", "pruned", "staged"], "default": "active"},
    "path": {"type": "path", "required": True},
    "release": {"type": "str"},
    "source": {
        "type": "dict",
        "options": {
            "archive": {
                "type": "dict",
                "options": {
                    "src": {"type": "str", "required": True},
                    "sha256": {"type": "str"},
                    "strip_components": {"type": "int", "default": 0},
                    "headers": {"type": "dict", "no_log": True},
                    "max_size": {"type": "int", "default": 4294967296},
                    "max_entries": {"type": "int", "default": 200000},
                },
            },
            "git": {
                "type": "dict",
                "options": {
                    "repo": {"type": "str", "required": True},
                    "ref": {"type": "str", "required": True},
                    "depth": {"type": "int", "default": 1},
                    "submodules": {"type": "bool", "default": False},
                },
            },
        },
        "mutually_exclusive": [("archive", "git")],
        "required_one_of": [("archive", "git")],
    },
    "shared": {"type": "list", "elements": "str", "default": []},
    "build": {"type": "raw"},
    "build_timeout": {"type": "float", "default": 900.0},
    "environment": {"type": "dict", "default": {}, "no_log": False},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "str"},
    "service": {"type": "dict", "options": SERVICE_OPTIONS},
    "health": {"type": "list", "elements": "dict", "default": [], "options": HEALTH_OPTIONS},
    "min_healthy": {"type": "float", "default": 10.0},
    "interval": {"type": "float", "default": 1.0},
    "timeout": {"type": "float", "default": 300.0},
    "lock_timeout": {"type": "float", "default": 60.0},
    "fence": {
        "type": "dict",
        "no_log": False,
        "options": {"token": {"type": "int", "required": True, "no_log": False}, "owner": {"type": "str"}, "owner_name": {"type": "str"}},
    },
    "keep": {"type": "int", "default": 5},
    "protect": {"type": "list", "elements": "str", "default": []},
    "good": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "as_recorded": {"type": "bool", "default": False},
    "slot": {"type": "str"},
}
"""The options of module bare_metal, as AnsibleModule takes them."""

REQUIRED_IF = [("state", "active", ["release"]), ("state", "staged", ["release", "source"])]


def check_release_name(name, option="release"):
    """Raise ValidationError unless ``name`` can be a version: it becomes a folder's name, so it may hold no path."""
    if not RELEASE_NAME.match(name):
        raise ValidationError(
            "{0}: {1!r} is not a version".format(option, name),
            hint="Use at most 128 letters, digits and . _ + -, beginning with a letter or digit, such as 1.4.2.",
            context={"option": option, "value": name},
        )


def check_params(params):
    """Raise ValidationError or ProviderConfigurationError at the first option that cannot work; nothing is looked at on the disk."""
    from ansible_collections.fraisier.deploy.plugins.module_utils.health import check_health_options, check_timing

    state = params["state"]
    if state not in STATES:
        raise ValidationError("state: {0!r} is not a state".format(state), hint="Use one of: {0}.".format(", ".join(STATES)))
    _check_path(params["path"])
    for option in ("release",) if state in NEED_RELEASE else ():
        if not params.get(option):
            raise ValidationError("{0} is missing".format(option), hint="State {0} needs it.".format(state))
    if params.get("release"):
        check_release_name(params["release"])
    for name in params.get("protect") or []:
        check_release_name(name, "protect")
    if params.get("slot"):
        raise ProviderConfigurationError(
            "slot: {0!r} cannot be used: bare_metal runs one release at a time on a host".format(params["slot"]),
            hint="Leave slot out.",
            context={"option": "slot", "value": params["slot"]},
        )
    _check_numbers(params)
    _check_rights(params)
    _check_build(params.get("build"))
    for shared in params.get("shared") or []:
        _check_shared(shared)
    if state == "staged":
        _check_source(params.get("source"))
    check_health_options(params.get("health"))
    check_timing(params["min_healthy"], params["interval"], params["timeout"])


def _check_path(path):
    if not os.path.isabs(path) or os.path.normpath(path) in ("/", "//"):
        raise ValidationError(
            "path: {0!r} cannot be the folder of a fraise".format(path),
            hint="Give an absolute path of its own, such as /srv/shop_api.",
            context={"option": "path", "value": path},
        )


def _check_numbers(params):
    for option, least in (("keep", 0), ("lock_timeout", 0), ("build_timeout", 0.001)):
        if params[option] < least:
            raise ValidationError("{0}: {1} is too small".format(option, params[option]), hint="Give at least {0}.".format(least))


def _check_rights(params):
    mode = params.get("mode")
    if mode is not None and (not MODE.match(mode) or int(mode, 8) & 0o002 or not int(mode, 8) & 0o500 == 0o500):
        raise ValidationError(
            "mode: {0!r} cannot be the mode of a release".format(mode),
            hint="Give three octal digits as text; the owner must read and enter, others must not write: '0755', '0750'.",
            context={"option": "mode", "value": mode},
        )
    if (params.get("owner") or params.get("group")) and os.geteuid() != 0:
        raise ValidationError("owner and group can only be set by root", hint="Use become: true, or leave owner and group out.")


def _check_build(build):
    words = [build] if isinstance(build, str) else build
    if words is not None and (not isinstance(words, (list, tuple)) or not words or not all(isinstance(word, str) and word for word in words)):
        raise ValidationError(
            "build: {0!r} is not a command".format(build), hint="Give a list of words ([make, all]) or one line for the shell ('npm ci && npm run build')."
        )


def _check_shared(shared):
    parts = shared.rstrip("/").split("/")
    if not shared or shared.startswith("/") or any(part in ("", ".", "..") for part in parts) or "\0" in shared:
        raise ValidationError(
            "shared: {0!r} is not a path within the release".format(shared),
            hint="Give relative paths without .. such as var/uploads.",
            context={"option": "shared", "value": shared},
        )


def _check_source(source):
    from ansible_collections.fraisier.deploy.plugins.module_utils.fetch import normal_sha256
    from ansible_collections.fraisier.deploy.plugins.module_utils.git_source import check_git

    given = [kind for kind in ("archive", "git") if (source or {}).get(kind)]
    if len(given) != 1:
        raise ValidationError("source: give exactly one of archive and git", hint="For example source: {archive: {src: https://..., sha256: ...}}.")
    if given == ["git"]:
        check_git(source["git"]["repo"], source["git"]["ref"])
        if source["git"].get("depth") is not None and source["git"]["depth"] < 0:
            raise ValidationError("source.git.depth: {0} is negative".format(source["git"]["depth"]), hint="Give 1, or 0 for the whole history.")
        return
    archive = source["archive"]
    if archive.get("sha256"):
        normal_sha256(archive["sha256"])
    for option in ("strip_components", "max_size", "max_entries"):
        if archive.get(option) is not None and archive[option] < 0:
            raise ValidationError("source.archive.{0}: {1} is negative".format(option, archive[option]), hint="Give 0 or more.")
