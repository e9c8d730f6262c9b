# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a playbook run becomes an event: names, outcomes and times. Never arguments, never results beyond a failed task's message."""

from __future__ import annotations

import contextlib
import getpass
import socket
import time
from collections.abc import Callable
from typing import Any, Protocol

from ansible.errors import AnsibleError

from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.native import revealed
from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability.learned import learn, redactor
from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability.redaction import secret_values
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import to_json

MESSAGE_LIMIT = 1000
MOST_HOSTS_ASKED = 10


class Emit(Protocol):
    """How an event leaves: type, data (a mapping, or JSON text already), host."""

    def __call__(self, event_type: str, data: dict[str, Any] | str, host: str | None = None) -> None: ...


class RunEvents:
    """Builds the events of one run. Play and task ids repeat for each batch, so each event carries the batch too."""

    def __init__(self, emit: Emit, clock: Callable[[], float] = time.monotonic) -> None:
        self.run = str(uuid7())
        self._emit, self._clock = emit, clock
        self._play: dict[str, Any] = {}
        self._batches: dict[str, int] = {}
        self._task: dict[str, Any] = {}
        self._of_task = "{"
        self._began: dict[str, float | None] = {}
        self._current: Any = None

    def playbook_started(self, playbook: Any) -> None:
        """Who runs what, where."""
        self._emit("playbook.started", {"playbook": str(playbook._file_name), "user": getpass.getuser(), "controller": socket.gethostname()})

    def play_started(self, play: Any) -> None:
        """A play, or its next batch: Ansible announces each batch as a play with the same id."""
        # ansible-runner's callback, which hears of a batch before us, gives the play of each later batch the id <id>_<number>.
        identifier = str(play._uuid).partition("_")[0]
        self._batches[identifier] = self._batches.get(identifier, 0) + 1
        self._current = play
        if self._batches[identifier] == 1:
            learn(secret_values(revealed(play.get_vars())))
        if len(self._batches) == 1:
            self._learn_secrets(play)
        self._began.clear()
        self._play = {"play": identifier, "batch": self._batches[identifier]}
        self._emit("play.started", {**self._play, "name": redactor().text(play.get_name().strip())})

    def _learn_secrets(self, play: Any) -> None:
        manager = play.get_variable_manager()
        inventory = manager._inventory
        known = secret_values(revealed(manager.extra_vars))
        for group in inventory.groups.values():
            known |= secret_values(revealed(group.get_vars()))
        for host in inventory.get_hosts(ignore_limits=True, ignore_restrictions=True):
            known |= secret_values(revealed(host.vars))
        # Files of group_vars come from plugins, so only a host's whole set of variables shows them: one host of each group is asked.
        asked = {group.hosts[0] for group in inventory.groups.values() if group.hosts}
        for host in sorted(asked, key=str)[:MOST_HOSTS_ASKED]:
            known |= secret_values(revealed(manager.get_vars(play=play, host=host, include_hostvars=False)))
        learn(known)

    def _message(self, result: Any) -> str:
        """The message of a failed task. Whatever this host has by now (its own files, facts that were set, the result) may have secrets in it."""
        task = result.task
        if task.no_log:
            return "no_log is set"
        # Our own actions have done this already, with the same variables.
        if self._current is not None and not str(task.action).startswith("fraisier.deploy."):
            with contextlib.suppress(AnsibleError):  # variables that cannot be had: the task was without them too
                variables = self._current.get_variable_manager().get_vars(play=self._current, host=result.host, task=task, include_hostvars=False)
                known = revealed(variables)
                learn(secret_values(known) | secret_values(revealed(task.args), known))
        learn(secret_values(revealed(result.result)))
        return redactor().text(str(result.result.get("msg", "")))[:MESSAGE_LIMIT]

    def task_started(self, task: Any) -> None:
        """Remember the task; results name it."""
        self._task = {"task": str(task._uuid), "name": redactor().text(str(task.get_name())), "action": str(task.action)}
        self._of_task = self._open_object(self._task)
        # A strategy that lets hosts go their own way announces a task for each of them: then nobody knows which result belongs to which beginning.
        self._began[self._task["task"]] = None if self._task["task"] in self._began else self._clock()

    def _open_object(self, task: dict[str, Any]) -> str:
        """The part that all results of a task have in common, as JSON text still open at its end: made once, for results are many."""
        return to_json({**self._play, **task})[:-1]

    def result(self, result: Any, outcome: str) -> None:
        """One host's outcome of one task. Its ``duration`` counts from the task's beginning; the event of each host's own would cost a play 3 in 100."""
        task, host = result.task, result.host.name
        identifier = task._uuid
        common = self._of_task
        if self._task.get("task") != identifier:
            common = self._open_object({"task": identifier, "name": redactor().text(str(task.get_name())), "action": str(task.action)})
        changed = "true" if result.is_changed() else "false"  # result.result would copy all of it
        began = self._began.get(identifier)
        duration = "" if began is None else f',"duration":{self._clock() - began:.6f}'
        details: dict[str, Any] = {}
        if task.delegate_to:
            details["delegated_to"] = redactor().text(str(task.delegate_to))
        if outcome in ("failed", "unreachable"):
            details["message"] = self._message(result)
            details["ignored"] = bool(task.ignore_errors if outcome == "failed" else task.ignore_unreachable)
        more = f",{to_json(details)[1:-1]}" if details else ""
        self._emit(f"task.{outcome}", f'{common},"changed":{changed}{duration}{more}}}', host)

    def playbook_ended(self, stats: Any) -> None:
        """The recap's numbers for each host."""
        hosts = {host: stats.summarize(host) for host in sorted(stats.processed)}
        self._emit("playbook.ended", {"hosts": hosts})
