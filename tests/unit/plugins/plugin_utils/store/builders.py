# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and events as a run would make them, for the tests of the store."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Event, Opened, OpenRequest, Store


@functools.cache
def _newest_schema() -> bytes:
    """A SQLite file with the newest schema and no rows."""
    with tempfile.TemporaryDirectory() as folder:
        with Store.connect(f"sqlite:///{folder}/store.db") as connected:
            connected.migrate()
        return (Path(folder) / "store.db").read_bytes()


def empty_store(path: Path) -> None:
    """Put a store with the newest schema and no rows at ``path``, unless there is one: migrating it there takes ten times as long."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(_newest_schema())


HEALTHY = {
    "status": "healthy",
    "checks": [{"type": "http", "target": "http://localhost/health", "ok": True, "attempts": 2, "duration": 0.25, "message": "200"}],
}


def request(**changes: Any) -> OpenRequest:
    """A request to deploy shop_api 1.0.0 to three hosts of production, by a run and owner of its own."""
    usual = OpenRequest(
        run=uuid7(),
        owner=str(uuid.uuid4()),
        owner_name="ada@controller 42",
        fraise="shop_api",
        fraise_type="api",
        environment="production",
        kind="deploy",
        version="1.0.0",
        provider="bare_metal",
        strategy="rolling",
        reason="weekly release",
        user="ada",
        hosts=["web1", "web2", "web3"],
        plan={"batches": [1, 2]},
        options={"max_failed": 0},
        lease_seconds=30.0,
        at=datetime.now(UTC),
    )
    return dataclasses.replace(usual, **changes)


class Run:
    """An open deployment and the events that its run sends, numbered as they come."""

    def __init__(self, store: Store, asked: OpenRequest | None = None, **changes: Any) -> None:
        self.store = store
        self.request = asked or request(**changes)
        self.opened: Opened = store.open_deployment(self.request)
        self.seq = 0

    def event(self, kind: str, host: str | None = None, **data: Any) -> Event:
        """The next event of the source ``callback``; ``at`` in ``data`` sets its time."""
        self.seq += 1
        at = data.pop("at", None) or datetime.now(UTC)
        return Event(self.request.run, "callback", self.seq, at, kind, self.opened.id, host, data)

    def step(self, host: str, step: str, outcome: str = "ok", **data: Any) -> list[Event]:
        """Intent and outcome of one step on one host."""
        step_id = data.pop("step_id", None) or uuid7()
        version = data.pop("version", self.request.version)
        told = {"changed": outcome == "ok", "release": {"version": version, "previous": None}, "health": None, "timings": {"switch": 0.5}, "error": None}
        intent = self.event("step.intent", host, step_id=step_id, step=step, attempt=1, batch=1, target=self.request.version)
        return [intent, self.event("step.outcome", host, step_id=step_id, step=step, outcome=outcome, **{**told, **data})]

    def closing(self, status: str = "success", **data: Any) -> Event:
        """The run's word that it ends, with what frees its lock."""
        mine = {"token": self.opened.lease.token, "owner": self.request.owner, "finished_at": datetime.now(UTC).isoformat()}
        return self.event("deployment.closed", **{"status": status, "reason": None, "error": None, **mine, **data})

    def whole(self, status: str = "success", **data: Any) -> list[Event]:
        """All events of a deployment that stages and activates every host, and closes."""
        release = {"version": self.request.version, "previous": None, "digest": f"sha256:{self.request.version}"}
        events = [self.event("playbook.start", name="deploy")]
        for host in self.request.hosts:
            events += self.step(host, "stage", release=release)
            events += self.step(host, "activate", release=release, health=HEALTHY)
        return [*events, self.closing(status, **data)]

    def done(self, status: str = "success", **data: Any) -> Run:
        """Store the whole deployment."""
        events = self.whole(status, **data)
        stored = self.store.apply(events)
        if stored != len(events):
            raise RuntimeError(f"{stored} of {len(events)} events stored")
        return self

    def row(self) -> dict[str, Any]:
        """The deployment as the store has it."""
        found = self.store.deployment(self.opened.identifier)
        if found is None:
            raise RuntimeError(f"{self.opened.identifier} is not in the store")
        return found

    def host(self, name: str) -> dict[str, Any]:
        """One host's row."""
        return next(host for host in self.row()["hosts"] if host["host"] == name)
