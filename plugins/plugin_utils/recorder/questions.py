# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations that need no open deployment: questions to the store, and the verbs of operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError, NotFoundError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.queries import QUERIES, answer_query
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.sink import Job, Sink
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.verbs import VerbRequest, operate

APART = ("backup", "restore")
"""Queries that go to the store by themselves."""
Reply = Callable[[dict[str, Any]], None]


class Questions:
    """The half of the recorder's operations that only asks the store. ``run``: the playbook run that asks."""

    run: str
    sink: Sink
    settings: dict[str, Any]

    def require_none_open(self) -> None:
        """Refuse what cannot be done in a run that has a deployment open."""
        raise NotImplementedError

    def _op_operate(self, request: dict[str, Any], reply: Reply) -> None:
        asked = VerbRequest(run=self.run, **{key: value for key, value in request.items() if key != "op"})

        def done(answer: Any, failure: FraisierError | None) -> None:
            reply({"ok": False, "error": failure.to_dict()} if failure else {"ok": True, "answer": answer})

        self.sink.ask(Job(lambda store: operate(store, asked), done))

    def _op_query(self, request: dict[str, Any], reply: Reply) -> None:
        def done(answer: Any, failure: FraisierError | None) -> None:
            reply({"ok": False, "error": failure.to_dict()} if failure else {"ok": True, "answer": answer})

        if request.get("query") not in QUERIES:
            raise NotFoundError(f"Unknown query {request.get('query')}", hint=f"One of: {', '.join(QUERIES)}")
        any_schema = request["query"] in ("check", "grants", "migrate", "sql")
        asked = {**request, "run": self.run, "spool": self.settings["spool"], "store_url": self.settings["store_url"]}
        if request["query"] in APART:
            from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.backups import answer_apart

            self.require_none_open()
            self.sink.ask(Job(lambda _nothing: answer_apart(asked), done, apart=True))
            return
        self.sink.ask(Job(lambda store: answer_query(store, asked), done, any_schema))
