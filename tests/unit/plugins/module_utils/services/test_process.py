# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager ``process``, with real processes that behave and that do not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ProviderConfigurationError, ProviderError, ValidationError
from ansible_collections.fraisier.deploy.plugins.module_utils.services import service_manager

SLEEP = "import time; time.sleep(600)"
IGNORES_TERM = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
FORKS = "import os, time; pid = os.fork(); print(os.getpid(), flush=True); time.sleep(600)"


def wait_until(condition, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(condition())


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def test_a_started_service_is_active_and_known_by_its_pid(service, root):
    manager = service(SLEEP)
    assert manager.status().active is False
    manager.start(5)
    status = manager.status()
    assert status.active and status.pid == json.loads((root / ".fraisier/process.pid").read_text())["pid"]
    assert not ended(status.pid)


def test_starting_twice_leaves_the_first_process_alone(service):
    manager = service(SLEEP)
    manager.start(5)
    pid = manager.status().pid
    manager.start(5)
    assert manager.status().pid == pid


def test_a_stopped_service_is_gone_and_stopping_again_is_no_error(service, root):
    manager = service(SLEEP)
    manager.start(5)
    pid = manager.status().pid
    manager.stop(5)
    assert ended(pid)
    assert not (root / ".fraisier/process.pid").exists()
    manager.stop(5)
    assert manager.status().active is False and not manager.status().failed


def test_it_runs_in_the_current_release_seen_at_its_start(service, root):
    manager = service("import os, time; print(os.getcwd(), flush=True); time.sleep(600)")
    manager.start(5)
    assert wait_until(lambda: manager.log_tail(9) == f"{root}/releases/1.0.0")
    (root / "releases/2.0.0").mkdir()
    (root / "current").unlink()
    (root / "current").symlink_to("releases/2.0.0")
    manager.restart(5)
    assert wait_until(lambda: manager.log_tail(9) == f"{root}/releases/1.0.0\n{root}/releases/2.0.0")


def test_a_command_may_lie_in_the_release(root, service):
    program = root / "releases/1.0.0/serve"
    program.write_text("#!/bin/sh\necho served from the release\nexec sleep 600\n")
    program.chmod(0o755)
    manager = service("", command=["./serve"])
    manager.start(5)
    assert wait_until(lambda: "served from the release" in manager.log_tail(3))


def test_its_environment_is_ours_in_part_then_the_fraises_then_the_services(service, monkeypatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", "/tmp/secret")
    manager = service(
        "import os, time; e = os.environ; print(e['A'], e['B'], 'PATH' in e, 'SSH_AUTH_SOCK' in e, flush=True); time.sleep(600)",
        environment={"A": "fraise", "B": "fraise"},
        own_environment={"B": "service"},
    )
    manager.start(5)
    assert wait_until(lambda: manager.log_tail(1) == "fraise service True False")


def test_it_inherits_no_open_file_and_no_ignored_signal(service):
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        manager = service(
            "import os, signal, time;"
            "print(*(os.readlink(f'/proc/self/fd/{n}') for n in (0, 1, 2)), signal.getsignal(signal.SIGHUP).name,"
            "*(n for n in os.listdir('/proc/self/fd') if int(n) > 3), sep=' ', flush=True); time.sleep(600)"
        )
        manager.start(5)
        assert wait_until(lambda: manager.log_tail(1))
        assert manager.log_tail(1) == f"/dev/null {manager.log_path} {manager.log_path} SIG_DFL"
    finally:
        signal.signal(signal.SIGHUP, before)
        os.close(writer)
    assert os.read(reader, 1) == b"", "the pipe's other end must not live on in the service"
    os.close(reader)


def test_it_outlives_the_process_that_started_it_and_that_ones_session(root, service):
    manager = service(SLEEP)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from ansible_collections.fraisier.deploy.plugins.module_utils.services import service_manager;"
        "service_manager({'manager': 'process', 'command': sys.argv[3:]}, root=sys.argv[2], environment={}).start(5)"
    )
    tree = next(path for path in sys.path if path.endswith("build/tree") or (Path(path) / "ansible_collections/fraisier").is_dir())
    started = time.monotonic()
    # communicate() returns only when nobody holds the pipes any more: as sshd waits at the end of a session.
    starter = subprocess.Popen(
        [sys.executable, "-c", code, tree, str(root), *manager.command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    output, _ = starter.communicate(timeout=20)
    assert (starter.returncode, output) == (0, b"")
    assert time.monotonic() - started < 10
    status = manager.status()
    assert status.active
    assert os.getsid(status.pid) == os.getpgid(status.pid) == status.pid != starter.pid


def test_a_service_deaf_to_the_stop_signal_is_killed_after_its_time(service):
    manager = service(IGNORES_TERM, stop_timeout=0.4)
    manager.start(5)
    assert wait_until(lambda: "deaf" in manager.log_tail(1))
    pid, started = manager.status().pid, time.monotonic()
    manager.stop(10)
    assert ended(pid)
    assert 0.4 <= time.monotonic() - started < 3


def test_the_stop_signal_can_be_chosen(service):
    manager = service(
        "import signal, sys, time; signal.signal(signal.SIGINT, lambda *a: (print('asked to end', flush=True), sys.exit(0)));"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
        stop_signal="SIGINT",
    )
    manager.start(5)
    assert wait_until(lambda: "up" in manager.log_tail(1))
    manager.stop(5)
    assert manager.log_tail(1) == "asked to end"


def test_the_children_of_a_service_end_with_it(service):
    manager = service(FORKS)
    manager.start(5)
    assert wait_until(lambda: len(manager.log_tail(5).split()) == 2)
    manager.stop(5)
    assert all(ended(int(pid)) for pid in manager.log_tail(5).split())


def test_children_left_behind_by_a_dead_service_are_stopped_before_the_next_start(service):
    manager = service(FORKS)
    manager.start(5)
    assert wait_until(lambda: len(manager.log_tail(5).split()) == 2)
    main, child = sorted(int(pid) for pid in manager.log_tail(5).split())
    os.kill(manager.status().pid, signal.SIGKILL)
    assert wait_until(lambda: not manager.status().active)
    assert not (ended(main) and ended(child))
    manager.restart(5)
    assert ended(main) and ended(child)
    assert manager.status().active


def test_a_service_that_died_is_seen_as_failed(service):
    manager = service("import sys; sys.exit(3)")
    manager.start(5)
    assert wait_until(lambda: manager.status().active is False)
    status = manager.status()
    assert status.failed and status.pid is None and status.detail["died_pid"]
    manager.reset_failed()
    assert not manager.status().failed


def test_a_pid_that_was_used_again_is_never_touched(service, root):
    manager = service(SLEEP)
    stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        time.sleep(0.05)  # the kernel tells when a process started in hundredths of a second: no pid is used again within one
        manager.start(5)
        record = json.loads((root / ".fraisier/process.pid").read_text())
        manager.stop(5)
        (root / ".fraisier/process.pid").write_text(json.dumps({**record, "pid": stranger.pid}))
        assert manager.status().active is False
        manager.stop(5)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_record_of_an_earlier_boot_is_never_touched(service, root):
    stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        manager = service(SLEEP)
        manager.start(5)
        record = json.loads((root / ".fraisier/process.pid").read_text())
        ours = manager.status().pid
        (root / ".fraisier/process.pid").write_text(json.dumps({**record, "boot": "another"}))
        assert manager.status().active is False
        manager.stop(5)
        assert not ended(ours)
        os.kill(ours, signal.SIGKILL)
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("text", ["", "garbage", "[]", '{"pid": 1}', '{"pid": "x", "started": 1, "boot": ""}'])
def test_a_pid_file_that_is_none_counts_as_no_process(service, root, text):
    (root / ".fraisier").mkdir()
    (root / ".fraisier/process.pid").write_text(text)
    manager = service(SLEEP)
    assert manager.status().active is False
    manager.start(5)
    assert manager.status().active


@pytest.mark.parametrize(
    ("command", "reason"),
    [(["./missing"], "No such file or directory"), (["no-such-program-anywhere"], "No such file or directory"), (["/"], "Permission denied")],
)
def test_a_command_that_cannot_be_executed_is_told_at_once_and_leaves_nothing(service, root, command, reason):
    manager = service("", command=command)
    with pytest.raises(ProviderConfigurationError, match=f"service.command: .* cannot be started in {root}/releases/1.0.0: {reason}"):
        manager.start(5)
    assert not (root / ".fraisier/process.pid").exists()
    assert manager.status().active is False


def test_without_a_current_release_nothing_is_started(service, root):
    (root / "current").unlink()
    with pytest.raises(ProviderConfigurationError, match="there is no release to start"):
        service(SLEEP).start(5)


def test_a_log_that_cannot_be_written_is_told(service, root):
    with pytest.raises(ProviderError, match="cannot be prepared") as caught:
        service(SLEEP, log_file=f"{root}/current/../1.0.0/../../../{'x' * 300}/log").start(5)
    assert caught.value.infrastructure


def test_a_long_log_is_moved_aside_at_the_next_start(service, root):
    manager = service(SLEEP)
    manager.start(5)
    log = root / ".fraisier/process.log"
    log.write_text("x" * 1024 * 1024 + "old")
    manager.restart(5)
    assert log.read_text() == ""
    assert (root / ".fraisier/process.log.1").read_text().endswith("old")


def test_only_the_wanted_last_lines_of_the_log_are_read(service, root):
    manager = service(SLEEP)
    (root / ".fraisier").mkdir()
    (root / ".fraisier/process.log").write_text("".join(f"line {number}\n" for number in range(100_000)))
    assert manager.log_tail(2) == "line 99998\nline 99999"


def test_reload_sends_a_hang_up_to_the_running_process(service):
    manager = service(
        "import signal, time; signal.signal(signal.SIGHUP, lambda *a: print('reloaded', flush=True)); print('up', flush=True);\nwhile True: time.sleep(0.05)",
        action="reload",
    )
    with pytest.raises(ProviderError, match="does not run"):
        manager.reload(5)
    manager.apply(5)
    assert wait_until(lambda: "up" in manager.log_tail(1))
    pid = manager.status().pid
    manager.apply(5)
    assert wait_until(lambda: manager.log_tail(1) == "reloaded")
    assert manager.status().pid == pid


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"command": []}, r"service\.command is missing"),
        ({"command": ["x"], "stop_signal": "SIGNOTHING"}, r"service\.stop_signal: 'SIGNOTHING' is not a signal"),
        ({"command": ["x"], "stop_signal": "99"}, r"service\.stop_signal: '99' is not a signal"),
        ({"command": ["x"], "stop_timeout": -1}, r"service\.stop_timeout: -1 is negative"),
    ],
)
def test_wrong_options_are_named(options, complaint):
    with pytest.raises(ValidationError, match=complaint):
        service_manager({"manager": "process", **options}, root="/srv/shop", environment={}).validate()


def test_a_relative_folder_is_refused():
    with pytest.raises(ValidationError, match="path: 'shop' is not absolute"):
        service_manager({"manager": "process", "command": ["x"]}, root="shop", environment={}).validate()
