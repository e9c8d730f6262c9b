# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of module balancer: the argument_spec, and what no argument_spec can say."""

from __future__ import annotations

import os
import re

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ProviderConfigurationError, ValidationError

NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.:\-]{0,199}\Z")
STATES = ("drained", "inspected", "ready", "weighted")

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["drained", "inspected", "ready", "weighted"], "required": True},
    "driver": {"type": "str", "choices": ["haproxy", "nginx"], "required": True},
    "backend": {"type": "str", "required": True},
    "server": {"type": "str"},
    "servers": {"type": "list", "elements": "str"},
    "weight": {"type": "int"},
    "min_available": {"type": "int", "default": 1},
    "limit": {"type": "float", "default": 30.0},
    "only_ours": {"type": "bool", "default": False},
    "ready_timeout": {"type": "float", "default": 60.0},
    "timeout": {"type": "float", "default": 5.0},
    "lock_timeout": {"type": "float", "default": 60.0},
    "path": {"type": "path", "default": "/var/lib/fraisier/traffic"},
    "haproxy": {
        "type": "dict",
        "options": {"socket": {"type": "str", "default": "/run/haproxy/admin.sock"}, "state_file": {"type": "path"}},
    },
    "nginx": {
        "type": "dict",
        "options": {
            "include": {"type": "path", "required": True},
            "command": {"type": "list", "elements": "str", "default": ["nginx"]},
            "pid_file": {"type": "path", "default": "/run/nginx.pid"},
            "health_path": {"type": "str"},
            "access_log": {"type": "path"},
        },
    },
    "fence": {
        "type": "dict",
        "no_log": False,
        "options": {"token": {"type": "int", "required": True, "no_log": False}, "owner": {"type": "str"}, "owner_name": {"type": "str"}},
    },
}
"""The options of module balancer, as AnsibleModule takes them."""


def with_defaults(params):
    """``params`` with the default of every option, and of the driver's own, that is missing or None."""
    full = {name: params[name] if params.get(name) is not None else specification.get("default") for name, specification in ARGUMENT_SPEC.items()}
    for driver in ("haproxy", "nginx"):
        given = full[driver] or {}
        own = ARGUMENT_SPEC[driver]["options"]
        full[driver] = {name: given[name] if given.get(name) is not None else specification.get("default") for name, specification in own.items()}
    return full


def check_params(params):
    """Raise ValidationError or ProviderConfigurationError at the first option that cannot work; nothing is asked of the balancer."""
    state, driver = params["state"], params["driver"]
    for option, value, choices in (("state", state, STATES), ("driver", driver, ("haproxy", "nginx"))):
        if value not in choices:
            raise ValidationError(
                "{0}: {1!r} is not possible".format(option, value), hint="One of: {0}.".format(", ".join(choices)), context={"option": option, "value": value}
            )
    check_name(params["backend"], "backend")
    if state == "weighted" and params.get("servers"):
        for server in params["servers"]:
            check_name(server, "servers")
    elif state != "inspected":
        check_name(params.get("server"), "server")
    _check_weight(state, params.get("weight"))
    for option, least in (("min_available", 0), ("limit", 0), ("ready_timeout", 0.001), ("timeout", 0.001), ("lock_timeout", 0)):
        if params[option] < least:
            raise _refused(option, params[option], "is too small", "Give at least {0}.".format(least))
    if not os.path.isabs(params["path"]) or os.path.normpath(params["path"]) == "/":
        raise _refused("path", params["path"], "cannot be the folder of our notes", "Give an absolute path of its own, such as /var/lib/fraisier/traffic.")
    _check_driver(driver, params[driver])


def check_name(value, option):
    """Names go into HAProxy's commands and nginx' file: nothing that could be more than a name."""
    if not value or not NAME.match(value):
        raise _refused(option, value, "is not a name", "Use at most 200 letters, digits and . _ : - as the balancer's configuration has it.")


def _check_weight(state, weight):
    if state == "weighted" and weight is None:
        raise _refused("weight", weight, "is missing", "State weighted needs it: 0 to 100, in percent of the server's own weight.")
    if weight is not None and not 0 <= weight <= 100:
        raise _refused("weight", weight, "is no share", "Give 0 to 100, in percent of the server's own weight.")


def _check_driver(driver, options):
    if driver == "haproxy":
        from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.haproxy_wire import check_address

        check_address(options["socket"])
        paths = ("state_file",)
    else:
        if not options.get("include"):
            raise ProviderConfigurationError(
                "nginx.include is missing", hint="Name the file of server lines that the upstream block includes.", context={"option": "nginx.include"}
            )
        if not options["command"]:
            raise _refused("nginx.command", options["command"], "is empty", "Give the words that start nginx, such as [nginx].")
        path = options.get("health_path")
        if path is not None and (not path.startswith("/") or any(sign.isspace() for sign in path)):
            raise _refused("nginx.health_path", path, "is no path of a URL", "Give one such as /health.")
        paths = ("include", "pid_file", "access_log")
    for option in paths:
        if options.get(option) and not os.path.isabs(options[option]):
            raise _refused("{0}.{1}".format(driver, option), options[option], "is not absolute", "Give the whole path.")


def _refused(option, value, what, hint):
    return ValidationError("{0}: {1!r} {2}".format(option, value, what), hint=hint, context={"option": option, "value": value})
