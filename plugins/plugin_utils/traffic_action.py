# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One change of one host's traffic on one balancer: checked before anything is asked, done on the balancer's host, told to the recorder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.options import check_params, with_defaults
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError, FraisierError, NotFoundError, ProviderConnectionError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.actions import FraisierAction
from ansible_collections.fraisier.deploy.plugins.plugin_utils.hostcall import HostCall
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.traffic import check_batch
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import FAULT_VARIABLE, SOCKET_VARIABLE, call

STEPS = {"drained": "drain", "ready": "undrain", "weighted": "weight"}
OWN = ("driver", "backend", "server", "path", "haproxy", "nginx")
"""What one balancer may have otherwise than the others."""


class TrafficAction(FraisierAction):
    """The action ``traffic``; ``delegate_to`` says which host has the balancer."""

    SPEC = {
        "state": {"type": "str", "required": True, "choices": ["drained", "inspected", "ready", "weighted"]},
        "driver": {"type": "str", "required": True, "choices": ["haproxy", "nginx"]},
        "balancers": {"type": "list", "elements": "raw"},
        "balancer": {"type": "raw"},
        "backend": {"type": "str", "required": True},
        "server": {"type": "str"},
        "hosts": {"type": "list", "elements": "str"},
        "weight": {"type": "raw"},
        "batch": {"type": "int"},
        "min_available": {"type": "int", "default": 1},
        "limit": {"type": "float", "default": 30.0},
        "ready_timeout": {"type": "float", "default": 60.0},
        "timeout": {"type": "float", "default": 5.0},
        "only_ours": {"type": "bool", "default": False},
        "path": {"type": "str", "default": "/var/lib/fraisier/traffic"},
        "haproxy": {"type": "dict"},
        "nginx": {"type": "dict"},
    }

    def act(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Whatever goes wrong after the intent is this step's outcome, so the record always has one."""
        host = str(task_vars["inventory_hostname"])
        balancer = str(self._task.delegate_to or host)
        check_balancers(arguments.get("balancers"), balancer, task_vars)
        names = servers_of(arguments["hosts"], balancer, task_vars) if arguments.get("hosts") else []
        options = options_for(arguments, names)
        step = STEPS.get(arguments["state"])
        if step is None:
            return self._look(arguments, options, balancer, task_vars)
        intent = tell("intent", host=host, step=step, version=None, attempt=1)
        if intent.get("fence"):
            options["fence"] = intent["fence"]
        report: dict[str, Any] = {"step_id": intent.get("step_id"), "host": host, "step": step}
        redactor = self.redactor(arguments, task_vars)
        try:
            result = self._ask(options, balancer, task_vars)
        except BaseException as exception:  # a task's time-out is no Exception, and the balancer may have changed all the same
            tell("outcome", **report, **redactor.clean(failure(exception, balancer)))
            raise
        cleaned: dict[str, Any] = redactor.clean(result)
        tell("outcome", **report, **outcome(cleaned, balancer, names))
        cleaned.update(step=step, balancer=balancer, weighted=names, check_mode=bool(self._task.check_mode))
        code = (cleaned.get("error") or {}).get("code") if cleaned.get("failed") else None
        if code:
            cleaned["msg"] = f"{balancer}: {cleaned.get('msg', '')} [{code}]"
        return cleaned

    def _look(self, arguments: dict[str, Any], options: dict[str, Any], balancer: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        """No step, for nothing changes. With ``batch``, whether so many hosts may be out at once."""
        result = {**self._ask(options, balancer, task_vars), "balancer": balancer}
        if arguments.get("batch") is not None and not result.get("failed"):
            check_batch(arguments["batch"], len(result["servers"]), arguments["min_available"], options["backend"])
        return result

    def _ask(self, options: dict[str, Any], balancer: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The call on the balancer's host. A balancer that is away is a failure of this host's step; the host itself is there."""
        try:
            return HostCall(self, variables_of(balancer, task_vars)).call("balancer", options)
        except AnsibleConnectionFailure as exception:
            raise ProviderConnectionError(
                f"The balancer's host {balancer} cannot be reached: {exception}",
                hint="Is it up? Nothing is known of what it did; run again",
                context={"option": "traffic_balancers", "value": balancer},
                cause=exception,
            ) from exception


def check_balancers(balancers: list[Any] | None, balancer: str, task_vars: dict[str, Any]) -> None:
    """Refuse an empty list, which would drain nothing and look well, and hosts that the inventory does not have."""
    if balancers is not None and not balancers:
        raise ConfigurationError(
            "traffic_balancers is empty, so no balancer would be told",
            hint="Name the inventory hosts that run the balancer, or set traffic_driver: none",
            context={"option": "traffic_balancers"},
        )
    for entry in balancers or [balancer]:
        name = entry.get("host") if isinstance(entry, dict) else entry
        if not isinstance(name, str) or not name:
            raise ConfigurationError(
                f"traffic_balancers: {entry!r} names no host",
                hint="Give names of inventory hosts, or dictionaries with host and what it has of its own: driver, haproxy, nginx, backend, server, path",
                context={"option": "traffic_balancers"},
            )
        if name not in (task_vars.get("hostvars") or {name}) and name not in ("localhost", "127.0.0.1"):
            raise NotFoundError(
                f"traffic_balancers: the inventory has no host {name}", hint="Correct the name", context={"option": "traffic_balancers", "value": name}
            )


def options_for(arguments: dict[str, Any], servers: Sequence[str] = ()) -> dict[str, Any]:
    """The module's options, with what the balancer has of its own, and held against all that can be known before it is asked."""
    options = {name: value for name, value in arguments.items() if name not in ("balancer", "balancers", "batch", "hosts") and value is not None}
    own = arguments.get("balancer")
    if isinstance(own, dict):
        unknown = sorted(set(own) - {"host", *OWN})
        if unknown:
            raise ConfigurationError(
                f"traffic_balancers: {', '.join(unknown)} of {own.get('host')} is no option of a balancer",
                hint=f"A balancer may have of its own: {', '.join(OWN)}",
                context={"option": "traffic_balancers", "value": unknown},
            )
        # Whoever names several servers has seen to those that this balancer calls otherwise.
        options.update({name: value for name, value in own.items() if name in OWN and not (name == "server" and arguments.get("hosts"))})
    if servers:
        options["servers"] = list(servers)
    if "weight" in options:
        options["weight"] = whole_percent(options["weight"])
    for driver in ("haproxy", "nginx"):
        if driver != options["driver"]:
            options.pop(driver, None)
    check_params(with_defaults(options))
    return options


def servers_of(hosts: Sequence[str], balancer: str, task_vars: dict[str, Any]) -> list[str]:
    """What the ``balancer`` calls each of ``hosts``: what their balancers' entry says, else their ``traffic_server``, else their name."""
    hostvars = task_vars.get("hostvars") or {}
    found = []
    for host in hosts:
        if host not in hostvars:
            raise NotFoundError(f"hosts: the inventory has no host {host}", hint="Correct the name", context={"option": "hosts", "value": host})
        entries = hostvars[host].get("traffic_balancers") or []
        own = next((entry["server"] for entry in entries if isinstance(entry, dict) and entry.get("host") == balancer and entry.get("server")), None)
        found.append(str(own or hostvars[host].get("traffic_server") or host))
    return found


def whole_percent(value: Any) -> int:
    """A weight as a whole number of percent; ConfigurationError for what is none."""
    text = str(value).removesuffix("%").strip()
    if isinstance(value, bool) or not text.isdigit() or int(text) > 100:
        raise ConfigurationError(
            f"traffic_weight: {value!r} is no share of a server's weight",
            hint="Give 0 to 100, in percent",
            context={"option": "traffic_weight", "value": str(value)},
        )
    return int(text)


def variables_of(balancer: str, task_vars: dict[str, Any]) -> dict[str, Any]:
    """The variables with the interpreter of the host that is called, not of the one whose traffic is changed."""
    delegated = (task_vars.get("ansible_delegated_vars") or {}).get(balancer)
    if delegated is None:
        return task_vars
    own = {name: delegated.get(name) for name in ("ansible_python_interpreter", "ansible_facts")}
    return {**task_vars, "ansible_python_interpreter": own["ansible_python_interpreter"] or "auto", "ansible_facts": own["ansible_facts"] or {}}


def tell(operation: str, **told: Any) -> dict[str, Any]:
    """Tell the recorder, where there is one: traffic may be changed outside a deployment, too."""
    if not os.environ.get(SOCKET_VARIABLE) and not os.environ.get(FAULT_VARIABLE):
        return {}
    return call(operation, **told)


def failure(exception: BaseException, balancer: str) -> dict[str, Any]:
    """What the recorder keeps of a call without a result."""
    if isinstance(exception, FraisierError):
        return {"outcome": "failed", "error": exception.to_dict(), "traffic": {"balancer": balancer}}
    message = str(exception) if isinstance(exception, AnsibleError) else f"{type(exception).__name__}: {exception}"
    error = {"code": "DEPLOYMENT_ERROR", "category": "UNKNOWN", "message": message, "hint": "See the task's message", "infrastructure": True}
    return {"outcome": "failed", "error": error, "traffic": {"balancer": balancer}}


def outcome(result: dict[str, Any], balancer: str, servers: Sequence[str] = ()) -> dict[str, Any]:
    """What the recorder keeps of a result: how the drain ended, how much was in flight, and how many serve."""
    failed = bool(result.get("failed"))
    kept = {name: result.get(name) for name in ("ended", "in_flight", "available", "backend")}
    if servers:
        kept |= {"servers": list(servers), "weight": (result.get("server") or {}).get("weight")}
    return {
        "outcome": "failed" if failed else ("ok" if result.get("changed") else "unchanged"),
        "changed": bool(result.get("changed")),
        "timings": result.get("timings"),
        "error": (result.get("error") or {"code": "DEPLOYMENT_ERROR", "category": "UNKNOWN", "message": str(result.get("msg", ""))}) if failed else None,
        "traffic": {"balancer": balancer, **kept},
    }
