# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module bare_metal as Ansible sees it: its documentation says what it takes, and it runs."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.fraisier.deploy.plugins.doc_fragments import health, service
from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.provider import ARGUMENT_SPEC
from ansible_collections.fraisier.deploy.plugins.modules import bare_metal

COMPARED = ("type", "elements", "required", "default", "choices")


def documented() -> dict[str, Any]:
    options = dict(yaml.safe_load(bare_metal.DOCUMENTATION)["options"])
    for fragment in (health, service):
        options.update(yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"])
    return options


def compare(options: dict[str, Any], spec: dict[str, Any], where: str) -> None:
    assert sorted(options) == sorted(spec), where
    for name, documentation in options.items():
        for key in COMPARED:
            fallback = "str" if key == "type" else False if key == "required" else None
            assert documentation.get(key, fallback) == spec[name].get(key, fallback), f"{where}{name}.{key}"
        compare(documentation.get("suboptions", {}), spec[name].get("options", {}), f"{where}{name}.")


def test_documentation_and_argument_spec_agree() -> None:
    compare(documented(), ARGUMENT_SPEC, "")


def test_the_examples_use_only_options_that_exist() -> None:
    for task in yaml.safe_load(bare_metal.EXAMPLES):
        assert set(task["fraisier.deploy.bare_metal"]) <= set(ARGUMENT_SPEC)


def call(arguments: dict[str, Any], home: Path, *, check: bool = False) -> dict[str, Any]:
    """Run the module as Ansible does on a host: a process of its own that reads its arguments from standard input."""
    own = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_remote_tmp": str(home), "_ansible_keep_remote_files": False}
    program = "import runpy; from ansible.module_utils import basic; basic._ANSIBLE_PROFILE = 'legacy'; "
    program += "runpy.run_module('ansible_collections.fraisier.deploy.plugins.modules.bare_metal', run_name='__main__')"
    environment = {**os.environ, "PYTHONPATH": os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep)[0], "HOME": str(home)}
    text = json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, **own}})
    done = subprocess.run([sys.executable, "-c", program], input=text, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def release(tmp_path: Path) -> dict[str, Any]:
    archive = tmp_path / "release.tar"
    with tarfile.open(archive, "w") as tar:
        entry = tarfile.TarInfo("version.txt")
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"1.0"))
    return {"path": str(tmp_path / "root"), "release": "1.0", "source": {"archive": {"src": str(archive)}}}


def test_the_module_stages_activates_and_is_idempotent(tmp_path: Path, release: dict[str, Any]) -> None:
    assert call({**release, "state": "staged"}, tmp_path, check=True)["changed"] is True
    assert not (tmp_path / "root").exists()
    staged = call({**release, "state": "staged"}, tmp_path)
    assert staged["changed"] is True
    assert staged["diff"]["after"]["staged"] is True
    health_check = [{"exec": {"command": ["grep", "1.0", str(tmp_path / "root/current/version.txt")]}}]
    active = {**release, "state": "active", "min_healthy": 0, "health": health_check}
    assert call(active, tmp_path)["health"]["status"] == "healthy"
    assert call(active, tmp_path)["changed"] is False


def test_a_failure_carries_the_error_and_the_result(tmp_path: Path, release: dict[str, Any]) -> None:
    call({**release, "state": "staged"}, tmp_path)
    failed = call({**release, "state": "active", "min_healthy": 0, "timeout": 0.3, "health": [{"tcp": {"port": 1}}]}, tmp_path)
    assert failed["failed"] is True
    assert failed["error"]["code"] == "HEALTH_CHECK_FAILED"
    assert failed["reverted"] is True
    assert failed["release"]["version"] is None
    assert failed["error"]["hint"] in failed["msg"]


def test_ansible_itself_refuses_what_the_argument_spec_does_not_know(tmp_path: Path, release: dict[str, Any]) -> None:
    assert "source" in call({**release, "state": "staged", "source": None}, tmp_path)["msg"]
    assert "archive" in call({**release, "state": "staged", "source": {}}, tmp_path)["msg"]
    assert "fast" in call({**release, "state": "fast"}, tmp_path)["msg"]
