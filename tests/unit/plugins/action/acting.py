# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one action as a worker does, against a recorder that answers what the test says, over the real socket."""

from __future__ import annotations

import json
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import connection_loader
from ansible.template import Templar

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import encode


class Recorder:
    """Listens on ``path``. ``asked``: the requests in order. ``answers``: operation to its answers in order; the last one is given again."""

    def __init__(self, path: Path) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answers: dict[str, list[dict[str, Any] | FraisierError]] = defaultdict(list)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()

    def serve(self) -> None:
        """Answer until the listener is closed."""
        while True:
            try:
                link, _address = self._listener.accept()
            except OSError:
                return
            with link, link.makefile("rb") as stream:
                request = json.loads(stream.readline())
                self.asked.append(request)
                answers = self.answers[request["op"]]
                answer = (answers.pop(0) if len(answers) > 1 else answers[0]) if answers else {}
                reply = {"ok": False, "error": answer.to_dict()} if isinstance(answer, FraisierError) else {"ok": True, **answer}
                link.sendall(encode(reply))

    def of(self, operation: str) -> list[dict[str, Any]]:
        """The requests of one operation, without its name."""
        return [{key: value for key, value in request.items() if key != "op"} for request in self.asked if request["op"] == operation]

    def close(self) -> None:
        """End it; twice does no harm."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def recorder(folder: Path) -> Iterator[tuple[Recorder, str]]:
    """A recorder that answers, and the path of its socket."""
    path = folder / "recorder.sock"
    listening = Recorder(path)
    thread = threading.Thread(target=listening.serve)
    thread.start()
    try:
        yield listening, str(path)
    finally:
        listening.close()
        thread.join(5)


def act(kind: type[ActionBase], arguments: dict[str, Any], *, check: bool = False, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run the action ``kind`` on the host web1, which is this machine, and return its result."""
    task = Task.load({"name": "A task", "action": "ansible.builtin.debug"})
    task.action = f"fraisier.deploy.{kind.__module__.rpartition('.')[2]}"
    task.args, task.check_mode, task.diff = arguments, check, False
    variables = {"inventory_hostname": "web1", "ansible_play_batch": ["web1", "web2"], "ansible_play_hosts_all": ["web1", "web2"], **(variables or {})}
    loader = DataLoader()
    connection = connection_loader.get("ansible.builtin.local", PlayContext())
    connection.set_options()
    action = kind(task=task, connection=connection, play_context=PlayContext(), loader=loader, templar=Templar(loader, variables), shared_loader_obj=None)
    return action.run(task_vars=variables)
