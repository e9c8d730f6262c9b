# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role of a controller on real servers: it deploys, and cannot touch what was recorded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import CommandRequest, PlanRequest, Store
from tests.testbed.controllers_role import controllers_url
from tests.unit.plugins.plugin_utils.store.builders import Run
from tests.unit.plugins.plugin_utils.store.tampering import execute, rows

COMMON = (
    "UPDATE tb_audit SET actor = 'nobody'",
    "UPDATE tb_audit SET body = '' WHERE position = 1",
    "DELETE FROM tb_audit",
    "TRUNCATE TABLE tb_audit",
    "DROP TABLE tb_audit",
    "ALTER TABLE tb_audit DROP COLUMN actor",
    "UPDATE tb_event SET type = 'nothing'",
    "DELETE FROM tb_event",
    "TRUNCATE TABLE tb_event",
    "INSERT INTO tb_audit_checkpoint (id, identifier) VALUES ('0198a9a0-0000-7000-8000-000000000000', 'x')",
    "UPDATE tb_audit_checkpoint SET position = 1",
    "DELETE FROM tb_audit_head",
    "TRUNCATE TABLE tb_audit_head",
    "DELETE FROM tb_deployment",
    "UPDATE alembic_version SET version_num = '0001'",
)
REFUSED = {
    "postgresql": (
        *COMMON,
        "DROP TRIGGER tr_audit_update ON tb_audit",
        "ALTER TABLE tb_audit DISABLE TRIGGER ALL",
        "CREATE OR REPLACE FUNCTION fraisier_audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$",
        "SET session_replication_role = replica",
    ),
    "mysql": (
        *COMMON,
        "DROP TRIGGER tr_audit_update",
        "CREATE OR REPLACE TRIGGER tr_audit_update BEFORE UPDATE ON tb_audit FOR EACH ROW SET @x = 1",
        "REPLACE INTO tb_audit SELECT * FROM tb_audit",
        "INSERT INTO tb_audit SELECT * FROM tb_audit ON DUPLICATE KEY UPDATE actor = 'nobody'",
    ),
}


@pytest.fixture(params=["postgresql", "mariadb"])
def owner(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A migrated store as the owner of its tables sees it."""
    with Store.connect(request.getfixturevalue(f"{request.param}_url")) as connected:
        connected.migrate()
        yield connected


def test_a_controller_works_with_its_rights_and_cannot_change_what_was_recorded(owner: Store) -> None:
    owner_url = owner._url.render_as_string(hide_password=False)
    url = controllers_url(owner_url, Store.grants_sql(owner.dialect, "ROLE"))
    with Store.connect(url) as store:
        assert store.schema().ready
        run = Run(store)
        store.commands.issue(CommandRequest("pause", "shop_api", "production", "bob", "run-9", "lunch"))
        assert store.apply(run.whole()) == 14
        assert store.apply(run.whole()) == 14
        plan = PlanRequest("ab" * 32, {"version": "1.1.0"}, "shop_api", "api", "production", "1.1.0", None, "why", "ada", "run-8")
        assert store.plans.make(plan)["made"]
        opened = Run(store, version="1.1.0")
        opened.store.renew_lease(opened.opened.lease, 30)
        assert store.release_lease(opened.opened.lease)
        Run(store, version="1.2.0").done("failed", error={"code": "HEALTH_CHECK_FAILED", "message": "no"})
        assert store.history()
        assert store.status()
        assert store.metrics_rows()
        answer = store.check()
        assert answer["ok"]
        # who has no right to triggers cannot see them on MariaDB: that is told, not taken for a loss
        assert answer["unguarded"] == ([] if store.dialect == "postgresql" else None)
        before = rows(store)
        assert store.audit.verify()["ok"]
        for statement in REFUSED[store.dialect]:
            with pytest.raises(FraisierError, match=r"denied|must be owner|permission") as caught:
                execute(store, statement)
            assert "append-only" not in str(caught.value), statement
        assert rows(store) == before
        assert store.audit.verify()["ok"]
    # Whoever owns the tables is still held by the triggers, and may forget events.
    with pytest.raises(FraisierError, match="append-only"):
        execute(owner, "DELETE FROM tb_audit")
    if owner.dialect == "postgresql":
        with pytest.raises(FraisierError, match="append-only"):
            execute(owner, "TRUNCATE tb_audit")
    execute(owner, "DELETE FROM tb_event")


def test_rights_are_given_again_without_harm_and_taken_back_where_they_were_more(owner: Store) -> None:
    if owner.dialect == "postgresql":
        owner_url = owner._url.render_as_string(hide_password=False)
        grants = "GRANT ALL ON tb_audit TO ROLE;\n" + Store.grants_sql(owner.dialect, "ROLE") + Store.grants_sql(owner.dialect, "ROLE")
        with Store.connect(controllers_url(owner_url, grants)) as store:
            Run(store).done()
            with pytest.raises(FraisierError, match="permission denied"):
                execute(store, "DELETE FROM tb_audit")
