# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's half runs on Python 3.8, without Ansible, and starts fast."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[4]
SOURCES = sorted((CHECKOUT / "plugins/module_utils").rglob("*.py")) + sorted((CHECKOUT / "plugins/modules").glob("*.py"))
HEAVY = ["urllib.request", "http.client", "ssl", "zipfile", "tarfile", "lzma", "ctypes", "email", "hashlib", "tempfile"]
LIFE = """
import json, sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.provider import run
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError
base = {"path": sys.argv[2] + "/root", "min_healthy": 0.2, "interval": 0.05, "timeout": 2.0}
service = {"manager": "process", "command": ["sleep", "60"]}
seen = []
for version in ("1.0", "1.1"):
    source = {"archive": {"src": sys.argv[2] + "/release.tar.gz"}}
    run(dict(base, state="staged", release=version, source=source, build="echo $FRAISIER_VERSION > built", shared=["var"]))
    result = run(dict(base, state="active", release=version, service=service, health=[{"exec": {"command": ["true"]}}]))
    seen.append(result["release"]["version"])
try:
    run(dict(base, state="active", release="1.0", service=service, health=[{"exec": {"command": ["false"]}}]))
except FraisierError as error:
    seen.append([error.code, error.result["reverted"], error.result["release"]["version"]])
seen.append(run(dict(base, state="pruned", keep=0))["pruned"])
seen.append(run(dict(base, state="inspected"))["release"]["current"])
run(dict(base, state="absent", force=True, service=service))
print(json.dumps(seen))
"""


def old_python() -> str:
    """A Python 3.8 of this machine, else the one that runs the tests."""
    for name in ("python3.8", str(Path("~/.pyenv/versions").expanduser())):
        found = shutil.which(name) or next((str(path) for path in sorted(Path(name).glob("3.8.*/bin/python"))), None)
        if found and subprocess.run([found, "-c", ""], check=False, timeout=30).returncode == 0:
            return found
    return sys.executable


def run_python(interpreter: str, *words: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ANSIBLE"))}
    done = subprocess.run([interpreter, *words], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_each_file_of_the_host_is_python_3_8(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_a_release_lives_its_whole_life_on_the_oldest_python(tmp_path: Path) -> None:
    (tmp_path / "version.txt").write_text("1")
    subprocess.run(["tar", "-czf", str(tmp_path / "release.tar.gz"), "-C", str(tmp_path), "version.txt"], check=True, timeout=30)
    tree = os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep)[0]
    seen = json.loads(run_python(old_python(), "-c", LIFE, tree, str(tmp_path)))
    assert seen == ["1.0", "1.1", ["HEALTH_CHECK_FAILED", True, "1.1"], [], "1.1"]


def test_what_only_one_path_needs_is_not_imported_by_every_call() -> None:
    tree = os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep)[0]
    package = "ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal"
    program = f"import sys; sys.path.insert(0, {tree!r})\nimport {package}.provider, {package}.activation, {package}.inspection\nprint(*sys.modules)"
    loaded = run_python(sys.executable, "-I", "-c", program).split()
    assert [name for name in HEAVY if name in loaded] == []
