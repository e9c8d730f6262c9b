# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback's end and the side process together, both real, on SQLite."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    ConfigurationError,
    DatabaseConnectionError,
    DeploymentError,
    NoOpenDeploymentError,
    ValidationError,
)
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.feeder import Feeder
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import SOCKET_VARIABLE, call
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.spool import read_lines
from tests.conftest import TREE
from tests.unit.plugins.plugin_utils.store.builders import empty_store

OPEN = {
    "fraise": "shop_api",
    "fraise_type": "api",
    "environment": "test",
    "kind": "deploy",
    "version": "1.0",
    "provider": "bare_metal",
    "strategy": "rolling",
    "batches": [1],
    "max_failed": 0,
    "hosts": ["web1", "web2"],
    "user": "tester",
    "owner_name": "tester@here",
}


def settings(folder: Path, **changes: object) -> dict[str, object]:
    """What the callback tells a recorder: a store in ``folder``, which is there already unless ``changes`` name another."""
    if "store_url" not in changes:
        empty_store(folder / "store.db")
    return {
        "store_url": f"sqlite:///{folder}/store.db",
        "spool": str(folder / "spool"),
        "timeout": 2.0,
        "required": False,
        "auto_migrate": True,
        "lease": 30.0,
        "heartbeat": 10.0,
        **changes,
    }


@pytest.fixture
def feeder(tmp_path):
    # what a terminal starts; a shell's background job, and so its pytest, ignores interrupts
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    started = Feeder("run-1", settings(tmp_path))
    started.start()
    yield started
    if started._process.poll() is None:
        started._process.kill()
        started._process.wait()
    started._release()
    signal.signal(signal.SIGINT, before)


def rows(folder: Path, query: str) -> list[tuple]:
    with sqlite3.connect(folder / "store.db") as connection:
        return connection.execute(query).fetchall()


def test_every_event_that_was_sent_is_stored_once_and_counted(feeder, tmp_path):
    for number in range(1000):
        feeder.emit("task.ok", {"number": number}, "web1")
    report = feeder.close()
    assert (report["sent"], report["stored"], report["spooled"], report["notes"]) == (1000, 1000, 0, [])
    assert rows(tmp_path, "SELECT count(*), count(DISTINCT seq), min(seq), max(seq) FROM tb_event") == [(1000, 1000, 1, 1000)]


def test_the_recorder_ends_with_the_run_and_leaves_no_file_behind(feeder):
    folder = Path(feeder._folder)
    feeder.close()
    assert feeder._process.wait(timeout=5) == 0
    assert not folder.exists()
    assert SOCKET_VARIABLE not in os.environ


def test_the_password_of_the_store_is_on_no_command_line(tmp_path):
    feeder = Feeder("run-2", settings(tmp_path, store_url="postgresql://deploy:hunter22@127.0.0.1:1/store"))
    feeder.start()
    words = Path(f"/proc/{feeder._process.pid}/cmdline").read_bytes()
    feeder.close()
    assert b"hunter22" not in words


def test_a_recorder_that_is_killed_costs_no_event(feeder, tmp_path):
    feeder.emit("task.ok", {"number": 1}, "web1")
    deadline = time.monotonic() + 10
    while feeder.confirmed < 1:
        assert time.monotonic() < deadline
        feeder._hear()
        time.sleep(0.01)
    feeder._process.send_signal(signal.SIGSTOP)
    for number in range(2, 52):
        feeder.emit("task.ok", {"number": number}, "web1")
    feeder._process.kill()
    feeder._process.wait()
    for number in range(52, 102):
        feeder.emit("task.ok", {"number": number}, "web1")
    assert "ended early" in feeder.lost_recorder
    report = feeder.close()
    assert report["spooled"] == 100
    (spool,) = (tmp_path / "spool").glob("*.jsonl")
    assert len(read_lines(spool)[0]) == 100

    second = Feeder("run-3", settings(tmp_path))
    second.start()
    second.emit("task.ok", {}, "web1")
    assert second.close()["stored"] == 1
    assert not list((tmp_path / "spool").glob("*.jsonl"))
    assert rows(tmp_path, "SELECT count(*), count(DISTINCT seq) FROM tb_event WHERE run = 'run-1'") == [(101, 101)]


