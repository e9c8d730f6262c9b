# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks that Ansible itself has read: which of them speak of this collection."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.playbook import Playbook

from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.plays import is_ours
from tests.conftest import TREE

NOTHING = {"ansible.builtin.debug": {"msg": "hello"}}
OWN_ROLE = {"ansible.builtin.include_role": {"name": "fraisier.deploy.fraise"}}


def read(folder: Path, **play: object) -> Playbook:
    path = folder / "site.yml"
    path.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, **play}]), encoding="utf-8")
    return Playbook.load(str(path), loader=DataLoader(), variable_manager=None)


@pytest.mark.parametrize(
    "play",
    [
        {"tasks": [NOTHING]},
        {"tasks": [{"block": [NOTHING], "rescue": [NOTHING], "always": [NOTHING]}], "handlers": [{"name": "fraisier.deployed", **NOTHING}]},
        {"tasks": []},
    ],
    ids=["a task", "blocks and handlers", "nothing"],
)
def test_a_playbook_without_our_actions_is_not_ours(tmp_path, play):
    assert not is_ours(read(tmp_path, **play))


@pytest.mark.parametrize("section", ["pre_tasks", "tasks", "post_tasks"])
@pytest.mark.parametrize("depth", [0, 2])
def test_a_role_of_ours_is_seen_wherever_it_stands(tmp_path, section, depth):
    entry: dict[str, object] = OWN_ROLE
    for _ in range(depth):
        entry = {"block": [NOTHING], "rescue": [entry]}
    assert is_ours(read(tmp_path, **{section: [NOTHING, entry]}))


READ_OWN = """
import sys
from ansible.parsing.dataloader import DataLoader
from ansible.playbook import Playbook
from ansible.plugins.loader import init_plugin_loader
from ansible.vars.manager import VariableManager
init_plugin_loader()
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.plays import is_ours
for path in sys.argv[1:]:
    loader = DataLoader()
    print(path, is_ours(Playbook.load(path, loader=loader, variable_manager=VariableManager(loader=loader))))
"""


def test_the_playbooks_of_the_collection_are_ours(tmp_path):
    playbooks = sorted(str(path) for path in (TREE / "ansible_collections/fraisier/deploy/playbooks").glob("*.yml"))
    environment = {**os.environ, "HOME": str(tmp_path), "ANSIBLE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", READ_OWN, *playbooks], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == [f"{path} True" for path in playbooks], done.stderr
