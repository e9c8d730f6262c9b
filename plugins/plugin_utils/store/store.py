# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store as the rest of the collection uses it. Every method is one transaction and raises domain errors only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sqlalchemy import literal, select
from sqlalchemy.engine import URL, Engine

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import MigrationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import events as event_rows
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.clock import read_clock
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.engine import make_engine
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.late import Late
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.revisions import schema_state
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.transactions import Transactions
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.types import Event, GoodRelease, Lease, LockRow, Opened, OpenRequest, SchemaState
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.urls import describe, parse_url

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.planning.recovery import Past
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import cut_off, debts, goods, inspection, known, locks, metrics, opening, pasts, queries
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.admission import Admissions, Admit
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.audit import Audit
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.commands import Commands
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.plans import Plans
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.retention import Retention
else:
    cut_off, debts, goods, inspection = Late("cut_off"), Late("debts"), Late("goods"), Late("inspection")
    known, locks = Late("known"), Late("locks")
    metrics, opening, pasts, queries = Late("metrics"), Late("opening"), Late("pasts"), Late("queries")

MIGRATION_TIMEOUT = 60.0
"""Seconds that a migration may wait for another one, and each of its statements may last."""


class Store:
    """A connected store. Safe to use from several threads; not after a fork.

    Errors: DatabaseConnectionError (away, silent, refused), DatabaseTransactionError (conflicts that outlasted the repeats), MigrationError (schema),
    DatabaseError (anything else). Those of the first two kinds are worth another try later (``recoverable``).
    """

    def __init__(self, engine: Engine, url: URL, timeout: float) -> None:
        self._engine = engine
        self._url = url
        self._transactions = Transactions(engine, url, timeout)
        self._schema_seen = False
        self.dialect: str = engine.dialect.name
        self.label: str = describe(url)

    @cached_property
    def audit(self) -> Audit:
        """Whether the record is as it was written; adding to it is part of every transaction (chain.py)."""
        from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.audit import Audit

        return Audit(self._transactions)

    @cached_property
    def admissions(self) -> Admissions:
        """Holds and quarantines."""
        from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.admission import Admissions

        return Admissions(self._transactions)

    @cached_property
    def commands(self) -> Commands:
        """What operators ask of running deployments."""
        from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.commands import Commands

        return Commands(self._transactions)

    @cached_property
    def plans(self) -> Plans:
        """Plans, their approvals and uses."""
        from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.plans import Plans

        return Plans(self._transactions)

    @cached_property
    def retention(self) -> Retention:
        """What is kept and what is pruned."""
        from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.retention import Retention

        return Retention(self._transactions)

    @classmethod
    def connect(cls, url: str, *, timeout: float = 2.0, read_only: bool = False) -> Store:
        """Open the store at ``url`` and speak with it once. ``timeout`` (seconds) bounds connecting and each statement from now on."""
        parsed = parse_url(url)
        engine = make_engine(parsed, timeout=timeout, read_only=read_only)
        store = cls(engine, parsed, timeout)
        try:
            # Reading the schema table makes SQLite look at the file, which a bare SELECT 1 does not.
            store.schema()
        except BaseException:
            engine.dispose()
            raise
        return store

    @staticmethod
    def offline_sql(dialect: str) -> str:
        """The whole schema as SQL text for ``sqlite``, ``postgresql`` or ``mysql``."""
        from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.migrate import offline_sql

        return offline_sql(dialect)

    @staticmethod
    def grants_sql(dialect: str, role: str) -> str:
        """The rights that controllers need, as SQL for the owner of the tables."""
        from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.grants import grants_sql

        return grants_sql(dialect, role)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def now(self) -> datetime:
        """The database's clock, aware UTC."""
        return self._transactions.read("reading its clock", read_clock)

    def ping(self) -> None:
        """Raise when the store does not answer."""
        self._transactions.read("asking for an answer", lambda connection: connection.execute(select(literal(1))).scalar_one())

    def schema(self) -> SchemaState:
        """The store's schema against what this collection knows."""
        return self._transactions.read("reading its schema", schema_state)

    def migrate(self, *, timeout: float = MIGRATION_TIMEOUT) -> list[str]:
        """Bring the schema up to date; the revisions that were run (none when another process did it meanwhile)."""
        from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.migrate import migrate

        return migrate(self._url, timeout)

    def require_schema(self) -> None:
        """Raise MigrationError unless this collection can work with the store's schema."""
        if self._schema_seen:
            return
        state = self.schema()
        if state.newer:
            from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.migrate import newer

            raise newer(self._url, str(state.current), state.head)
        if not state.ready:
            what = "has no schema yet" if state.empty else f"has the old schema {state.current}"
            hint = "Bring it up to date: ansible-playbook fraisier.deploy.store"
            raise MigrationError(f"{self.label} {what}; this version needs {state.head}", hint=hint, context={"pending": state.pending})
        self._schema_seen = True

    def check(self) -> dict[str, Any]:
        """Is the store in order: see inspection.inspect_store for the keys."""
        return self._transactions.read("checking it", inspection.inspect_store)

    def table_rows(self) -> dict[str, int]:
        """How many rows each table has."""
        return self._transactions.read("counting rows", inspection.table_rows)

    def open_deployment(self, request: OpenRequest, admit: Admit | None = None) -> Opened:
        """Lock the pair and open a deployment, all or nothing. DeploymentLockedError says who has it; ValidationError what cannot be stored.

        ``admit`` decides under the lock, from admission_facts, whether it may begin.
        """
        opening.check_request(request)
        self.require_schema()
        return self._transactions.write("opening a deployment", lambda connection: opening.open_deployment(connection, request, admit))

    def renew_lease(self, lease: Lease, seconds: float) -> Lease:
        """The same lease, ending ``seconds`` from now, also when it had ended and nobody took it; else LeaseLostError."""
        return self._transactions.write("renewing a lease", lambda connection: locks.renew(connection, lease, seconds))

    def release_lease(self, lease: Lease) -> bool:
        """Give the lock back; whether it was still ours."""
        return self._transactions.write("releasing a lease", lambda connection: locks.release_lease(connection, lease))

    def read_lock(self, fraise: str, environment: str) -> LockRow | None:
        """The lock of a pair, held or free; nothing when the pair was never deployed."""
        return self._transactions.read("reading a lock", lambda connection: locks.read_lock(connection, fraise, environment))

    def apply(self, events: Sequence[Event]) -> int:
        """Store events and what they mean, exactly once each; how many of them are stored now (each counted once)."""
        if not events:
            return 0
        return self._transactions.write("storing events", lambda connection: event_rows.apply(connection, events))

    def count_events(self, run: str, source: str) -> int:
        """How many events of a run came from ``source``."""
        return self._transactions.read("counting events", lambda connection: event_rows.count_events(connection, run, source))

    def last_good(self, fraise: str, environment: str, *, before: str | None = None) -> GoodRelease | None:
        """What last ended in success, leaving out version ``before``."""
        return self._transactions.read("looking for the last good release", lambda connection: goods.last_good(connection, fraise, environment, before))

    def same_everywhere(self, identifier: str) -> bool:
        """Whether every host of a deployment got its version, and the same content of it."""
        return self._transactions.read("comparing hosts", lambda connection: goods.same_everywhere(connection, identifier))

    def quarantined(self, fraise: str, environment: str) -> set[str]:
        """Versions of a pair that are in quarantine."""
        return self._transactions.read("looking for quarantined releases", lambda connection: goods.quarantined(connection, fraise, environment))

    def unsettled(self, fraise: str, environment: str) -> list[Past]:
        """The deployments of a pair that need a recovery, newest first."""
        return self._transactions.read("looking for what was cut off", lambda connection: pasts.unsettled(connection, fraise, environment))

    def newest_number(self, fraise: str, environment: str) -> int:
        """The number of the pair's newest deployment, 0 without one."""
        return self._transactions.read("looking for the newest deployment", lambda connection: pasts.newest_number(connection, fraise, environment))

    def require_unlocked(self, fraise: str, environment: str) -> None:
        """DeploymentLockedError when somebody holds the pair's lock now."""
        self._transactions.read("looking at a lock", lambda connection: locks.require_free(connection, fraise, environment))

    def history(self, fraise: str | None = None, environment: str | None = None, limit: int = 20) -> list[dict[str, Any]]:
        """The newest deployments first: rows of v_deployment_history. Moments are aware datetimes; ``plain`` makes them text."""
        return self._transactions.read("reading the history", lambda connection: queries.history(connection, fraise, environment, limit))

    def known_environments(self, fraise: str | None = None) -> list[str]:
        """Environments that the store has heard of; of a fraise those where it ever was."""
        return self._transactions.read("looking for environments", lambda connection: known.known_environments(connection, fraise))

    def known_fraises(self) -> list[str]:
        """Fraises that the store has heard of."""
        return self._transactions.read("looking for fraises", known.known_fraises)

    def deployment(self, identifier_or_id: str) -> dict[str, Any] | None:
        """One deployment with plan, options, error, ``hosts``, ``steps``, ``checks``, ``commands``; nothing when there is none."""
        return self._transactions.read("reading a deployment", lambda connection: queries.deployment(connection, identifier_or_id))

    def status(self, fraise: str | None = None, environment: str | None = None) -> list[dict[str, Any]]:
        """Rows of v_fraise_status, with ``locked``."""
        return self._transactions.read("reading the status", lambda connection: queries.status(connection, fraise, environment))

    def fleet(self, fraise: str | None = None, environment: str | None = None) -> list[dict[str, Any]]:
        """Rows of v_fleet: which host runs what."""
        return self._transactions.read("reading the fleet", lambda connection: queries.fleet(connection, fraise, environment))

    def owed_hosts(self, fraise: str | None = None, environment: str | None = None) -> list[dict[str, Any]]:
        """Hosts that must still be brought to what the fleet has: see debts.owed_hosts."""
        return self._transactions.read("reading what is owed", lambda connection: debts.owed_hosts(connection, fraise, environment))

    def recorded_versions(self, fraise: str, environment: str) -> Mapping[str, str | None]:
        """Every host that was ever deployed to, with the version it was last heard to serve."""
        return self._transactions.read("reading recorded versions", lambda connection: debts.recorded_versions(connection, fraise, environment))

    def cut_off_hosts(self, fraise: str | None = None, environment: str | None = None) -> list[dict[str, Any]]:
        """Hosts of which nobody knows what they serve: see cut_off.cut_off."""
        return self._transactions.read("looking for hosts that were cut off", lambda connection: cut_off.cut_off(connection, fraise, environment))

    def options_before_and_of(self, deployment: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The options of the deployment of the same pair before the one with this UUID ({} for the first), and its own."""
        return self._transactions.read("comparing options", lambda connection: queries.options_before_and_of(connection, deployment))

    def metrics_rows(self) -> dict[str, list[dict[str, Any]]]:
        """Figures for the exporter: see metrics.metrics_rows."""
        return self._transactions.read("summing up figures", metrics.metrics_rows)
