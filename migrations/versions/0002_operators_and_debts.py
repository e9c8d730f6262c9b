# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators say and what is owed: holds, quarantine, commands, owed hosts, plans and approvals; whether a deployment covered the whole fleet."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.columns import (
    UtcDateTime,
    json_type,
    key_type,
    name_type,
    seconds_type,
    text_type,
    uuid_type,
)
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.ddl import add_column, create_table, create_view

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def trinity(entity: str, identifier_length: int) -> list[sa.Column[Any]]:
    return [
        sa.Column(f"pk_{entity}", key_type(), sa.Identity(always=True), primary_key=True),
        sa.Column("id", uuid_type(), nullable=False),
        sa.Column("identifier", name_type(identifier_length), nullable=False),
    ]


def foreign(entity: str, *, optional: bool = False, on_delete: str = "RESTRICT") -> sa.Column[Any]:
    return sa.Column(f"fk_{entity}", key_type(), sa.ForeignKey(f"tb_{entity}.pk_{entity}", ondelete=on_delete), nullable=optional)


def unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=f"uq_{table}_{'_'.join(columns)}")


def upgrade() -> None:
    """Add columns and tables, renew two views; each step is safe to run again (see ddl.py)."""
    columns()
    holds()
    wishes()
    create_view("v_deployment_history", DEPLOYMENT_HISTORY)
    create_view("v_fraise_status", FRAISE_STATUS)


def columns() -> None:
    add_column("tb_deployment", sa.Column("scope", name_type(16), nullable=False, server_default="whole"))
    add_column("tb_deployment", sa.Column("resumes", name_type(300)))
    add_column("tb_deployment", sa.Column("override_reason", text_type()))


