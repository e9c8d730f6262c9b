# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo tells people to type next works when it is pasted."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo", CHECKOUT / "scripts" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "DEMO", tmp_path / "a demo")
    return module


def test_the_file_to_take_in_gives_a_shell_what_the_demo_ran_with(demo: ModuleType) -> None:
    settings = demo.environment(18080)
    taken_in, *_others = demo.next_commands(demo.keep_environment(settings))
    ended = subprocess.run(["sh", "-c", f"{taken_in}\nenv"], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=20, check=True)
    found = dict(line.partition("=")[::2] for line in ended.stdout.splitlines())
    wanted = {name: value for name, value in settings.items() if name.startswith(("ANSIBLE_", "FRAISIER_"))}
    assert {name: found.get(name) for name in wanted} == wanted
    assert {"FRAISIER_STORE_URL", "FRAISIER_DEMO_PATH", "FRAISIER_DEMO_PORT"} <= set(wanted)
    assert found["PATH"].split(":")[0] == str(Path(sys.executable).parent)


def test_every_command_names_the_inventory_and_a_playbook_that_there_is(demo: ModuleType) -> None:
    _taken_in, *commands = demo.next_commands(demo.DEMO / "environment.sh")
    assert len(commands) >= 2
    for command in commands:
        program, playbook, *others = shlex.split(command)
        assert program == "ansible-playbook"
        assert (CHECKOUT / "playbooks" / f"{playbook.removeprefix('fraisier.deploy.')}.yml").is_file()
        assert others[others.index("-i") + 1] == "inventories/demo"
        assert "fraise=hello" in others