def test_a_recorder_that_hangs_delays_no_event_and_the_end_by_its_patience_only(feeder, tmp_path):
    feeder._process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    for _number in range(5000):
        feeder.emit("task.ok", {"text": "x" * 500}, "web1")
    assert time.monotonic() - began < 5
    report = feeder.close(patience=0.5)
    assert report["spooled"] == 5000
    assert "did not answer in time" in report["notes"][0]
    feeder._process.send_signal(signal.SIGCONT)


def test_a_store_that_is_away_keeps_events_on_disk_with_a_word(tmp_path):
    feeder = Feeder("run-4", settings(tmp_path, store_url="postgresql://deploy@127.0.0.1:1/store"))
    feeder.start()
    feeder.emit("task.ok", {}, "web1")
    with pytest.raises(DatabaseConnectionError):
        call("open", **OPEN)
    report = feeder.close()
    assert (report["stored"], report["spooled"]) == (0, 1)
    assert report["away"]


def test_without_the_callback_an_action_says_how_to_enable_it(monkeypatch):
    monkeypatch.delenv(SOCKET_VARIABLE, raising=False)
    with pytest.raises(ConfigurationError, match="callbacks_enabled"):
        call("open", **OPEN)


def test_a_deployment_goes_from_open_to_closed_and_frees_its_lock(feeder, tmp_path):
    opened = call("open", **OPEN)["deployment"]
    assert opened["identifier"] == "shop_api:test:1"
    assert opened["plan"]["batches"] == [1, 1]
    for host in ("web1", "web2"):
        for step in ("stage", "activate"):
            intent = call("intent", host=host, step=step, version="1.0", attempt=1)
            assert intent["fence"]["token"] == opened["token"]
            release = {"version": "1.0", "previous": None, "current": None}
            call("outcome", step_id=intent["step_id"], host=host, step=step, outcome="ok", changed=True, release=release)
    assert call("gate", at="settle", hosts=["web1", "web2"])["go"] is True
    closed = call("close")
    assert (closed["status"], closed["reason"]) == ("success", "")
    feeder.close()
    assert rows(tmp_path, "SELECT status FROM tb_deployment") == [("success",)]
    assert rows(tmp_path, "SELECT released_at IS NOT NULL FROM tb_lock") == [(1,)]
    assert rows(tmp_path, "SELECT count(*) FROM tb_step WHERE outcome = 'ok'") == [(4,)]


def test_a_run_that_ends_without_closing_is_interrupted_and_its_lock_free(feeder, tmp_path):
    call("open", **OPEN)
    feeder.close()
    assert rows(tmp_path, "SELECT status FROM tb_deployment") == [("interrupted",)]
    assert rows(tmp_path, "SELECT released_at IS NOT NULL FROM tb_lock") == [(1,)]


def test_an_interrupt_is_recorded_at_once_though_the_controller_waits_for_its_workers_before_it_ends(feeder, tmp_path, capfd):
    call("open", **OPEN)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    told = "fraisier.deploy: shop_api:test:1 is interrupted where it is. Then: ansible-playbook fraisier.deploy.recover -e fraise=shop_api"
    assert capfd.readouterr().err.strip() == told
    deadline = time.monotonic() + 10
    while rows(tmp_path, "SELECT status FROM tb_deployment") != [("interrupted",)]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert feeder._process.poll() is None, "the lock outlives the interrupt until the lease ends: workers may still be acting"


def test_an_interrupt_says_nothing_when_no_deployment_is_open(feeder, tmp_path, capfd):
    call("open", **OPEN)
    call("close")
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert capfd.readouterr().err == ""


