# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into the store and what comes out: plain values, no SQL, cheap to import."""

from __future__ import annotations

import dataclasses
import json
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError

OPEN_STATUSES = ("pending", "in_progress", "paused", "validating")
CLOSED_STATUSES = ("success", "failed", "rolled_back", "rollback_failed", "aborted", "interrupted")
STATUSES = OPEN_STATUSES + CLOSED_STATUSES
KINDS = ("deploy", "rollback", "recover", "catchup")
SCOPES = ("whole", "part")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclasses.dataclass(frozen=True)
class PlanRequest:
    """A plan to write down: its document and the hash of it, and what the hash leaves out: who made it, in which run, why, and how long it will take."""

    hash: str
    document: dict[str, Any]
    fraise: str
    fraise_type: str
    environment: str
    version: str
    expected_seconds: float | None
    reason: str
    user: str
    run: str


@dataclasses.dataclass(frozen=True)
class ApprovalRequest:
    """Somebody's word on the plan whose hash begins with ``plan``: ``user`` as a person reads it, for ``seconds``, asked for by the playbook run ``run``."""

    plan: str
    user: str
    run: str
    reason: str
    seconds: float


@dataclasses.dataclass(frozen=True)
class PlanUse:
    """A plan (its whole hash) to be applied, if so many people have approved it; ``own``: whether its maker may be one of them."""

    hash: str
    approvals: int
    own: bool


@dataclasses.dataclass(frozen=True)
class OpenRequest:
    """What a run asks for when it opens a deployment.

    ``owner`` (a UUID) owns the lock, ``owner_name`` (user@host pid) is what a person reads, ``at`` is the controller's clock, ``lease_seconds`` the
    first lease; ``scope`` is whole when ``hosts`` are all hosts of the fraise, else part; ``applies`` is the plan that is carried out, ``resumes`` the
    deployment that this one goes on with; with ``must_follow`` it is refused unless that is the newest number; ``override`` is a person's word for
    passing what stands in the way. The store keeps names as they are (1 to 128 characters) and cuts ``reason`` and ``override`` at 4096 characters,
    ``user`` and ``owner_name`` at 255.
    """

    run: str
    owner: str
    owner_name: str
    fraise: str
    fraise_type: str
    environment: str
    kind: str
    version: str
    provider: str
    strategy: str
    reason: str
    user: str
    hosts: list[str]
    plan: dict[str, Any]
    options: dict[str, Any]
    lease_seconds: float
    at: datetime
    applies: PlanUse | None = None
    scope: str = "whole"
    resumes: str | None = None
    must_follow: int | None = None
    override: str = ""


@dataclasses.dataclass(frozen=True)
class CommandRequest:
    """What an operator asks of the newest open deployment of a pair, or of the one named.

    ``verb``: pause, resume, promote or abort. ``argument``: of a pause what follows its end (resume, abort), of an abort undo or leave. ``expires``:
    seconds until a pause ends by itself. ``user``: who, as a person reads it. ``run``: the playbook run that asks.
    """

    verb: str
    fraise: str
    environment: str
    user: str
    run: str
    reason: str = ""
    argument: str | None = None
    expires: float | None = None
    deployment: str | None = None


@dataclasses.dataclass(frozen=True)
class HoldRequest:
    """What a person asks about holds: of ``fraise``, or of all of ``environment``; ``hold`` names one; ``seconds`` is how long a new one lasts."""

    run: str
    user: str
    reason: str
    environment: str
    fraise: str | None = None
    hold: str | None = None
    seconds: float | None = None


@dataclasses.dataclass(frozen=True)
class Lease:
    """The right to change one fraise in one environment until ``expires_at`` (the database's clock). Hosts obey the highest ``token``."""

    fraise: str
    environment: str
    owner: str
    token: int
    expires_at: datetime
    acquired_at: datetime

    def to_dict(self) -> dict[str, Any]:
        """As JSON can carry it; times in ISO 8601."""
        values: dict[str, Any] = plain(dataclasses.asdict(self))
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Lease:
        """The inverse of ``to_dict``."""
        return cls(
            fraise=values["fraise"],
            environment=values["environment"],
            owner=values["owner"],
            token=int(values["token"]),
            expires_at=parse_time(values["expires_at"]),
            acquired_at=parse_time(values["acquired_at"]),
        )


@dataclasses.dataclass(frozen=True)
class Opened:
    """An open deployment: its ``id`` (UUID), ``identifier`` (fraise:environment:number), what was good before, and the lease."""

    id: str
    identifier: str
    number: int
    previous_version: str | None
    lease: Lease

    @property
    def deployment(self) -> str:
        """The UUID that events name."""
        return self.id


