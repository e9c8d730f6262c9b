# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit: a chain of hashes that is only added to, its head, and the signed checkpoints that let its old rows go."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.columns import UtcDateTime, key_type, long_text_type, name_type, uuid_type
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.ddl import create_table, create_trigger

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

REFUSED = "is append-only: its rows are never changed, and removed only up to a checkpoint"


def trinity(entity: str, identifier_length: int) -> list[sa.Column[Any]]:
    return [
        sa.Column(f"pk_{entity}", key_type(), sa.Identity(always=True), primary_key=True),
        sa.Column("id", uuid_type(), nullable=False),
        sa.Column("identifier", name_type(identifier_length), nullable=False),
    ]


def unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=f"uq_{table}_{'_'.join(columns)}")


def upgrade() -> None:
    """Add the tables and what guards them; each step is safe to run again (see ddl.py)."""
    chain()
    guards = {"sqlite": guards_of_sqlite, "postgresql": guards_of_postgresql}
    guards.get(op.get_context().dialect.name, guards_of_mysql)()


def chain() -> None:
    create_table(
        "tb_audit",
        *trinity("audit", 160),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("type", name_type(32), nullable=False),
        sa.Column("event", name_type(128), nullable=False),
        sa.Column("actor", name_type(255), nullable=False),
        sa.Column("fraise", name_type()),
        sa.Column("environment", name_type()),
        sa.Column("deployment", name_type(300)),
        sa.Column("host", name_type(255)),
        sa.Column("body", long_text_type(), nullable=False),
        sa.Column("previous_hash", name_type(64), nullable=False),
        sa.Column("hash", name_type(64), nullable=False),
        unique("audit", "id"),
        unique("audit", "position"),
    )
    create_table(
        "tb_audit_head",
        *trinity("audit_head", 32),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", name_type(64), nullable=False),
        unique("audit_head", "id"),
        unique("audit_head", "identifier"),
    )
    create_table(
        "tb_audit_checkpoint",
        *trinity("audit_checkpoint", 160),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", name_type(64), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("made_by", name_type(255), nullable=False),
        sa.Column("key_id", name_type(80), nullable=False),
        sa.Column("signature", name_type(128), nullable=False),
        unique("audit_checkpoint", "id"),
        unique("audit_checkpoint", "identifier"),
        indexes=(("ix_audit_checkpoint_position", ("position",)),),
    )


def guards_of_sqlite() -> None:
    def refuse(name: str, table: str, deed: str, unless: str = "") -> None:
        when = f" WHEN NOT EXISTS ({unless})" if unless else ""
        create_trigger(name, table, f"BEFORE {deed}", f"FOR EACH ROW{when} BEGIN SELECT RAISE(ABORT, '{table} {REFUSED}'); END")

    covered = "SELECT 1 FROM tb_audit_checkpoint c WHERE c.position >= OLD.position"
    refuse("tr_audit_update", "tb_audit", "UPDATE")
    refuse("tr_audit_delete", "tb_audit", "DELETE", covered)
    refuse("tr_audit_checkpoint_update", "tb_audit_checkpoint", "UPDATE")
    refuse("tr_audit_checkpoint_delete", "tb_audit_checkpoint", "DELETE")


def guards_of_postgresql() -> None:
    op.execute(
        f"""CREATE OR REPLACE FUNCTION fraisier_audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'tb_audit' THEN
        IF EXISTS (SELECT 1 FROM tb_audit_checkpoint c WHERE c.position >= OLD.position) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' {REFUSED}';
END
$$"""
    )
    row, statement = "FOR EACH ROW EXECUTE FUNCTION fraisier_audit_guard()", "FOR EACH STATEMENT EXECUTE FUNCTION fraisier_audit_guard()"
    for table in ("tb_audit", "tb_audit_checkpoint"):
        name = table.replace("tb_", "tr_")
        create_trigger(f"{name}_update", table, "BEFORE UPDATE", row)
        create_trigger(f"{name}_delete", table, "BEFORE DELETE", row)
        create_trigger(f"{name}_truncate", table, "BEFORE TRUNCATE", statement)


def guards_of_mysql() -> None:
    """No trigger fires for TRUNCATE or DROP there: a controller's role lacks the right to them."""

    def refusal(table: str) -> str:
        return f"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{table} {REFUSED}'"

    covered = "SELECT 1 FROM tb_audit_checkpoint c WHERE c.position >= OLD.position"
    guarded = f"FOR EACH ROW BEGIN IF NOT EXISTS ({covered}) THEN {refusal('tb_audit')}; END IF; END"
    create_trigger("tr_audit_update", "tb_audit", "BEFORE UPDATE", f"FOR EACH ROW {refusal('tb_audit')}")
    create_trigger("tr_audit_delete", "tb_audit", "BEFORE DELETE", guarded, compound=True)
    for deed in ("update", "delete"):
        name, table = f"tr_audit_checkpoint_{deed}", "tb_audit_checkpoint"
        create_trigger(name, table, f"BEFORE {deed.upper()}", f"FOR EACH ROW {refusal(table)}")
