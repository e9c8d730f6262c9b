# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands on a host: what a caller may rely on, seen with real processes."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fraisier.deploy.plugins.module_utils.commands import display, run_command
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DeploymentTimeoutError, ProviderConfigurationError, ProviderError


def ended(pid: int) -> bool:
    """Whether no living process has this pid; a zombie that nobody has reaped yet is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def wait_until(condition, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_output_return_code_and_duration_come_back():
    result = run_command(["sh", "-c", "echo out; echo err >&2; sleep 0.1; exit 3"], timeout=5)
    assert (result.rc, result.stdout, result.stderr) == (3, "out\n", "err\n")
    assert 0.1 <= result.duration < 2


def test_a_death_by_signal_is_a_negative_return_code():
    assert run_command(["sh", "-c", "kill -TERM $$"], timeout=5).rc == -15


def test_standard_input_is_empty_unless_given():
    assert run_command(["cat"], timeout=5).stdout == ""
    assert run_command(["cat"], timeout=5, stdin="größe").stdout == "größe"
    assert run_command(["cat"], timeout=5, stdin="").stdout == ""


@settings(max_examples=15, deadline=None)
@given(st.text(max_size=200))
def test_every_text_survives_the_way_through_a_command(text):
    assert run_command(["cat"], timeout=5, stdin=text).stdout.encode() == text.encode()


def test_much_input_and_much_output_at_the_same_time_do_not_block_each_other():
    result = run_command(["sh", "-c", "tee /dev/stderr"], timeout=20, stdin="x" * 4_000_000)
    assert result.rc == 0
    assert len(result.stdout) == len(result.stderr) == 65536


def test_only_the_end_of_long_output_is_kept():
    result = run_command(["seq", "1", "100000"], timeout=20)
    assert result.stdout.endswith("\n99999\n100000\n")
    assert len(result.stdout) == 65536


def test_a_command_that_does_not_read_its_input_is_no_error():
    assert run_command(["true"], timeout=5, stdin="x" * 1_000_000).rc == 0


def test_at_the_timeout_the_command_and_its_children_are_killed(tmp_path):
    pids = tmp_path / "pids"
    script = f"sleep 60 & echo $! $$ > {shlex.quote(str(pids))}; wait"
    started = time.monotonic()
    with pytest.raises(DeploymentTimeoutError, match=r"sh -c .* was killed: it ran longer than 0\.5 s") as caught:
        run_command(["sh", "-c", script], timeout=0.5)
    assert time.monotonic() - started < 2
    assert caught.value.context["command"].startswith("sh -c")
    assert all(wait_until(lambda pid=pid: ended(int(pid))) for pid in pids.read_text().split())


def test_a_command_that_ignores_the_polite_signal_is_killed_too():
    with pytest.raises(DeploymentTimeoutError):
        run_command([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"], timeout=0.5)


def test_what_was_said_before_the_timeout_is_in_the_error():
    with pytest.raises(DeploymentTimeoutError) as caught:
        run_command(["sh", "-c", "echo connecting to the registry; sleep 60"], timeout=0.5)
    assert caught.value.context["output"] == "connecting to the registry"


def test_a_background_process_that_keeps_the_output_open_does_not_keep_us_waiting():
    started = time.monotonic()
    result = run_command(["sh", "-c", "sleep 3 & echo done"], timeout=20)
    assert (result.rc, result.stdout) == (0, "done\n")
    assert time.monotonic() - started < 2


def test_a_command_that_closes_its_output_is_waited_for():
    result = run_command(["sh", "-c", "exec >&- 2>&-; sleep 0.3; exit 4"], timeout=5)
    assert result.rc == 4
    assert result.duration >= 0.3


def test_a_command_that_closes_its_output_is_killed_at_the_timeout():
    with pytest.raises(DeploymentTimeoutError):
        run_command(["sh", "-c", "exec >&- 2>&-; sleep 60"], timeout=0.3)


def test_a_missing_command_is_a_wrong_configuration():
    with pytest.raises(ProviderConfigurationError, match="no-such-command cannot be started: No such file or directory") as caught:
        run_command(["no-such-command", "--flag"], timeout=5)
    assert "Install it" in caught.value.hint


def test_a_file_that_cannot_be_executed_is_a_wrong_configuration(tmp_path):
    script = tmp_path / "build.sh"
    script.write_text("echo no first line\n")
    with pytest.raises(ProviderConfigurationError, match="Permission denied"):
        run_command([str(script)], timeout=5)
    script.chmod(0o755)
    with pytest.raises(ProviderConfigurationError, match="Exec format error"):
        run_command([str(script)], timeout=5)


def test_a_missing_folder_is_named_instead_of_the_command(tmp_path):
    with pytest.raises(ProviderConfigurationError, match=f"there is no folder {tmp_path}/gone"):
        run_command(["true"], timeout=5, cwd=f"{tmp_path}/gone")


def test_an_empty_command_is_a_wrong_configuration():
    with pytest.raises(ProviderConfigurationError, match="empty command"):
        run_command([], timeout=5)


def test_a_failure_is_raised_when_asked_for_with_the_end_of_the_output():
    with pytest.raises(ProviderError, match=r"sh -c .* ended with return code 2: disk quota") as caught:
        run_command(["sh", "-c", "echo fine; echo disk quota >&2; exit 2"], timeout=5, check=True)
    assert caught.value.context["rc"] == 2
    assert caught.value.context["output"] == "disk quota"


def test_the_output_in_an_error_is_bounded():
    with pytest.raises(ProviderError) as caught:
        run_command(["sh", "-c", "seq 1 20000; exit 1"], timeout=10, check=True)
    assert len(caught.value.context["output"]) <= 4096
    assert caught.value.context["output"].splitlines()[-1] == "20000"


def test_passwords_in_urls_are_never_shown():
    with pytest.raises(ProviderError) as caught:
        run_command(
            ["sh", "-c", "echo cannot clone https://joe:hunter2@git.example.org/x >&2; exit 1", "https://joe:hunter2@git.example.org"], timeout=5, check=True
        )
    assert "hunter2" not in f"{caught.value} {caught.value.context}"
    assert "https://***@git.example.org/x" in str(caught.value)


def test_the_environment_is_laid_over_ours_and_none_removes(monkeypatch):
    monkeypatch.setenv("KEPT", "kept")
    monkeypatch.setenv("REMOVED", "removed")
    result = run_command(["sh", "-c", "echo $KEPT,${REMOVED-none},$NEW"], timeout=5, env={"REMOVED": None, "NEW": 8000})
    assert result.stdout == "kept,none,8000\n"


def test_a_command_has_a_session_of_its_own():
    result = run_command([sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())"], timeout=10)
    assert result.stdout == "True\n"


def test_no_descriptor_is_left_open():
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        run_command(["true"], timeout=5)
        with pytest.raises(DeploymentTimeoutError):
            run_command(["sleep", "9"], timeout=0.05)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_command_is_shown_as_it_would_be_typed_and_not_too_long():
    assert display(["echo", "two words"]) == "echo 'two words'"
    assert display(["x" * 500]).endswith("...") and len(display(["x" * 500])) == 200
