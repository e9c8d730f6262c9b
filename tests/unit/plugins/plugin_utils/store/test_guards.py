# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A check of the store sees when the triggers of the audit are gone, whatever the database."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.guards import guards
from tests.unit.plugins.plugin_utils.store.tampering import drop_guards, execute


def test_a_migrated_store_has_all_of_them(store: Store) -> None:
    answer = store.check()
    assert answer["ok"]
    assert answer["unguarded"] == []


def test_one_that_is_gone_is_named(store: Store) -> None:
    execute(store, "DROP TRIGGER tr_audit_delete" + (" ON tb_audit" if store.dialect == "postgresql" else ""))
    answer = store.check()
    assert not answer["ok"]
    assert answer["unguarded"] == ["tr_audit_delete"]


def test_all_that_are_gone_are_named(store: Store) -> None:
    drop_guards(store)
    if store.dialect == "postgresql":
        execute(store, "DROP TRIGGER tr_audit_truncate ON tb_audit", "ALTER TABLE tb_audit_checkpoint DISABLE TRIGGER tr_audit_checkpoint_truncate")
    assert store.check()["unguarded"] == sorted(guards(store.dialect))


def test_one_of_the_same_name_on_another_table_does_not_count(store: Store) -> None:
    if store.dialect == "postgresql":
        execute(
            store,
            "DROP TRIGGER tr_audit_update ON tb_audit",
            "CREATE TRIGGER tr_audit_update BEFORE UPDATE ON tb_audit_head FOR EACH ROW EXECUTE FUNCTION fraisier_audit_guard()",
        )
    else:
        nothing = "BEGIN SELECT 1; END" if store.dialect == "sqlite" else "SET @nothing = 1"
        execute(store, "DROP TRIGGER tr_audit_update", f"CREATE TRIGGER tr_audit_update BEFORE UPDATE ON tb_audit_head FOR EACH ROW {nothing}")
    assert store.check()["unguarded"] == ["tr_audit_update"]
