# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The read views as SQLAlchemy sees them (their SQL is in the migrations). Their own MetaData, so that nothing ever tries to create them as tables."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.columns import UtcDateTime, name_type, seconds_type, text_type, uuid_type

metadata = MetaData()

deployment_history = Table(
    "v_deployment_history",
    metadata,
    Column("id", uuid_type()),
    Column("identifier", name_type()),
    Column("number", BigInteger()),
    Column("fraise", name_type()),
    Column("fraise_type", name_type()),
    Column("environment", name_type()),
    Column("kind", name_type()),
    Column("version", name_type()),
    Column("previous_version", name_type()),
    Column("status", name_type()),
    Column("status_reason", text_type()),
    Column("reason", text_type()),
    Column("provider", name_type()),
    Column("strategy", name_type()),
    Column("user_name", name_type()),
    Column("owner_name", name_type()),
    Column("run", name_type()),
    Column("token", BigInteger()),
    Column("requested_at", UtcDateTime()),
    Column("started_at", UtcDateTime()),
    Column("finished_at", UtcDateTime()),
    Column("duration_seconds", seconds_type()),
    Column("error_code", name_type()),
    Column("error_category", name_type()),
    Column("error_message", text_type()),
    Column("hosts_total", Integer()),
    Column("hosts_active", Integer()),
    Column("hosts_undone", Integer()),
    Column("hosts_failed", Integer()),
    Column("hosts_unreachable", Integer()),
    Column("scope", name_type()),
    Column("resumes", name_type()),
    Column("override_reason", text_type()),
)

fraise_status = Table(
    "v_fraise_status",
    metadata,
    Column("identifier", name_type()),
    Column("fraise", name_type()),
    Column("fraise_type", name_type()),
    Column("environment", name_type()),
    Column("version", name_type()),
    Column("deployed_at", UtcDateTime()),
    Column("deployed_by", name_type()),
    Column("deployment", name_type()),
    Column("last_deployment", name_type()),
    Column("last_kind", name_type()),
    Column("last_version", name_type()),
    Column("last_status", name_type()),
    Column("last_status_reason", text_type()),
    Column("last_started_at", UtcDateTime()),
    Column("last_finished_at", UtcDateTime()),
    Column("successful_deployments", Integer()),
    Column("failed_deployments", Integer()),
    Column("rolled_back_deployments", Integer()),
    Column("hosts_total", Integer()),
    Column("hosts_on_version", Integer()),
    Column("lock_owner_name", name_type()),
    Column("lock_reason", text_type()),
    Column("lock_acquired_at", UtcDateTime()),
    Column("lock_expires_at", UtcDateTime()),
)

fleet = Table(
    "v_fleet",
    metadata,
    Column("host", name_type()),
    Column("fraise", name_type()),
    Column("environment", name_type()),
    Column("version", name_type()),
    Column("digest", name_type()),
    Column("state", name_type()),
    Column("at", UtcDateTime()),
    Column("deployment", name_type()),
)
