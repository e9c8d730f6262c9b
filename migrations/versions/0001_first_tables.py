# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""First tables and views: fraises, environments, releases, deployments with hosts, steps and checks, events, locks."""

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
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.ddl import create_table, create_view

revision = "0001"
down_revision = None
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
    """Create everything; each step is safe to run again (see ddl.py)."""
    catalogue()
    deployments()
    journal()
    views()


def catalogue() -> None:
    create_table(
        "tb_fraise",
        *trinity("fraise", 128),
        sa.Column("type", name_type(32), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        unique("fraise", "id"),
        unique("fraise", "identifier"),
    )
    create_table(
        "tb_environment",
        *trinity("environment", 128),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        unique("environment", "id"),
        unique("environment", "identifier"),
    )
    create_table(
        "tb_release",
        *trinity("release", 512),
        foreign("fraise"),
        sa.Column("version", name_type(), nullable=False),
        sa.Column("digest", name_type(200), nullable=False),
        sa.Column("first_staged_at", UtcDateTime(), nullable=False),
        sa.Column("last_staged_at", UtcDateTime(), nullable=False),
        unique("release", "id"),
        unique("release", "fk_fraise", "version", "digest"),
    )


def deployments() -> None:
    create_table(
        "tb_deployment",
        *trinity("deployment", 300),
        foreign("fraise"),
        foreign("environment"),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("run", name_type(64), nullable=False),
        sa.Column("owner", name_type(64), nullable=False),
        sa.Column("owner_name", name_type(255), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("kind", name_type(16), nullable=False),
        sa.Column("version", name_type(), nullable=False),
        sa.Column("previous_version", name_type()),
        sa.Column("provider", name_type(64), nullable=False),
        sa.Column("strategy", name_type(64), nullable=False),
        sa.Column("reason", text_type(), nullable=False),
        sa.Column("user_name", name_type(255), nullable=False),
        sa.Column("status", name_type(32), nullable=False),
        sa.Column("status_reason", text_type()),
        sa.Column("error_code", name_type(64)),
        sa.Column("error_category", name_type(32)),
        sa.Column("error_message", text_type()),
        sa.Column("error", json_type()),
        sa.Column("plan", json_type(), nullable=False),
        sa.Column("options", json_type(), nullable=False),
        sa.Column("requested_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime()),
        sa.Column("duration_seconds", seconds_type()),
        unique("deployment", "id"),
        unique("deployment", "identifier"),
        unique("deployment", "fk_fraise", "fk_environment", "number"),
        indexes=(
            ("ix_deployment_pair_status", ("fk_fraise", "fk_environment", "status", "number")),
            ("ix_deployment_environment", ("fk_environment",)),
            ("ix_deployment_status", ("status",)),
            ("ix_deployment_started_at", ("started_at",)),
            ("ix_deployment_run", ("run",)),
        ),
    )
    create_table(
        "tb_deployment_host",
        *trinity("deployment_host", 600),
        foreign("deployment", on_delete="CASCADE"),
        sa.Column("host", name_type(255), nullable=False),
        sa.Column("state", name_type(32), nullable=False),
        sa.Column("batch", sa.Integer()),
        sa.Column("version_before", name_type()),
        sa.Column("version_after", name_type()),
        sa.Column("digest", name_type(200)),
        sa.Column("error_code", name_type(64)),
        sa.Column("error_message", text_type()),
        sa.Column("observed_at", UtcDateTime()),
        unique("deployment_host", "id"),
        unique("deployment_host", "fk_deployment", "host"),
        indexes=(("ix_deployment_host_host", ("host",)),),
    )
    create_table(
        "tb_step",
        *trinity("step", 128),
        foreign("deployment", on_delete="CASCADE"),
        foreign("deployment_host", on_delete="CASCADE"),
        sa.Column("step", name_type(32), nullable=False),
        sa.Column("attempt", sa.Integer()),
        sa.Column("batch", sa.Integer()),
        sa.Column("target_version", name_type()),
        sa.Column("started_at", UtcDateTime()),
        sa.Column("finished_at", UtcDateTime()),
        sa.Column("duration_seconds", seconds_type()),
        sa.Column("outcome", name_type(32)),
        sa.Column("changed", sa.Boolean()),
        sa.Column("error_code", name_type(64)),
        sa.Column("error_category", name_type(32)),
        sa.Column("error_message", text_type()),
        sa.Column("timings", json_type()),
        unique("step", "id"),
        unique("step", "fk_deployment", "identifier"),
        indexes=(("ix_step_deployment_host", ("fk_deployment_host",)),),
    )
    create_table(
        "tb_health_check",
        *trinity("health_check", 160),
        foreign("deployment", on_delete="CASCADE"),
        foreign("deployment_host", on_delete="CASCADE"),
        foreign("step", on_delete="CASCADE"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("check_type", name_type(32), nullable=False),
        sa.Column("target", text_type(), nullable=False),
        sa.Column("status", name_type(8), nullable=False),
        sa.Column("attempts", sa.Integer()),
        sa.Column("duration_seconds", seconds_type()),
        sa.Column("message", text_type()),
        sa.Column("checked_at", UtcDateTime(), nullable=False),
        unique("health_check", "id"),
        unique("health_check", "fk_step", "number"),
        indexes=(
            ("ix_health_check_deployment", ("fk_deployment", "check_type", "status")),
            ("ix_health_check_deployment_host", ("fk_deployment_host",)),
        ),
    )


def journal() -> None:
    create_table(
        "tb_event",
        *trinity("event", 160),
        foreign("deployment", optional=True, on_delete="SET NULL"),
        sa.Column("run", name_type(64), nullable=False),
        sa.Column("source", name_type(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("stored_at", UtcDateTime(), nullable=False),
        sa.Column("type", name_type(128), nullable=False),
        sa.Column("deployment", name_type(36)),
        sa.Column("host", name_type(255)),
        sa.Column("data", json_type(), nullable=False),
        unique("event", "id"),
        unique("event", "run", "source", "seq"),
        indexes=(("ix_event_deployment", ("fk_deployment", "type")), ("ix_event_at", ("at",))),
    )
    create_table(
        "tb_lock",
        *trinity("lock", 260),
        foreign("fraise"),
        foreign("environment"),
        foreign("deployment", optional=True, on_delete="SET NULL"),
        sa.Column("owner", name_type(64)),
        sa.Column("owner_name", name_type(255)),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("reason", text_type(), nullable=False),
        sa.Column("acquired_at", UtcDateTime()),
        sa.Column("expires_at", UtcDateTime()),
        sa.Column("released_at", UtcDateTime()),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        unique("lock", "id"),
        unique("lock", "identifier"),
        unique("lock", "fk_fraise", "fk_environment"),
        indexes=(("ix_lock_environment", ("fk_environment",)), ("ix_lock_deployment", ("fk_deployment",))),
    )


def views() -> None:
    create_view("v_deployment_history", DEPLOYMENT_HISTORY)
    create_view("v_fleet", FLEET)
    create_view("v_fraise_status", FRAISE_STATUS)


# COUNT, not SUM: MySQL and MariaDB give a sum as a decimal.
DEPLOYMENT_HISTORY = """
SELECT d.id, d.identifier, d.number, f.identifier AS fraise, f.type AS fraise_type, e.identifier AS environment, d.kind, d.version,
       d.previous_version, d.status, d.status_reason, d.reason, d.provider, d.strategy, d.user_name, d.owner_name, d.run, d.token,
       d.requested_at, d.started_at, d.finished_at, d.duration_seconds, d.error_code, d.error_category, d.error_message,
       COALESCE(h.hosts_total, 0) AS hosts_total, COALESCE(h.hosts_active, 0) AS hosts_active, COALESCE(h.hosts_undone, 0) AS hosts_undone,
       COALESCE(h.hosts_failed, 0) AS hosts_failed, COALESCE(h.hosts_unreachable, 0) AS hosts_unreachable
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

FLEET = """
SELECT n.host, f.identifier AS fraise, e.identifier AS environment, n.version, n.digest, n.state, n.observed_at AS at, n.deployment
FROM (
    SELECT h.host, d.fk_fraise, d.fk_environment, h.version_after AS version, h.digest, h.state, h.observed_at, d.identifier AS deployment,
           ROW_NUMBER() OVER (PARTITION BY d.fk_fraise, d.fk_environment, h.host ORDER BY d.number DESC) AS newest
    FROM tb_deployment_host h
    JOIN tb_deployment d ON d.pk_deployment = h.fk_deployment
    WHERE h.version_after IS NOT NULL
) n
JOIN tb_fraise f ON f.pk_fraise = n.fk_fraise
JOIN tb_environment e ON e.pk_environment = n.fk_environment
WHERE n.newest = 1
"""

FRAISE_STATUS = """
WITH counts AS (
    SELECT fk_fraise, fk_environment,
           MAX(CASE WHEN status = 'success' THEN number END) AS good_number,
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
