# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook that proves the record: a deployment is audited, a whole chain passes, one that was changed or cut off fails the run."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.e2e.local_fleet import LocalFleet
from tests.testbed.controllers_role import controllers_url


@pytest.fixture
def shop(tmp_path: Path, sqlite_url: str) -> Iterator[LocalFleet]:
    """A host with one deployment behind it, and a key to sign with."""
    fleet = LocalFleet(tmp_path, ["web1"], sqlite_url)
    fleet.release("1.0.0")
    deployed = fleet.controller.deploy("shop_api", "1.0.0")
    assert deployed.code == 0, deployed.output
    yield fleet
    fleet.stop()


def make_key(path: Path) -> Path:
    """A private key in a file that only its owner may read."""
    pem = Ed25519PrivateKey.generate().private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.touch(mode=0o600)
    path.write_bytes(pem)
    return path


def change(shop: LocalFleet, *statements: str) -> None:
    with sqlite3.connect(shop.controller.store_url.removeprefix("sqlite:///")) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_an_audit_is_verified_exported_and_found_out_when_it_is_changed(shop: LocalFleet, tmp_path: Path) -> None:
    audit = shop.controller.run
    whole = audit("audit")
    assert whole.code == 0, whole.output
    assert "The audit is whole" in whole.output
    listed = audit("audit", audit="list", audit_type="deployment", limit=50)
    for word in ("deployment.opened", "step.outcome", "gate.decided", "deployment.closed", "shop_api:test:1", "web1"):
        assert word in listed.output
    key = make_key(tmp_path / "audit-key.pem")
    head = tmp_path / "head.json"
    exported = audit("audit", audit="export", audit_file=str(head), audit_key_file=str(key))
    assert exported.code == 0, exported.output
    assert json.loads(head.read_text(encoding="utf-8"))["signature"]
    shop.controller.settings["FRAISIER_AUDIT_KEY_FILE"] = str(key)
    checked = audit("audit", audit="check", audit_file=str(head))
    assert checked.code == 0, checked.output
    assert "is in the chain, its signature is true" in checked.output
    position = json.loads(head.read_text(encoding="utf-8"))["position"]
    # Cut off well, down to the head: only who kept the exported head can tell.
    change(
        shop,
        "DROP TRIGGER tr_audit_delete",
        f"DELETE FROM tb_audit WHERE position > {position - 2}",
        f"UPDATE tb_audit_head SET position = {position - 2}, hash = (SELECT hash FROM tb_audit WHERE position = {position - 2})",
    )
    with shop.controller.store() as store:
        assert store.audit.verify()["ok"]
    cut = audit("audit", audit="check", audit_file=str(head))
    assert cut.code != 0
    change(shop, "DROP TRIGGER tr_audit_update", "UPDATE tb_audit SET actor = 'nobody' WHERE position = 3")
    broken = audit("audit")
    assert broken.code != 0
    assert "not whole at position 3" in broken.output
    assert "says something else in actor" in broken.output
    ill = audit("store", store="check")
    assert ill.code != 0
    assert "the audit is not whole at position 3" in ill.output
    for run in (whole, listed, exported, checked, broken):
        assert "PRIVATE KEY" not in run.output


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_controller_with_no_more_than_its_rights_deploys(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    owner_url = str(request.getfixturevalue(f"{kind}_url"))
    fleet = LocalFleet(tmp_path, ["web1"], owner_url)
    try:
        fleet.release("1.0.0")
        migrated = fleet.controller.run("store", store="migrate")
        assert migrated.code == 0, migrated.output
        given = fleet.controller.run("store", store="grants", role="ROLE")
        assert given.code == 0, given.output
        granted = "".join(f"{line}\n" for line in given.output.splitlines() if line.startswith(("GRANT ", "REVOKE ")))
        fleet.controller.store_url = controllers_url(owner_url, granted)
        deployed = fleet.controller.deploy("shop_api", "1.0.0")
        assert deployed.code == 0, deployed.output
        assert fleet.controller.latest()["status"] == "success"
        with fleet.controller.store() as store:
            assert store.audit.verify()["ok"]
        assert fleet.serving() == {"web1": "1.0.0"}
        refused = fleet.controller.run("audit", audit="checkpoint", audit_key_file=str(make_key(tmp_path / "audit-key.pem")))
        assert refused.code != 0
        assert "refused this user" in refused.output
    finally:
        fleet.stop()