def test_after_an_interrupt_a_worker_that_is_still_there_passes_no_gate_and_begins_no_step(feeder, tmp_path):
    call("open", **OPEN)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(DeploymentError, match="interrupted"):
        call("gate", at="before", hosts=["web1"])
    with pytest.raises(DeploymentError, match="interrupted"):
        call("intent", host="web1", step="activate", version="1.0", attempt=1)
    assert rows(tmp_path, "SELECT count(*) FROM tb_event WHERE type = 'gate.decided'") == [(0,)]
    assert rows(tmp_path, "SELECT count(*) FROM tb_step") == [(0,)]


HANGS = """
import json, signal, sys, time
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.feeder import Feeder
signal.signal(signal.SIGINT, signal.default_int_handler)
Feeder("run-9", json.loads(sys.argv[1])).start()
try:
    signal.raise_signal(signal.SIGINT)
finally:
    time.sleep(60)
"""


def test_a_controller_that_hangs_after_an_interrupt_is_ended(tmp_path):
    hanging = subprocess.Popen([sys.executable, "-c", HANGS, json.dumps(settings(tmp_path, interrupt_patience=1))], env={**os.environ, "PYTHONPATH": str(TREE)})
    try:
        assert hanging.wait(30) == -signal.SIGTERM
    finally:
        hanging.kill()


def test_interrupts_are_heard_again_as_before_once_the_run_has_ended(feeder):
    assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    feeder.close()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_check_mode_plans_and_writes_no_deployment(feeder, tmp_path):
    opened = call("open", **OPEN, check=True)["deployment"]
    assert opened["identifier"] is None
    assert opened["plan"]["batches"] == [1, 1]
    intent = call("intent", host="web1", step="stage", version="1.0", attempt=1)
    assert intent["fence"] is None
    call("close")
    feeder.close()
    assert rows(tmp_path, "SELECT count(*) FROM tb_deployment") == [(0,)]
    assert rows(tmp_path, "SELECT count(*) FROM tb_step") == [(0,)]


def test_a_lost_lease_stops_the_next_gate_and_the_next_step(tmp_path):
    feeder = Feeder("run-5", settings(tmp_path, lease=2.0, heartbeat=0.2))
    feeder.start()
    call("open", **OPEN)
    with sqlite3.connect(tmp_path / "store.db", timeout=5) as connection:
        connection.execute("UPDATE tb_lock SET owner = 'somebody-else', owner_name = 'somebody@else', token = token + 1")
    deadline = time.monotonic() + 10
    while call("gate", at="before", hosts=["web1"])["go"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    refusal = call("gate", at="before", hosts=["web1"])
    assert (refusal["halts"], refusal["told"]) == (False, []), "the gate before has halted it"
    assert "LEASE_LOST" in refusal["reason"]
    assert call("gate", at="settle", hosts=["web1"])["undo"] == {}
    with pytest.raises(Exception, match="taken the lock"):
        call("intent", host="web1", step="activate", version="1.0", attempt=1)
    assert call("close")["status"] == "failed"
    feeder.close()
    assert rows(tmp_path, "SELECT owner FROM tb_lock") == [("somebody-else",)]


def test_the_lease_is_renewed_while_the_run_lives(tmp_path):
    feeder = Feeder("run-6", settings(tmp_path, lease=1.0, heartbeat=0.2))
    feeder.start()
    call("open", **OPEN)
    time.sleep(2.5)
    assert call("gate", at="before", hosts=["web1"])["go"]
    (expires,) = rows(tmp_path, "SELECT expires_at FROM tb_lock")[0]
    call("close")
    feeder.close()
    assert expires > time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - 2))


def test_gates_and_steps_outside_a_deployment(feeder):
    with pytest.raises(NoOpenDeploymentError):
        call("gate", at="before", hosts=[])
    assert call("intent", host="web1", step="inspect", version=None, attempt=1)["step_id"] is None


def test_a_second_deployment_in_the_same_run_is_refused(feeder):
    call("open", **OPEN)
    with pytest.raises(Exception, match="open in this run already"):
        call("open", **OPEN)


APART = {"path": None, "verify": True, "replace": True, "time_limit": 60.0, "check": False, "by": "tester@here"}


