# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of Ansible as plain ones, and what of them came from a vault: with real inventories and real vaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret, VaultSecretsContext
from ansible.vars.manager import VariableManager

from ansible_collections.fraisier.deploy.plugins.plugin_utils.native import revealed
from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability.redaction import Vaulted, secret_values

OPEN, LOCKED = [("default", VaultSecret(b"right"))], [("default", VaultSecret(b"wrong"))]


def encrypted(text: str) -> str:
    return str(VaultLib(OPEN).encrypt(text, OPEN[0][1]).decode())


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    folder = tmp_path / "group_vars" / "all"
    folder.mkdir(parents=True)
    (tmp_path / "hosts").write_text("web1\n", encoding="utf-8")
    block = encrypted("of one vaulted text").replace("\n", "\n  ").rstrip()
    (folder / "plain.yml").write_text(f"version: 1.4.2\nports: [8000]\nused: true\nplain: !vault |\n  {block}\n", encoding="utf-8")
    return tmp_path


def variables(inventory: Path, secrets: list[Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(VaultSecretsContext, "_current", VaultSecretsContext(secrets))
    loader = DataLoader()
    loader.set_vault_secrets(secrets)
    manager = InventoryManager(loader=loader, sources=[str(inventory / "hosts")])
    found = VariableManager(loader=loader, inventory=manager).get_vars(host=manager.get_host("web1"), include_hostvars=False)
    return {name: found[name] for name in ("version", "ports", "used", "plain", "region", "number") if name in found}


def test_a_vaulted_text_is_a_secret_whatever_its_name(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = revealed(variables(inventory, OPEN, monkeypatch))
    assert plain == {"version": "1.4.2", "ports": [8000], "used": None, "plain": "of one vaulted text"}
    assert isinstance(plain["plain"], Vaulted)
    assert not isinstance(plain["version"], Vaulted)
    assert secret_values(plain) == {"of one vaulted text"}


def test_all_of_an_encrypted_file_is_secret_whatever_its_names(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (inventory / "group_vars/all/vault.yml").write_text(encrypted("region: of an encrypted file\nnumber: 123456789\n"), encoding="utf-8")
    found = variables(inventory, OPEN, monkeypatch)
    assert secret_values(revealed(found)) == {"of one vaulted text", "of an encrypted file", "123456789"}


def test_a_vaulted_text_that_cannot_be_opened_is_left_out_and_stops_nothing(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert revealed(variables(inventory, LOCKED, monkeypatch))["plain"] is None
