# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ``ansible-test sanity`` on what the collection ships. Arguments go to ansible-test.

It refuses to run in the checkout itself, so it gets a tree of its own. The plugins of the controller import the packages of
meta/ee-requirements.txt, so these go into the environment in which the test of imports loads plugins; modules get none.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import ansible_test
import yaml
from environment import pip_for

CHECKOUT = Path(__file__).resolve().parent.parent
TREE = CHECKOUT / "build" / "sanity"


def cache_folder() -> Path:
    """Where ansible-test keeps its virtual environments between runs, outside the checkout."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "fraisier-testbed" / "ansible-test"


def pip_settings() -> configparser.ConfigParser:
    """The index, the proxy and the CA that this machine uses: ansible-test drops the variables, so they become a file."""
    settings = configparser.ConfigParser(interpolation=None)
    settings.read([Path.home() / ".pip" / "pip.conf", Path.home() / ".config" / "pip" / "pip.conf"])
    if not settings.has_section("global"):
        settings.add_section("global")
    for name, value in os.environ.items():
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE":
            settings.set("global", name.removeprefix("PIP_").lower().replace("_", "-"), value)
    return settings


def prepare_home() -> Path:
    """A home for ansible-test: with pip's settings and the bootstrap script that it would otherwise download."""
    home = cache_folder()
    pip = home / ".config" / "pip"
    pip.mkdir(parents=True, exist_ok=True)
    with (pip / "pip.conf").open("w", encoding="utf-8") as file:
        pip_settings().write(file)
    code = (Path(ansible_test.__path__[0]) / "_internal" / "python_requirements.py").read_text(encoding="utf-8")
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in re.findall(r"pip='([0-9.]+)'", code):
        shutil.copy(CHECKOUT / "scripts" / "data" / "get_pip.py", cache / f"get_pip_{version.replace('.', '_')}.py")
    return home


def prepare_tree() -> Path:
    """The collection as ansible-test wants it: in a real tree, under git, which lists only what is shipped."""
    command = [sys.executable, str(CHECKOUT / "scripts" / "tree.py"), str(TREE)]
    root = Path(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip())
    shutil.rmtree(root / ".git", ignore_errors=True)
    subprocess.run(["git", "init", "--quiet"], cwd=root, timeout=60, check=True)
    ignored = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text(encoding="utf-8"))["build_ignore"]
    (root / ".git" / "info" / "exclude").write_text("".join(f"/{name}\n" for name in ignored), encoding="utf-8")
    subprocess.run(["git", "add", "--all"], cwd=root, timeout=60, check=True)
    return root


def add_requirements(home: Path) -> None:
    """Install the packages of the controller where plugins are imported, once for each list of them."""
    requirements = CHECKOUT / "meta" / "ee-requirements.txt"
    for python in (home / ".ansible" / "test" / "venv" / "sanity.import.plugin").glob("*/*/bin/python"):
        stamp = python.parent / "fraisier-requirements.txt"
        if not stamp.exists() or stamp.read_bytes() != requirements.read_bytes():
            command = [*pip_for(python), "install", "--quiet", "-r", str(requirements)]
            subprocess.run(command, timeout=600, check=True)
            shutil.copy(requirements, stamp)


def main() -> int:
    """Run it; the exit code is that of ansible-test."""
    root = prepare_tree()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = [str(Path(sys.executable).parent / "ansible-test"), "sanity", "--venv", "--requirements", "--python", python]
    environment = {name: value for name, value in os.environ.items() if name != "XDG_CACHE_HOME"}
    home = prepare_home()
    environment["HOME"] = str(home)
    subprocess.run([*command, "--test", "import", "--prime-venvs"], cwd=root, env=environment, capture_output=True, timeout=900, check=True)
    add_requirements(home)
    return subprocess.run([*command, *sys.argv[1:]], cwd=root, env=environment, timeout=1500, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
