# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person at a terminal: runs the collection's playbooks with ansible-playbook and reads the store afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store

CHECKOUT = Path(__file__).resolve().parents[2]
PLAYBOOK_SECONDS = 240
UNDO_LEAVES_NO_LOCK: dict[str, Any] = {"fraise_lock_after_undo": False, "fraise_undo_limit": 0}
"""Group variables of fleets on which one test after another is undone; tests/e2e/test_admission.py is about the locks."""


@dataclass(frozen=True)
class Run:
    """How a playbook ended: exit code and everything it printed."""

    code: int
    output: str


@dataclass
class Controller:
    """One controller with its own working folder, inventory and store."""

    folder: Path
    inventory: Path
    store_url: str
    settings: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The process environment: our ansible.cfg, this store, nothing of the caller's Ansible settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "FRAISIER_", "COVERAGE_"))}
        return {
            **kept,
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "ansible" / "tmp"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "FRAISIER_STORE_URL": self.store_url,
            "FRAISIER_SPOOL_PATH": str(self.folder / "spool"),
            "PYTHONUNBUFFERED": "1",
            **self.settings,
        }

    def command(self, playbook: str, *arguments: str, **variables: Any) -> list[str]:
        """The words that a person would type."""
        words = [str(Path(sys.executable).with_name("ansible-playbook")), f"fraisier.deploy.{playbook}", "-i", str(self.inventory), *arguments]
        if variables:
            path = self.folder / f"variables-{playbook}-{abs(hash(repr(sorted(variables.items()))))}.yml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(yaml.safe_dump(variables), encoding="utf-8")
            words += ["-e", f"@{path}"]
        return words

    def run(self, playbook: str, *arguments: str, **variables: Any) -> Run:
        """Run a playbook to its end."""
        return self._finish(self.command(playbook, *arguments, **variables))

    def run_file(self, playbook: Path, *arguments: str) -> Run:
        """Run a playbook of one's own to its end."""
        return self._finish([str(Path(sys.executable).with_name("ansible-playbook")), str(playbook), "-i", str(self.inventory), *arguments])

    def _finish(self, command: list[str]) -> Run:
        ended = subprocess.run(
            command,
            env=self.environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PLAYBOOK_SECONDS,
            check=False,
        )
        return Run(ended.returncode, ended.stdout)

    def deploy(self, fraise: str, version: str, *arguments: str, **variables: Any) -> Run:
        """Deploy a version."""
        return self.run("deploy", *arguments, fraise=fraise, version=version, **variables)

    def start(self, playbook: str, *arguments: str, **variables: Any) -> subprocess.Popen[str]:
        """Start a playbook and come back at once; what it prints goes to ``output.log`` in the working folder."""
        with (self.folder / "output.log").open("w", encoding="utf-8") as log:
            return subprocess.Popen(
                self.command(playbook, *arguments, **variables),
                env=self.environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The store, open for reading."""
        opened = Store.connect(self.store_url, timeout=10)
        try:
            yield opened
        finally:
            opened.close()

    def history(self) -> list[dict[str, Any]]:
        """All deployments, newest first."""
        with self.store() as store:
            return store.history(limit=100)

    def latest(self) -> dict[str, Any]:
        """The newest deployment with its hosts, steps and checks."""
        with self.store() as store:
            found = store.deployment(store.history(limit=1)[0]["identifier"])
        return dict(found or {})

    def states(self) -> Mapping[str, str]:
        """Host to state in the newest deployment."""
        return {row["host"]: row["state"] for row in self.latest()["hosts"]}
