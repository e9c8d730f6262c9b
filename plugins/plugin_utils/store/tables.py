# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The write tables. Each has ``pk_<entity>`` (internal), ``id`` (UUID v7), ``identifier`` (business key). A test holds them against the migrations."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Identity, Index, Integer, MetaData, Table, UniqueConstraint

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.columns import (
    UtcDateTime,
    json_type,
    key_type,
    long_text_type,
    name_type,
    seconds_type,
    text_type,
    uuid_type,
)

REVISIONS = ("0001", "0002", "0003")
HEAD_REVISION = REVISIONS[-1]
"""The newest revision in migrations/; kept here so that a store in order is recognised without loading Alembic. A test holds it true."""

metadata = MetaData()


def _trinity(entity: str, identifier_length: int) -> list[Column[Any]]:
    return [
        Column(f"pk_{entity}", key_type(), Identity(always=True), primary_key=True),
        Column("id", uuid_type(), nullable=False),
        Column("identifier", name_type(identifier_length), nullable=False),
    ]


def _foreign(entity: str, *, optional: bool = False, on_delete: str = "RESTRICT") -> Column[Any]:
    return Column(f"fk_{entity}", key_type(), ForeignKey(f"tb_{entity}.pk_{entity}", ondelete=on_delete), nullable=optional)


def _unique(table: str, *columns: str) -> UniqueConstraint:
    return UniqueConstraint(*columns, name=f"uq_{table}_{'_'.join(columns)}")


