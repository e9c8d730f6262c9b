# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening a deployment (lock, plan, record) and closing it (outcome, exit code)."""

from __future__ import annotations

import getpass
import os
import re
import socket
import time
from datetime import UTC, datetime
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    ConfigurationError,
    DeploymentError,
    DeploymentLockedError,
    LeaseLostError,
    NotFoundError,
    ValidationError,
)
from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import shorten_line
from ansible_collections.fraisier.deploy.plugins.module_utils.registry import provider_argument_spec
from ansible_collections.fraisier.deploy.plugins.plugin_utils.actions import FraisierAction
from ansible_collections.fraisier.deploy.plugins.plugin_utils.debt_lines import nothing_owed_line, owed_lines
from ansible_collections.fraisier.deploy.plugins.plugin_utils.hostcall import program
from ansible_collections.fraisier.deploy.plugins.plugin_utils.known_variables import misspelt
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.naming import named
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.plans import check_prefix
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.progress import STAGED_ONLY
from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.recovery import GOOD_END
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import call, to_error
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recovery_action import decided, undo_plan_lines, until_lease_ends
from ansible_collections.fraisier.deploy.plugins.plugin_utils.reports import outcome_lines, plan_lines, shown_status
from ansible_collections.fraisier.deploy.plugins.plugin_utils.who import who, words_of

VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")
STRATEGIES = ("rolling", "canary")
TYPES = ("api", "etl", "scheduled")
WAIT_POLL_SECONDS = 15.0
OPEN_SECONDS = 90.0  # the first opening of a store may have to migrate it
GOOD_ENDS = ("success",)
ASKED = (
    "kind",
    "fraise",
    "fraise_type",
    "provider",
    "strategy",
    "batches",
    "steps",
    "weights",
    "adaptive",
    "watch",
    "watch_interval",
    "watch_failures",
    "max_failed",
    "max_unreachable",
    "new_hosts",
    "pause",
    "plan",
    "approvals",
    "approve_own",
)
"""Options of the task that the recorder is asked with as they are."""
POLICY = (
    *("fraise_type", "provider", "strategy", "batches", "steps", "adaptive", "max_failed", "max_unreachable", "pause", "watch", "approvals", "approve_own"),
    *("freezes", "environment_freezes"),
)
"""Settings that are kept with each deployment: the audit tells when one differs from the deployment before."""


