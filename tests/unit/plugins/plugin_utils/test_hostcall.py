# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.constants import config
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.fraisier.deploy.plugins.module_utils import errors
from ansible_collections.fraisier.deploy.plugins.module_utils.host_program import ANSWER_MARK
from ansible_collections.fraisier.deploy.plugins.plugin_utils.hostcall import BOOTSTRAP, HostCall, pack_program, validated

MODULE_UTILS = Path(errors.__file__).resolve().parent
PREFIX = "ansible_collections/fraisier/deploy/plugins/module_utils/"


def names(packed: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return archive.namelist()


def test_the_program_is_the_same_bytes_wherever_and_whenever_it_is_packed(tmp_path: Path) -> None:
    shutil.copytree(MODULE_UTILS, tmp_path / "copy")
    for path in (tmp_path / "copy").rglob("*.py"):
        path.touch()
        path.chmod(0o755)
    assert pack_program(tmp_path / "copy") == pack_program(MODULE_UTILS)


def test_the_program_has_another_digest_when_a_line_changes(tmp_path: Path) -> None:
    shutil.copytree(MODULE_UTILS, tmp_path / "copy")
    with (tmp_path / "copy" / "errors.py").open("a", encoding="utf-8") as stream:
        stream.write("# changed\n")
    assert pack_program(tmp_path / "copy")[1] != pack_program(MODULE_UTILS)[1]


def test_only_what_hosts_need_is_packed() -> None:
    packed, _digest = pack_program(MODULE_UTILS)
    wanted = sorted(PREFIX + path.relative_to(MODULE_UTILS).as_posix() for path in MODULE_UTILS.rglob("*.py"))
    assert sorted(names(packed)) == wanted
    assert f"{PREFIX}host_program.py" in wanted
    assert len(packed) < 300_000, "it travels to each host with each call"


def serve(request: dict[str, Any], payload: bytes = b"", home: Path | None = None) -> dict[str, Any]:
    """What a host answers: Python with nothing but the bootstrap and a stream."""
    packed, digest = pack_program(MODULE_UTILS)
    body = json.dumps({"check_mode": False, "diff": False, "environment": {}, **request}).encode()
    head = f"{len(packed)} {len(body)} {len(payload)} {digest}\n".encode()
    done = subprocess.run(
        [sys.executable, "-I", "-c", BOOTSTRAP], input=head + packed + body + payload, capture_output=True, cwd=home or "/", timeout=60, check=False
    )
    (line,) = [line for line in done.stdout.decode().splitlines() if line.startswith(ANSWER_MARK)]
    answer: dict[str, Any] = json.loads(line.removeprefix(ANSWER_MARK))
    return answer


def test_a_host_runs_the_program_from_the_stream_without_ansible(tmp_path: Path) -> None:
    answer = serve({"provider": "bare_metal", "params": validated("bare_metal", {"state": "inspected", "path": str(tmp_path / "shop")})})
    assert not answer.get("failed"), answer
    assert (answer["changed"], answer["release"]["version"]) == (False, None)


def test_an_error_on_the_host_comes_back_with_its_code(tmp_path: Path) -> None:
    params = validated("bare_metal", {"state": "active", "release": "1.0.0", "path": str(tmp_path / "shop")})
    answer = serve({"provider": "bare_metal", "params": params})
    assert (answer["failed"], answer["error"]["code"]) == (True, "NOT_FOUND")


def test_options_are_held_against_the_provider_s_before_the_host_is_called() -> None:
    checked = validated("bare_metal", {"path": "~/shop", "release": "1.0.0", "keep": "3"})
    assert (checked["keep"], checked["state"]) == (3, "active")
    assert checked["path"] == "~/shop", "the home is the host's, not the controller's"
    with pytest.raises(errors.ValidationError) as refused:
        validated("bare_metal", {"path": "/srv/shop", "kep": 3})
    assert "kep" in str(refused.value)
    assert "ansible-doc fraisier.deploy.bare_metal" in str(refused.value)


def parse(transport: str = "ssh", **outcome: Any) -> dict[str, Any]:
    """What the controller makes of the end of a session."""
    action = SimpleNamespace(_connection=SimpleNamespace(transport=transport))
    result: dict[str, Any] = HostCall(action, {})._parse({"rc": 0, "stdout": "", "stderr": "", **outcome})
    return result


def test_an_answer_is_found_behind_whatever_a_login_shell_prints() -> None:
    assert parse(stdout=f'Welcome!\n\n{ANSWER_MARK}{{"changed": true}}\n') == {"changed": True}


def test_an_answer_counts_even_when_the_session_ended_badly() -> None:
    assert parse(rc=255, stdout=f'\n{ANSWER_MARK}{{"changed": true}}\n') == {"changed": True}


def test_the_end_of_ssh_without_an_answer_is_an_unreachable_host() -> None:
    with pytest.raises(AnsibleConnectionFailure, match="Connection refused"):
        parse(rc=255, stderr="ssh: connect to host web1 port 22: Connection refused\n")


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ({"rc": 127, "stdout": "FRAISIER-NO-PYTHON\n"}, ["No Python was found", "ansible_python_interpreter"]),
        ({"rc": 0, "stdout": "\nFRAISIER-PYTHON 3.6.8\n"}, ["3.6.8, too old", "Python 3.8"]),
        ({"rc": 1, "stderr": "Killed\n"}, ["gave no answer (exit code 1)", "Killed"]),
        ({"rc": 255, "stderr": "Killed\n", "transport": "local"}, ["gave no answer (exit code 255)"]),
    ],
)
def test_a_host_that_cannot_answer_is_a_failure_with_a_remedy(outcome: dict[str, Any], words: list[str]) -> None:
    result = parse(**outcome)
    assert result["failed"]
    assert result["error"]["hint"]
    for word in words:
        assert word in result["msg"]


def test_the_ordinary_way_leaves_the_arguments_neither_in_the_host_s_log_nor_in_the_result() -> None:
    called: dict[str, Any] = {}

    def execute(**asked: Any) -> dict[str, Any]:
        called.update(asked)
        return {"changed": True, "invocation": {"module_args": asked["module_args"]}}

    options = {"path": "/srv/shop", "environment": {"PLAIN": "hunter2"}}
    result = HostCall(SimpleNamespace(_execute_module=execute), {"ansible_user": "deploy"})._as_module("bare_metal", options, None)
    assert result == {"changed": True}
    assert called["task_vars"] == {"ansible_user": "deploy", "ansible_no_target_syslog": True}
    assert config.get_config_value("DEFAULT_NO_TARGET_SYSLOG", variables=called["task_vars"]) is True