fraise = Table(
    "tb_fraise",
    metadata,
    *_trinity("fraise", 128),
    Column("type", name_type(32), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    _unique("fraise", "id"),
    _unique("fraise", "identifier"),
)

environment = Table(
    "tb_environment",
    metadata,
    *_trinity("environment", 128),
    Column("created_at", UtcDateTime(), nullable=False),
    _unique("environment", "id"),
    _unique("environment", "identifier"),
)

release = Table(
    "tb_release",
    metadata,
    *_trinity("release", 512),
    _foreign("fraise"),
    Column("version", name_type(), nullable=False),
    Column("digest", name_type(200), nullable=False),
    Column("first_staged_at", UtcDateTime(), nullable=False),
    Column("last_staged_at", UtcDateTime(), nullable=False),
    _unique("release", "id"),
    _unique("release", "fk_fraise", "version", "digest"),
)

deployment = Table(
    "tb_deployment",
    metadata,
    *_trinity("deployment", 300),
    _foreign("fraise"),
    _foreign("environment"),
    Column("number", BigInteger(), nullable=False),
    Column("run", name_type(64), nullable=False),
    Column("owner", name_type(64), nullable=False),
    Column("owner_name", name_type(255), nullable=False),
    Column("token", BigInteger(), nullable=False),
    Column("kind", name_type(16), nullable=False),
    Column("version", name_type(), nullable=False),
    Column("previous_version", name_type()),
    Column("provider", name_type(64), nullable=False),
    Column("strategy", name_type(64), nullable=False),
    Column("reason", text_type(), nullable=False),
    Column("user_name", name_type(255), nullable=False),
    Column("status", name_type(32), nullable=False),
    Column("status_reason", text_type()),
    Column("error_code", name_type(64)),
    Column("error_category", name_type(32)),
    Column("error_message", text_type()),
    Column("error", json_type()),
    Column("plan", json_type(), nullable=False),
    Column("options", json_type(), nullable=False),
    Column("requested_at", UtcDateTime(), nullable=False),
    Column("started_at", UtcDateTime(), nullable=False),
    Column("finished_at", UtcDateTime()),
    Column("duration_seconds", seconds_type()),
    Column("scope", name_type(16), nullable=False, server_default="whole"),
    Column("resumes", name_type(300)),
    Column("override_reason", text_type()),
    _unique("deployment", "id"),
    _unique("deployment", "identifier"),
    _unique("deployment", "fk_fraise", "fk_environment", "number"),
    Index("ix_deployment_pair_status", "fk_fraise", "fk_environment", "status", "number"),
    Index("ix_deployment_environment", "fk_environment"),
    Index("ix_deployment_status", "status"),
    Index("ix_deployment_started_at", "started_at"),
    Index("ix_deployment_run", "run"),
)

deployment_host = Table(
    "tb_deployment_host",
    metadata,
    *_trinity("deployment_host", 600),
    _foreign("deployment", on_delete="CASCADE"),
    Column("host", name_type(255), nullable=False),
    Column("state", name_type(32), nullable=False),
    Column("batch", Integer()),
    Column("version_before", name_type()),
    Column("version_after", name_type()),
    Column("digest", name_type(200)),
    Column("error_code", name_type(64)),
    Column("error_message", text_type()),
    Column("observed_at", UtcDateTime()),
    _unique("deployment_host", "id"),
    _unique("deployment_host", "fk_deployment", "host"),
    Index("ix_deployment_host_host", "host"),
)

step = Table(
    "tb_step",
    metadata,
    *_trinity("step", 128),
    _foreign("deployment", on_delete="CASCADE"),
    _foreign("deployment_host", on_delete="CASCADE"),
    Column("step", name_type(32), nullable=False),
    Column("attempt", Integer()),
    Column("batch", Integer()),
    Column("target_version", name_type()),
    Column("started_at", UtcDateTime()),
    Column("finished_at", UtcDateTime()),
    Column("duration_seconds", seconds_type()),
    Column("outcome", name_type(32)),
    Column("changed", Boolean()),
    Column("error_code", name_type(64)),
    Column("error_category", name_type(32)),
    Column("error_message", text_type()),
    Column("timings", json_type()),
    _unique("step", "id"),
    _unique("step", "fk_deployment", "identifier"),
    Index("ix_step_deployment_host", "fk_deployment_host"),
)

health_check = Table(
    "tb_health_check",
    metadata,
    *_trinity("health_check", 160),
    _foreign("deployment", on_delete="CASCADE"),
    _foreign("deployment_host", on_delete="CASCADE"),
    _foreign("step", on_delete="CASCADE"),
    Column("number", Integer(), nullable=False),
    Column("check_type", name_type(32), nullable=False),
    Column("target", text_type(), nullable=False),
    Column("status", name_type(8), nullable=False),
    Column("attempts", Integer()),
    Column("duration_seconds", seconds_type()),
    Column("message", text_type()),
    Column("checked_at", UtcDateTime(), nullable=False),
    _unique("health_check", "id"),
    _unique("health_check", "fk_step", "number"),
    Index("ix_health_check_deployment", "fk_deployment", "check_type", "status"),
    Index("ix_health_check_deployment_host", "fk_deployment_host"),
)

# An event outlives the deployment it tells of, so its link is loosened, not followed, when that is pruned; ``deployment`` keeps the UUID.
event = Table(
    "tb_event",
    metadata,
    *_trinity("event", 160),
    _foreign("deployment", optional=True, on_delete="SET NULL"),
    Column("run", name_type(64), nullable=False),
    Column("source", name_type(64), nullable=False),
    Column("seq", BigInteger(), nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    Column("stored_at", UtcDateTime(), nullable=False),
    Column("type", name_type(128), nullable=False),
    Column("deployment", name_type(36)),
    Column("host", name_type(255)),
    Column("data", json_type(), nullable=False),
    _unique("event", "id"),
    _unique("event", "run", "source", "seq"),
    Index("ix_event_deployment", "fk_deployment", "type"),
    Index("ix_event_at", "at"),
)

# One row for each pair, never deleted: a token only grows, a deployment number leaves no gap.
lock = Table(
    "tb_lock",
    metadata,
    *_trinity("lock", 260),
    _foreign("fraise"),
    _foreign("environment"),
    _foreign("deployment", optional=True, on_delete="SET NULL"),
    Column("owner", name_type(64)),
    Column("owner_name", name_type(255)),
    Column("token", BigInteger(), nullable=False),
    Column("reason", text_type(), nullable=False),
    Column("acquired_at", UtcDateTime()),
    Column("expires_at", UtcDateTime()),
    Column("released_at", UtcDateTime()),
    Column("last_number", BigInteger(), nullable=False),
    _unique("lock", "id"),
    _unique("lock", "identifier"),
    _unique("lock", "fk_fraise", "fk_environment"),
    Index("ix_lock_environment", "fk_environment"),
    Index("ix_lock_deployment", "fk_deployment"),
)

# What stands in the way of deployments until a person lifts it. Without a fraise it holds all of the environment.
hold = Table(
    "tb_hold",
    metadata,
    *_trinity("hold", 300),
    _foreign("fraise", optional=True),
    _foreign("environment"),
    _foreign("deployment", optional=True, on_delete="SET NULL"),
    Column("kind", name_type(32), nullable=False),
    Column("reason", text_type(), nullable=False),
    Column("placed_by", name_type(255), nullable=False),
    Column("placed_at", UtcDateTime(), nullable=False),
    Column("expires_at", UtcDateTime()),
    Column("lifted_at", UtcDateTime()),
    Column("lifted_by", name_type(255)),
    Column("lift_reason", text_type()),
    _unique("hold", "id"),
    _unique("hold", "identifier"),
    Index("ix_hold_environment", "fk_environment", "fk_fraise"),
    Index("ix_hold_fraise", "fk_fraise"),
    Index("ix_hold_deployment", "fk_deployment"),
)

# A release that was turned back in an environment; deploying it there again needs a person's word.
quarantine = Table(
    "tb_quarantine",
    metadata,
    *_trinity("quarantine", 600),
    _foreign("fraise"),
    _foreign("environment"),
    _foreign("deployment", optional=True, on_delete="SET NULL"),
    Column("version", name_type(), nullable=False),
    Column("digest", name_type(200)),
    Column("reason", text_type(), nullable=False),
    Column("error_code", name_type(64)),
    Column("placed_at", UtcDateTime(), nullable=False),
    Column("lifted_at", UtcDateTime()),
    Column("lifted_by", name_type(255)),
    Column("lift_reason", text_type()),
    _unique("quarantine", "id"),
    _unique("quarantine", "identifier"),
    Index("ix_quarantine_pair", "fk_fraise", "fk_environment", "digest"),
    Index("ix_quarantine_environment", "fk_environment"),
    Index("ix_quarantine_deployment", "fk_deployment"),
)

# What operators ask of a running deployment; its recorder looks here and obeys.
command = Table(
    "tb_command",
    metadata,
    *_trinity("command", 128),
    _foreign("deployment", on_delete="CASCADE"),
    Column("verb", name_type(32), nullable=False),
    Column("argument", name_type(64)),
    Column("reason", text_type(), nullable=False),
    Column("user_name", name_type(255), nullable=False),
    Column("issued_at", UtcDateTime(), nullable=False),
    Column("expires_at", UtcDateTime()),
    Column("obeyed_at", UtcDateTime()),
    Column("outcome", text_type()),
    _unique("command", "id"),
    _unique("command", "identifier"),
    Index("ix_command_deployment", "fk_deployment", "obeyed_at"),
)

# Hosts that were left out of a deployment and must still be brought to what the fleet has.
owed_host = Table(
    "tb_owed_host",
    metadata,
    *_trinity("owed_host", 700),
    _foreign("fraise"),
    _foreign("environment"),
    _foreign("deployment", optional=True, on_delete="SET NULL"),
    Column("host", name_type(255), nullable=False),
    Column("version", name_type(), nullable=False),
    Column("reason", text_type(), nullable=False),
    Column("since", UtcDateTime(), nullable=False),
    Column("settled_at", UtcDateTime()),
    Column("settled_by", name_type(300)),
    _unique("owed_host", "id"),
    _unique("owed_host", "identifier"),
    Index("ix_owed_host_pair", "fk_fraise", "fk_environment", "settled_at"),
    Index("ix_owed_host_environment", "fk_environment"),
    Index("ix_owed_host_deployment", "fk_deployment"),
)

# A deployment written down before it happens; ``identifier`` is the hash of ``document`` in canonical form.
plan = Table(
    "tb_plan",
    metadata,
    *_trinity("plan", 128),
    _foreign("fraise"),
    _foreign("environment"),
    _foreign("deployment", optional=True, on_delete="SET NULL"),
    Column("version", name_type(), nullable=False),
    Column("document", json_type(), nullable=False),
    Column("expected_seconds", seconds_type()),
    Column("reason", text_type(), nullable=False),
    Column("user_name", name_type(255), nullable=False),
    Column("made_at", UtcDateTime(), nullable=False),
    Column("applied_at", UtcDateTime()),
    _unique("plan", "id"),
    _unique("plan", "identifier"),
    Index("ix_plan_pair", "fk_fraise", "fk_environment", "made_at"),
    Index("ix_plan_environment", "fk_environment"),
    Index("ix_plan_deployment", "fk_deployment"),
)

approval = Table(
    "tb_approval",
    metadata,
    *_trinity("approval", 300),
    _foreign("plan", on_delete="CASCADE"),
    Column("user_name", name_type(255), nullable=False),
    Column("reason", text_type(), nullable=False),
    Column("approved_at", UtcDateTime(), nullable=False),
    Column("expires_at", UtcDateTime(), nullable=False),
    Column("revoked_at", UtcDateTime()),
    _unique("approval", "id"),
    _unique("approval", "identifier"),
    Index("ix_approval_plan", "fk_plan"),
)

# The audit: rows are only ever added, each carries the hash of the one before it. It refers to no table, so nothing that is forgotten changes it.
audit = Table(
    "tb_audit",
    metadata,
    *_trinity("audit", 160),
    Column("position", BigInteger(), nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    Column("type", name_type(32), nullable=False),
    Column("event", name_type(128), nullable=False),
    Column("actor", name_type(255), nullable=False),
    Column("fraise", name_type()),
    Column("environment", name_type()),
    Column("deployment", name_type(300)),
    Column("host", name_type(255)),
    Column("body", long_text_type(), nullable=False),
    Column("previous_hash", name_type(64), nullable=False),
    Column("hash", name_type(64), nullable=False),
    _unique("audit", "id"),
    _unique("audit", "position"),
)

# One row: where the chain ends. Whoever adds to the chain locks it.
audit_head = Table(
    "tb_audit_head",
    metadata,
    *_trinity("audit_head", 32),
    Column("position", BigInteger(), nullable=False),
    Column("hash", name_type(64), nullable=False),
    _unique("audit_head", "id"),
    _unique("audit_head", "identifier"),
)

# Signed words that the chain was whole up to a position: what lies before may be forgotten.
audit_checkpoint = Table(
    "tb_audit_checkpoint",
    metadata,
    *_trinity("audit_checkpoint", 160),
    Column("position", BigInteger(), nullable=False),
    Column("hash", name_type(64), nullable=False),
    Column("row_count", BigInteger(), nullable=False),
    Column("made_at", UtcDateTime(), nullable=False),
    Column("made_by", name_type(255), nullable=False),
    Column("key_id", name_type(80), nullable=False),
    Column("signature", name_type(128), nullable=False),
    _unique("audit_checkpoint", "id"),
    _unique("audit_checkpoint", "identifier"),
    Index("ix_audit_checkpoint_position", "position"),
)