class DeploymentAction(FraisierAction):
    """The action ``deployment``: runs once, on the controller, with no connection."""

    SPEC = {
        "state": {"type": "str", "required": True, "choices": ["open", "closed", "recover"]},
        "kind": {"type": "str", "default": "deploy", "choices": ["deploy", "rollback", "recover", "catchup"]},
        "fraise": {"type": "str"},
        "fraise_environment": {"type": "str"},
        "fraise_type": {"type": "str", "default": "api"},
        "version": {"type": "raw"},
        "provider": {"type": "str", "default": "bare_metal"},
        "strategy": {"type": "str", "default": "rolling"},
        "batches": {"type": "raw", "default": [1]},
        "steps": {"type": "raw"},
        "weights": {"type": "bool", "default": False},
        "adaptive": {"type": "bool", "default": False},
        "watch": {"type": "raw", "default": 0},
        "watch_interval": {"type": "raw", "default": 10},
        "watch_failures": {"type": "int", "default": 2},
        "max_failed": {"type": "raw", "default": 0},
        "max_unreachable": {"type": "raw", "default": 0},
        "new_hosts": {"type": "bool", "default": False},
        "pause": {"type": "raw", "default": 0},
        "reason": {"type": "str"},
        "wait": {"type": "int", "default": 0},
        "plan": {"type": "str", "default": ""},
        "approvals": {"type": "int", "default": 0},
        "approve_own": {"type": "bool", "default": False},
        "recover": {"type": "str", "choices": ["finish", "undo"]},
        "override": {"type": "str"},
        "lock_after_undo": {"type": "bool", "default": True},
        "undo_limit": {"type": "int", "default": 3},
        "freezes": {"type": "raw"},
        "environment_freezes": {"type": "raw"},
    }
    _requires_connection = False

    def speaks_first(self) -> bool:
        """The opening speaks for the whole deployment."""
        return bool(self._task.args.get("state") == "open")

    def act(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Open, decide how to recover, or close."""
        if arguments["state"] == "open":
            return self._open(arguments, task_vars)
        if arguments["state"] == "recover":
            return decided(self, call("recover", wish=arguments.get("recover")))
        return self._close()

    def _open(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        program()  # packed here once, for otherwise each worker of the first task packs it
        hosts = [str(host) for host in task_vars.get("ansible_play_hosts_all") or []]
        check_request(arguments, hosts)
        redactor = self.redactor(arguments, task_vars)
        request = {
            **{key: arguments[key] for key in ASKED},
            "scope": covered(arguments["kind"], hosts, (task_vars.get("groups") or {}).get(arguments["fraise"], hosts)),
            "environment": arguments["fraise_environment"],
            "version": arguments.get("version") or "",
            "reason": redactor.text(arguments.get("reason") or ""),
            "hosts": hosts,
            "group": [str(host) for host in (task_vars.get("groups") or {}).get(arguments["fraise"], hosts)],
            "user": who(task_vars, getpass.getuser(), socket.gethostname()),
            "owner_name": f"{getpass.getuser()}@{socket.gethostname()} (pid {os.getppid()})",
            "check": bool(self._task.check_mode),
            "override": redactor.text(words_of("override", arguments.get("override"))),
            "options": {**redactor.clean({key: arguments.get(key) for key in POLICY}), **{key: arguments[key] for key in ("lock_after_undo", "undo_limit")}},
            **{key: arguments.get(key) for key in ("freezes", "environment_freezes")},
        }
        answer = self._ask_until(request, arguments["wait"])
        deployment = answer["deployment"]
        if deployment.get("told"):
            self.say(deployment["told"])
            return {"changed": False, "msg": deployment["told"], "needed": False, **deployment}
        if not deployment["plan"]["hosts"]:
            return {"changed": False, "msg": f"{request['fraise']} in {request['environment']}: {nothing_owed_line(deployment['version'])}", **deployment}
        widths = "+".join(str(width) for width in deployment["plan"]["batches"])
        name = deployment["identifier"] or f"{request['fraise']}:{request['environment']} (check mode)"
        count = len(deployment["plan"]["hosts"])
        text = f"{name}: {request['kind']} {deployment['version']} on {count} hosts in batches of {widths}, last good: {deployment['last_good'] or 'none'}"
        text += f", goes on with {deployment['resumes']}" if deployment.get("resumes") else ""
        warnings = misspelt(str(key) for key in task_vars)
        # A lock and a record are no change of a host: a run that finds every host as it should be says changed=0.
        return {"changed": False, "msg": text, **deployment, **({"warnings": warnings} if warnings else {})}

    def _ask_until(self, request: dict[str, Any], wait: int) -> dict[str, Any]:
        """Ask for the lock; while another holds it, ask again until ``wait`` seconds are over."""
        deadline = time.monotonic() + wait
        told = False
        while True:
            try:
                return call("open", timeout=OPEN_SECONDS, **request)
            except DeploymentLockedError as error:
                if not told and not wait and request["kind"] == "recover":
                    wait = until_lease_ends(error)
                    deadline += wait
                left = deadline - time.monotonic()
                # A hold ends when a person lifts it: nobody sits there and waits for that.
                if left <= 0 or error.context.get("hold"):
                    raise
                if not told:
                    self.say(f"{error.message}; waiting up to {wait} s")
                    told = True
                time.sleep(min(left, _pause(error)))

    def _close(self) -> dict[str, Any]:
        answer = call("close")
        deployment = answer["deployment"]
        lines = outcome_lines(deployment, answer)
        if self._task.check_mode:
            lines = undo_plan_lines(answer) if answer.get("recovery") == "undo" else plan_lines(deployment, answer["checks"])
        lines += owed_lines(str(deployment["identifier"]).partition(":")[0], deployment["version"], answer.get("owed") or {})
        self.say(*lines)
        told = {key: answer[key] for key in ("status", "reason")}
        hosts = {name: {**host, "error": _brief(host["error"])} for name, host in answer["hosts"].items()}
        if answer.get("refusal"):
            refusal = to_error(answer["refusal"])
            refusal.result = {**told, "hosts": hosts}
            raise refusal
        if self._task.check_mode:
            failed = [name for name, host in hosts.items() if host["state"] in ("failed", "unreachable") and name not in answer.get("left_out", ())]
            if answer.get("drift"):
                raise to_error(answer["drift"])
            if failed:
                raise DeploymentError(
                    f"The check found hosts that cannot be deployed to: {named(failed)}", hint="See their messages above", result={**told, "hosts": hosts}
                )
        else:
            self._judge(answer, {**told, "hosts": hosts})
        return {"changed": False, **told, "hosts": hosts, "deployment": deployment, "lines": lines}

    def _judge(self, answer: dict[str, Any], result: dict[str, Any]) -> None:
        """The exit code: raise DeploymentError unless the deployment ended well."""
        if answer["store_away"]:
            self._display.warning(f"The store is away ({answer['store_away']}); the outcome waits on disk for the next run")
        staged_only = shown_status(answer["status"], answer["reason"]) == STAGED_ONLY
        if answer.get("lease_lost"):
            raise LeaseLostError(answer["reason"], hint="Nothing was changed since; look at fraisier.deploy.status", result=result)
        good = (GOOD_END[answer["recovery"]],) if answer.get("recovery") in GOOD_END else GOOD_ENDS
        if answer["status"] not in good and not staged_only:
            identifier = answer["deployment"]["identifier"]
            raise DeploymentError(
                f"{identifier} ended {answer['status']}: {answer['reason']}{_first_error(result['hosts'])}",
                hint=f"Run: ansible-playbook fraisier.deploy.history -e deployment={identifier}",
                context={"status": answer["status"]},
                result=result,
            )


def _first_error(hosts: dict[str, Any]) -> str:
    """What the first host that has an error says, for those who see one line only."""
    told = [f"; {name}: {host['error']['code']} {host['error']['message']}" for name, host in hosts.items() if host["error"]]
    return shorten_line(told[0], 300) if told else ""


def _brief(error: dict[str, Any] | None) -> dict[str, Any] | None:
    """An error without its context, which is in the record and would fill a screen for each host."""
    return {key: error.get(key) for key in ("code", "category", "message", "hint")} if error else None


def _pause(error: DeploymentLockedError) -> float:
    """Seconds until the next try: soon after the lease of a holder that may be dead ends, at the latest the poll interval."""
    try:
        expires = datetime.fromisoformat(str(error.context["expires_at"]))
        left = (expires - datetime.now(UTC)).total_seconds()
    except (KeyError, TypeError, ValueError):
        return WAIT_POLL_SECONDS
    return min(WAIT_POLL_SECONDS, max(0.5, left + 0.2))


def covered(kind: str, hosts: list[str], group: list[str]) -> str:
    """Whether a run of ``hosts`` brings the whole fraise somewhere, or a part of it: catching up is for stragglers, whoever they are."""
    return "part" if kind == "catchup" or set(group) - set(hosts) else "whole"


def check_request(arguments: dict[str, Any], hosts: list[str]) -> None:
    """Refuse what cannot work before anything is locked or written; each error names the option, the value and the remedy."""
    if not arguments.get("fraise"):
        raise _refused("fraise is missing", "Name the service, a group of the inventory: -e fraise=shop_api", "fraise")
    if not arguments.get("fraise_environment"):
        raise ConfigurationError(
            "fraise_environment is not set",
            hint="Set it once for the inventory, e.g. fraise_environment: production in group_vars/all.yml",
            context={"option": "fraise_environment"},
        )
    check_version(arguments.get("version"), arguments["kind"], planned=bool(arguments.get("plan")))
    if arguments.get("plan"):
        check_prefix(arguments["plan"])
    if arguments.get("approvals", 0) < 0:
        raise _refused("fraise_approvals is negative", "Give how many people must approve a plan, 0 for none", "fraise_approvals")
    for option, value, choices in (("fraise_strategy", arguments["strategy"], STRATEGIES), ("fraise_type", arguments["fraise_type"], TYPES)):
        if value not in choices:
            raise ConfigurationError(f"{option}: there is no {value!r}", hint=f"One of: {', '.join(choices)}", context={"option": option, "value": value})
    provider_argument_spec(arguments["provider"])
    if not hosts:
        fraise = arguments["fraise"]
        raise NotFoundError(f"{fraise} has no hosts in this run", hint="Look at the inventory and at --limit", context={"option": "fraise", "value": fraise})


def check_version(version: object, kind: str, *, planned: bool = False) -> None:
    """Refuse what is no version; a number is refused too, for what its writer meant is lost."""
    if version is not None and not isinstance(version, str):
        raise _refused(
            f"version: {version!r} is not a text",
            'Quote it, version: "1.10", for YAML and JSON read 1.10 as the number 1.1 and YAML reads 010 as 8',
            "version",
            str(version),
        )
    if version and kind == "recover":
        hint = "Leave it out: a recovery finishes or undoes the deployment that was cut off. For another version, deploy it"
        raise _refused("version cannot be given to recover", hint, "version", version)
    if not version and kind == "deploy" and not planned:
        raise _refused("version is missing", "Give it with -e version=1.4.2", "version")
    if version and not VERSION.fullmatch(version):
        hint = "Letters, digits and . _ + - only, starting with a letter or digit, 128 at most"
        raise _refused(f"version: {version!r} is not a version", hint, "version", version)


def _refused(message: str, hint: str, option: str, value: str | None = None) -> ValidationError:
    return ValidationError(message, hint=hint, context={"option": option} if value is None else {"option": option, "value": value})