def test_a_restore_comes_between_the_events_of_its_run_and_loses_none(feeder, tmp_path):
    path = str(tmp_path / "saved.db")
    feeder.emit("playbook.start", {}, None)
    saved = call("query", query="backup", **{**APART, "path": path}, timeout=60)["answer"]
    assert (saved["path"], saved["verified"]) == (path, True)
    feeder.emit("task.ok", {}, "web1")
    restored = call("query", query="restore", **{**APART, "path": path}, timeout=60)["answer"]
    assert restored["replaced"]["empty"]
    feeder.emit("task.ok", {}, "web2")
    report = feeder.close()
    assert (report["sent"], report["stored"], report["spooled"], report["notes"]) == (3, 3, 0, [])
    assert rows(tmp_path, "SELECT type FROM tb_event WHERE source <> 'callback'") == [("store.restored",)]


def test_a_backup_without_a_path_goes_to_the_state_folder_of_this_user(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    feeder = Feeder("run-6", settings(tmp_path))
    feeder.start()
    would = call("query", query="backup", **{**APART, "check": True}, timeout=60)["answer"]
    assert (would["check"], (tmp_path / "state").exists()) == (True, False)
    saved = Path(call("query", query="backup", **APART, timeout=60)["answer"]["path"])
    feeder.close()
    assert (saved.parent, saved.suffix) == (tmp_path / "state/fraisier/backups", ".db")
    assert saved.parent.stat().st_mode & 0o777 == 0o700


def test_a_store_that_is_no_database_is_restored_and_what_waited_is_stored(tmp_path):
    feeder = Feeder("run-7", settings(tmp_path))
    feeder.start()
    path = str(tmp_path / "saved.db")
    call("query", query="backup", **{**APART, "path": path}, timeout=60)
    feeder.close()
    for part in tmp_path.glob("store.db*"):
        part.unlink()
    (tmp_path / "store.db").write_bytes(b"noise" * 2000)
    feeder = Feeder("run-8", settings(tmp_path))
    feeder.start()
    feeder.emit("playbook.start", {}, None)
    answer = call("query", query="restore", **{**APART, "path": path}, timeout=60)["answer"]
    assert not answer["replaced"]["readable"]
    report = feeder.close()
    assert (report["sent"], report["stored"], report["spooled"], report["away"]) == (1, 1, 0, "")


def test_the_store_is_not_looked_after_in_a_run_that_has_a_deployment_open(feeder, tmp_path):
    call("open", **OPEN)
    with pytest.raises(DeploymentError, match="in a playbook run of its own"):
        call("query", query="backup", **{**APART, "path": str(tmp_path / "saved.db")}, timeout=60)


def test_bad_batches_are_refused_before_anything_is_locked(feeder, tmp_path):
    with pytest.raises(ValidationError, match=r"rolling_batches\[0\]"):
        call("open", **{**OPEN, "batches": ["lots"]})
    feeder.close()
    assert rows(tmp_path, "SELECT count(*) FROM tb_lock") == [(0,)]


def test_a_store_that_is_read_only_for_a_while_loses_no_event(feeder, tmp_path):
    feeder.emit("task.ok", {"number": 1}, "web1")
    deadline = time.monotonic() + 10
    while feeder.confirmed < 1:
        assert time.monotonic() < deadline
        feeder._hear()
        time.sleep(0.01)
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("ALTER TABLE tb_event RENAME TO tb_event_away")
    for number in range(2, 12):
        feeder.emit("task.ok", {"number": number}, "web1")
    while feeder.confirmed < 11:
        assert time.monotonic() < deadline
        feeder._hear()
        time.sleep(0.01)
    assert list((tmp_path / "spool").glob("*.jsonl"))
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("ALTER TABLE tb_event_away RENAME TO tb_event")
    report = feeder.close()
    assert (report["sent"], report["stored"] + report["spooled"]) == (11, 11)
    second = Feeder("run-7", settings(tmp_path))
    second.start()
    second.close()
    assert rows(tmp_path, "SELECT count(*), count(DISTINCT seq) FROM tb_event WHERE run = 'run-1'") == [(11, 11)]