def holds() -> None:
    create_table(
        "tb_hold",
        *trinity("hold", 300),
        foreign("fraise", optional=True),
        foreign("environment"),
        foreign("deployment", optional=True, on_delete="SET NULL"),
        sa.Column("kind", name_type(32), nullable=False),
        sa.Column("reason", text_type(), nullable=False),
        sa.Column("placed_by", name_type(255), nullable=False),
        sa.Column("placed_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime()),
        sa.Column("lifted_at", UtcDateTime()),
        sa.Column("lifted_by", name_type(255)),
        sa.Column("lift_reason", text_type()),
        unique("hold", "id"),
        unique("hold", "identifier"),
        indexes=(
            ("ix_hold_environment", ("fk_environment", "fk_fraise")),
            ("ix_hold_fraise", ("fk_fraise",)),
            ("ix_hold_deployment", ("fk_deployment",)),
        ),
    )
    create_table(
        "tb_quarantine",
        *trinity("quarantine", 600),
        foreign("fraise"),
        foreign("environment"),
        foreign("deployment", optional=True, on_delete="SET NULL"),
        sa.Column("version", name_type(), nullable=False),
        sa.Column("digest", name_type(200)),
        sa.Column("reason", text_type(), nullable=False),
        sa.Column("error_code", name_type(64)),
        sa.Column("placed_at", UtcDateTime(), nullable=False),
        sa.Column("lifted_at", UtcDateTime()),
        sa.Column("lifted_by", name_type(255)),
        sa.Column("lift_reason", text_type()),
        unique("quarantine", "id"),
        unique("quarantine", "identifier"),
        indexes=(
            ("ix_quarantine_pair", ("fk_fraise", "fk_environment", "digest")),
            ("ix_quarantine_environment", ("fk_environment",)),
            ("ix_quarantine_deployment", ("fk_deployment",)),
        ),
    )
    create_table(
        "tb_owed_host",
        *trinity("owed_host", 700),
        foreign("fraise"),
        foreign("environment"),
        foreign("deployment", optional=True, on_delete="SET NULL"),
        sa.Column("host", name_type(255), nullable=False),
        sa.Column("version", name_type(), nullable=False),
        sa.Column("reason", text_type(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("settled_at", UtcDateTime()),
        sa.Column("settled_by", name_type(300)),
        unique("owed_host", "id"),
        unique("owed_host", "identifier"),
        indexes=(
            ("ix_owed_host_pair", ("fk_fraise", "fk_environment", "settled_at")),
            ("ix_owed_host_environment", ("fk_environment",)),
            ("ix_owed_host_deployment", ("fk_deployment",)),
        ),
    )


def wishes() -> None:
    create_table(
        "tb_command",
        *trinity("command", 128),
        foreign("deployment", on_delete="CASCADE"),
        sa.Column("verb", name_type(32), nullable=False),
        sa.Column("argument", name_type(64)),
        sa.Column("reason", text_type(), nullable=False),
        sa.Column("user_name", name_type(255), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime()),
        sa.Column("obeyed_at", UtcDateTime()),
        sa.Column("outcome", text_type()),
        unique("command", "id"),
        unique("command", "identifier"),
        indexes=(("ix_command_deployment", ("fk_deployment", "obeyed_at")),),
    )
    create_table(
        "tb_plan",
        *trinity("plan", 128),
        foreign("fraise"),
        foreign("environment"),
        foreign("deployment", optional=True, on_delete="SET NULL"),
        sa.Column("version", name_type(), nullable=False),
        sa.Column("document", json_type(), nullable=False),
        sa.Column("expected_seconds", seconds_type()),
        sa.Column("reason", text_type(), nullable=False),
        sa.Column("user_name", name_type(255), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("applied_at", UtcDateTime()),
        unique("plan", "id"),
        unique("plan", "identifier"),
        indexes=(
            ("ix_plan_pair", ("fk_fraise", "fk_environment", "made_at")),
            ("ix_plan_environment", ("fk_environment",)),
            ("ix_plan_deployment", ("fk_deployment",)),
        ),
    )
    create_table(
        "tb_approval",
        *trinity("approval", 300),
        foreign("plan", on_delete="CASCADE"),
        sa.Column("user_name", name_type(255), nullable=False),
        sa.Column("reason", text_type(), nullable=False),
        sa.Column("approved_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime()),
        unique("approval", "id"),
        unique("approval", "identifier"),
        indexes=(("ix_approval_plan", ("fk_plan",)),),
    )


# COUNT, not SUM: MySQL and MariaDB give a sum as a decimal.
DEPLOYMENT_HISTORY = """
SELECT d.id, d.identifier, d.number, f.identifier AS fraise, f.type AS fraise_type, e.identifier AS environment, d.kind, d.version,
       d.previous_version, d.status, d.status_reason, d.reason, d.provider, d.strategy, d.user_name, d.owner_name, d.run, d.token,
       d.requested_at, d.started_at, d.finished_at, d.duration_seconds, d.error_code, d.error_category, d.error_message,
       COALESCE(h.hosts_total, 0) AS hosts_total, COALESCE(h.hosts_active, 0) AS hosts_active, COALESCE(h.hosts_undone, 0) AS hosts_undone,
       COALESCE(h.hosts_failed, 0) AS hosts_failed, COALESCE(h.hosts_unreachable, 0) AS hosts_unreachable,
       d.scope, d.resumes, d.override_reason
FROM tb_deployment d
JOIN tb_fraise f ON f.pk_fraise = d.fk_fraise
JOIN tb_environment e ON e.pk_environment = d.fk_environment
LEFT JOIN (
    SELECT fk_deployment, COUNT(*) AS hosts_total,
           COUNT(CASE WHEN state = 'active' THEN 1 END) AS hosts_active,
           COUNT(CASE WHEN state IN ('undone', 'reverted') THEN 1 END) AS hosts_undone,
           COUNT(CASE WHEN state = 'failed' THEN 1 END) AS hosts_failed,
           COUNT(CASE WHEN state = 'unreachable' THEN 1 END) AS hosts_unreachable
    FROM tb_deployment_host
    GROUP BY fk_deployment
) h ON h.fk_deployment = d.pk_deployment
"""

FRAISE_STATUS = """
WITH counts AS (
    SELECT fk_fraise, fk_environment,
           MAX(CASE WHEN status = 'success' AND scope = 'whole' THEN number END) AS good_number,
           COUNT(CASE WHEN status = 'success' THEN 1 END) AS successful_deployments,
           COUNT(CASE WHEN status IN ('failed', 'aborted', 'interrupted', 'rollback_failed') THEN 1 END) AS failed_deployments,
           COUNT(CASE WHEN status = 'rolled_back' THEN 1 END) AS rolled_back_deployments
    FROM tb_deployment
    GROUP BY fk_fraise, fk_environment
), fleet AS (
    SELECT fraise, environment, version, COUNT(*) AS hosts
    FROM v_fleet
    GROUP BY fraise, environment, version
), sizes AS (
    SELECT fraise, environment, COUNT(*) AS hosts
    FROM v_fleet
    GROUP BY fraise, environment
)
SELECT l.identifier, f.identifier AS fraise, f.type AS fraise_type, e.identifier AS environment,
       good.version, good.finished_at AS deployed_at, good.user_name AS deployed_by, good.identifier AS deployment,
       latest.identifier AS last_deployment, latest.kind AS last_kind, latest.version AS last_version, latest.status AS last_status,
       latest.status_reason AS last_status_reason, latest.started_at AS last_started_at, latest.finished_at AS last_finished_at,
       COALESCE(c.successful_deployments, 0) AS successful_deployments, COALESCE(c.failed_deployments, 0) AS failed_deployments,
       COALESCE(c.rolled_back_deployments, 0) AS rolled_back_deployments,
       COALESCE(sizes.hosts, 0) AS hosts_total, COALESCE(fleet.hosts, 0) AS hosts_on_version,
       CASE WHEN l.released_at IS NULL THEN l.owner_name END AS lock_owner_name, CASE WHEN l.released_at IS NULL THEN l.reason END AS lock_reason,
       CASE WHEN l.released_at IS NULL THEN l.acquired_at END AS lock_acquired_at, CASE WHEN l.released_at IS NULL THEN l.expires_at END AS lock_expires_at
FROM tb_lock l
JOIN tb_fraise f ON f.pk_fraise = l.fk_fraise
JOIN tb_environment e ON e.pk_environment = l.fk_environment
LEFT JOIN counts c ON c.fk_fraise = l.fk_fraise AND c.fk_environment = l.fk_environment
LEFT JOIN tb_deployment good ON good.fk_fraise = l.fk_fraise AND good.fk_environment = l.fk_environment AND good.number = c.good_number
LEFT JOIN tb_deployment latest ON latest.fk_fraise = l.fk_fraise AND latest.fk_environment = l.fk_environment AND latest.number = l.last_number
LEFT JOIN fleet ON fleet.fraise = f.identifier AND fleet.environment = e.identifier AND fleet.version = good.version
LEFT JOIN sizes ON sizes.fraise = f.identifier AND sizes.environment = e.identifier
"""
