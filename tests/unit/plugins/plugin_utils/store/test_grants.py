# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The statements that give a controller its rights (what they do on real servers: tests/integration/store/test_grants.py)."""

from __future__ import annotations

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError, ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store, tables, views


@pytest.mark.parametrize(("dialect", "quoted"), [("postgresql", '"ctl"'), ("mysql", "'ctl'")])
def test_every_table_and_view_is_named_once_and_what_is_recorded_is_only_added_to(dialect: str, quoted: str) -> None:
    granted = [line for line in Store.grants_sql(dialect, "ctl").splitlines() if (line.startswith("GRANT") and " ON tb_" in line) or " ON v_" in line]
    named = {line.split(" ON ")[1].split(" TO ")[0]: line.split(" ON ")[0].removeprefix("GRANT ") for line in granted if line.startswith("GRANT")}
    assert set(named) == {*tables.metadata.tables, *views.metadata.tables}
    assert named["tb_audit"] == named["tb_event"] == "SELECT, INSERT"
    assert named["tb_audit_checkpoint"] == named["v_fleet"] == "SELECT"
    assert named["tb_lock"] == "SELECT, INSERT, UPDATE"
    assert all(line.endswith(f"TO {quoted};") for line in granted if line.startswith("GRANT"))
    assert "DELETE" not in Store.grants_sql(dialect, "ctl")


def test_a_user_of_mariadb_may_be_named_with_its_host() -> None:
    assert "TO 'ctl'@'10.0.%';" in Store.grants_sql("mysql", "ctl@10.0.%")


ODD = {"postgresql": ("", 'a"; DROP TABLE tb_audit; --', "a@b"), "mysql": ("", "a'b", "a@", "a@b'c")}


@pytest.mark.parametrize(("dialect", "role"), [(dialect, role) for dialect, roles in ODD.items() for role in roles])
def test_what_is_no_name_of_a_role_is_refused(dialect: str, role: str) -> None:
    with pytest.raises(ValidationError, match="role"):
        Store.grants_sql(dialect, role)


def test_sqlite_has_no_roles() -> None:
    with pytest.raises(ConfigurationError, match="knows no roles"):
        Store.grants_sql("sqlite", "ctl")