@dataclasses.dataclass(frozen=True)
class GoodRelease:
    """The version that last served well, with its digest when known and the identifier of the deployment that brought it."""

    version: str
    digest: str | None
    deployment: str


@dataclasses.dataclass(frozen=True)
class SchemaState:
    """Revision of the store against what this collection knows. ``newer``: the store was migrated by a later version of the collection."""

    current: str | None
    head: str
    pending: list[str]
    empty: bool
    newer: bool = False

    @property
    def ready(self) -> bool:
        """Whether this collection can work with the store as it is."""
        return self.current == self.head


@dataclasses.dataclass(frozen=True)
class LockRow:
    """The lock of one fraise in one environment, held or free, as of ``now`` (the database's clock)."""

    fraise: str
    environment: str
    owner: str | None
    owner_name: str | None
    token: int
    reason: str
    acquired_at: datetime | None
    expires_at: datetime | None
    released_at: datetime | None
    deployment: str | None
    now: datetime

    @property
    def held(self) -> bool:
        """Whether somebody has it: not released, and the lease has not ended."""
        return self.owner is not None and self.released_at is None and self.expires_at is not None and self.expires_at > self.now


@dataclasses.dataclass(frozen=True)
class Event:
    """One thing that happened in a run. (run, source, seq) is its key: stored once, however often it is sent."""

    run: str
    source: str
    seq: int
    at: datetime
    type: str
    deployment: str | None = None
    host: str | None = None
    data: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.run or len(self.run) > 64:
            raise ValidationError(f"An event's run has 1 to 64 characters, not {len(self.run)}")
        if not _WORD.fullmatch(self.source):
            raise ValidationError(f"An event's source is a word of at most 64 characters, not {self.source[:80]!r}")
        if not isinstance(self.seq, int) or isinstance(self.seq, bool) or not 0 <= self.seq < 2**62:
            raise ValidationError(f"An event's seq is a whole number from 0, not {self.seq!r}")
        if self.at.tzinfo is None or not _storable(self.at):
            raise ValidationError(f"An event's time bears a time zone and lies between 1970 and 9000, not {self.at.isoformat()}")
        if not self.type or len(self.type) > 128:
            raise ValidationError(f"An event's type has 1 to 128 characters, not {len(self.type)}")
        if self.deployment is not None:
            require_uuid(self.deployment, "an event's deployment")

    def to_json(self) -> str:
        """One line, no line break in it."""
        return json.dumps(
            {
                "run": self.run,
                "source": self.source,
                "seq": self.seq,
                "at": format_time(self.at),
                "type": self.type,
                "deployment": self.deployment,
                "host": self.host,
                "data": plain(self.data),
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, line: str | bytes) -> Event:
        """The inverse of ``to_json``; ValidationError for anything else (a line that a crash cut short, too)."""
        try:
            values = json.loads(line)
            return cls(
                run=str(values["run"]),
                source=str(values["source"]),
                seq=values["seq"],
                at=parse_time(values["at"]),
                type=str(values["type"]),
                deployment=values.get("deployment"),
                host=values.get("host"),
                data=dict(values.get("data") or {}),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValidationError(f"This line is not an event: {type(error).__name__}: {error}", cause=error) from error


def require_uuid(value: str, name: str) -> str:
    """``value`` when it is a UUID in its usual form; ValidationError naming it otherwise."""
    try:
        if str(uuid.UUID(value)) == value:
            return value
    except (ValueError, AttributeError, TypeError):
        pass
    raise ValidationError(f"The UUID of {name} is not one: {str(value)[:80]!r}", hint="Write it as 8-4-4-4-12 hexadecimal digits in lower case")


def format_time(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def told_time(moment: datetime) -> str:
    """The same for a person: whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def parse_time(text: str) -> datetime:
    """An aware UTC moment from ISO 8601 text; ValueError when it bears no zone or no database could keep it."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or not _storable(moment):
        raise ValueError(f"time without a zone, or outside of 1970 to 9000: {text!r}")
    return moment.astimezone(UTC)


def _storable(moment: datetime) -> bool:
    """Within what all three databases keep."""
    return 1970 < moment.year < 9000


def plain(value: Any) -> Any:
    """``value`` as JSON can carry it: moments become ISO 8601 text, tuples and sets lists, unknown objects their text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in value]
    return str(value)
