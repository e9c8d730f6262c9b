# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traps of Ansible's error flow, batches and callbacks, each run against the playbooks of the collection. O and P numbers: docs/architecture.md."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.e2e.controller import Controller, Run
from tests.e2e.observation import children, events, gates, rows, run_words, wait_for, with_playbook
from tests.e2e.trap_fleet import NAMES, TrapFleet

SHORT_LEASE = {"FRAISIER_LEASE_SECONDS": "4", "FRAISIER_HEARTBEAT_SECONDS": "1"}
BATCHES = [["web1", "web2"], ["web3", "web4"], ["web5", "web6"]]
EXTRA_SECRET, ARGUMENT_SECRET = "s3cr3t-of-the-survey", "s3cr3t-in-an-argument"
SITE = f"""
- name: Before the deployment
  hosts: shop_api
  gather_facts: false
  tasks:
    - name: Hand over a secret
      ansible.builtin.command: echo {ARGUMENT_SECRET}
      no_log: true
      changed_when: false
    - name: Fail with a secret
      ansible.builtin.fail:
        msg: "{ARGUMENT_SECRET} {{{{ db_password }}}}"
      no_log: true
      ignore_errors: true
    - name: Fail with the secret of a variable
      ansible.builtin.fail:
        msg: "refused: {{{{ db_password }}}}"
      ignore_errors: true
- ansible.builtin.import_playbook: fraisier.deploy.deploy
"""


@dataclass(frozen=True)
class First:
    """The first deployment: version 1.1.0 on all six hosts, from a playbook of the user's own that imports ours and handles secrets."""

    run: Run
    record: dict
    hosts: TrapFleet


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[First]:
    hosts = TrapFleet(tmp_path_factory.mktemp("traps"))
    site = hosts.fleet.folder / "site.yml"
    site.write_text(SITE, encoding="utf-8")
    words = hosts.controller.command("deploy", fraise="shop_api", version=hosts.new_version(), db_password=EXTRA_SECRET)
    try:
        run = run_words(hosts.controller, with_playbook(words, site))
        assert run.code == 0, run.output
        yield First(run, hosts.controller.latest(), hosts)
    finally:
        hosts.fleet.stop()


@pytest.fixture
def hosts(first: First) -> TrapFleet:
    return first.hosts


def test_o14_every_event_of_every_batch_is_stored_exactly_once(first: First) -> None:
    told = events(first.hosts.controller, first.record["run"])
    assert [event["seq"] for event in told] == list(range(1, len(told) + 1))
    results = [event for event in told if event["type"].startswith("task.")]
    keys = Counter((event["data"]["play"], event["data"]["batch"], event["data"]["task"], event["host"]) for event in results)
    assert set(keys.values()) == {1}
    started = [event["data"]["batch"] for event in told if event["type"] == "play.started" and event["data"]["name"] == "Shift batch by batch"]
    assert started == [1, 2, 3]
    activated = [(event["data"]["batch"], event["host"]) for event in results if event["data"]["name"].endswith("Switch to the release, restart, verify")]
    assert sorted(activated) == [(number, host) for number, batch in enumerate(BATCHES, start=1) for host in batch]


def test_o10_a_gate_asked_once_is_asked_once_for_each_batch(first: First) -> None:
    decided = gates(first.hosts.controller, first.record["run"])
    assert [(gate["at"], gate["batch"], gate["hosts"]) for gate in decided] == [
        *((at, number, batch) for number, batch in enumerate(BATCHES, start=1) for at in ("before", "after")),
        ("settle", 3, NAMES),
    ]
    opened = [event for event in events(first.hosts.controller, first.record["run"], "store") if event["type"] == "deployment.opened"]
    assert len(opened) == 1


def test_p9_values_that_ansible_tags_are_stored_as_plain_values(first: First) -> None:
    plan = {
        "version": "1.1.0",
        "strategy": "rolling",
        "hosts": NAMES,
        "batches": [2, 2, 2],
        "groups": BATCHES,
        "max_failed": 0,
        "max_unreachable": 0,
        "pause_seconds": 0.0,
    }
    assert first.record["plan"] == plan
    assert [row["version_after"] for row in first.record["hosts"]] == ["1.1.0"] * 6


def test_p4_no_secret_reaches_the_store_or_the_spool(first: First) -> None:
    told = [event["data"].get("message") for event in events(first.hosts.controller, first.record["run"]) if event["type"] == "task.failed"]
    assert told == ["no_log is set"] * 6 + ["refused: <redacted>"] * 6
    folder = first.hosts.fleet.folder
    kept = [path for place in ("store", "spool", "hosts") for path in (folder / place).rglob("*") if path.is_file()]
    assert kept
    for path in kept:
        content = path.read_bytes()
        assert EXTRA_SECRET.encode() not in content, path
        assert ARGUMENT_SECRET.encode() not in content, path


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="with our ansible.cfg"),
        pytest.param(
            {"ANSIBLE_STRATEGY": "free", "ANSIBLE_ANY_ERRORS_FATAL": "true", "ANSIBLE_TASK_TIMEOUT": "1", "ANSIBLE_FORCE_HANDLERS": "true"},
            id="with settings that would break every promise",
        ),
    ],
)
def test_o1_to_o6_o11_to_o13_a_failure_in_the_first_batch_stops_the_others_and_all_is_undone(hosts: TrapFleet, settings: dict[str, str]) -> None:
    slow = {"fraise_min_healthy": 1.2} if settings else {}
    ended = hosts.deploy(broken=["web2"], controller=replace(hosts.controller, settings=settings), **slow)
    assert ended.run.code == 2
    assert ended.record["status"] == "rolled_back"
    assert ended.record["status_reason"] == "1 of 6 hosts failed (web2), allowed: 0"
    assert ended.record["finished_at"] is not None
    assert ended.states == ["undone", "reverted", "staged", "staged", "staged", "staged"]
    assert ended.steps["web1"] == ["stage ok", "activate ok", "revert ok", "inspect unchanged"]
    assert ended.steps["web2"] == ["stage ok", "activate reverted", "inspect unchanged"]
    for host in NAMES[2:]:
        assert ended.steps[host] == ["stage ok", "inspect unchanged"], "a batch that may not go ends before its hosts are touched"
    assert ended.error_of("web2")[0] == "HEALTH_CHECK_FAILED"
    assert [(gate["at"], gate["go"]) for gate in gates(hosts.controller, ended.record["run"])] == [
        ("before", True),
        ("after", False),
        ("before", False),
        ("before", False),
        ("settle", False),
    ]
    assert ended.after == ended.before
    with hosts.controller.store() as store:
        lock = store.read_lock("shop_api", "test")
    assert lock is not None
    assert not lock.held


def test_o7_p11_hosts_that_fail_before_our_action_are_counted_and_told_before_anything_moves(hosts: TrapFleet) -> None:
    ended = hosts.deploy(
        fraise_build_timeout="{{ nowhere if inventory_hostname == 'web3' else 60 }}",
        fraise_keep="{{ 'many' if inventory_hostname == 'web4' else 5 }}",
    )
    assert ended.record["status"] == "failed"
    assert ended.record["status_reason"] == "2 of 6 hosts failed (web3, web4), allowed: 0"
    assert ended.states == ["staged", "staged", "failed", "failed", "staged", "staged"]
    assert "nowhere" in ended.error_of("web3")[1]
    assert "fraise_keep" in ended.error_of("web4")[1]
    assert not any(step.startswith("activate") for done in ended.steps.values() for step in done)
    assert ended.after == ended.before


def test_o7_a_host_that_fails_in_its_batch_before_our_action_halts_and_undoes_the_batches_before(hosts: TrapFleet) -> None:
    ended = hosts.deploy(fraise_interval="{{ nowhere if inventory_hostname == 'web3' and fraise_staged is defined else 0.1 }}")
    assert ended.record["status"] == "rolled_back"
    assert ended.record["status_reason"] == "1 of 6 hosts failed (web3), allowed: 0"
    assert ended.states == ["undone", "undone", "failed", "undone", "staged", "staged"]
    assert "nowhere" in ended.error_of("web3")[1]
    assert ended.after == ended.before


def test_o8_a_budget_that_is_spent_but_not_passed_lets_the_deployment_go_on(hosts: TrapFleet) -> None:
    ended = hosts.deploy(broken=["web1", "web3"], rolling_max_failed="34%")
    assert ended.record["status"] == "success"
    assert ended.record["status_reason"] == "within budget, but failed: web1, web3"
    assert ended.states == ["reverted", "active", "reverted", "active", "active", "active"]
    kept = {host: ended.before[host] if host in ("web1", "web3") else ended.record["version"] for host in NAMES}
    assert ended.after == kept


def test_o8_a_budget_counts_the_hosts_of_all_batches_and_halts_when_it_is_passed(hosts: TrapFleet) -> None:
    ended = hosts.deploy(broken=["web1", "web3"], rolling_max_failed=1)
    assert ended.record["status"] == "rolled_back"
    assert ended.record["status_reason"] == "2 of 6 hosts failed (web1, web3), allowed: 1"
    assert ended.states == ["reverted", "undone", "reverted", "undone", "staged", "staged"]
    assert ended.after == ended.before


def test_o9_a_batch_of_one_host_that_is_unreachable_halts_and_the_later_plays_still_run(hosts: TrapFleet) -> None:
    ended = hosts.deploy(rolling_batches=[1], away_from_shift=["web1"])
    assert ended.record["status"] == "rollback_failed"
    assert ended.record["status_reason"] == "1 of 6 hosts failed (web1), allowed: 0; not proved to be back: web1"
    assert ended.states == ["unreachable", *["staged"] * 5]
    assert ended.error_of("web1")[0] == "PROVIDER_CONNECTION_ERROR"
    assert ended.steps["web1"] == ["stage ok", "activate unreachable", "revert unreachable", "inspect unreachable"]
    assert ended.steps["web2"] == ["stage ok", "inspect unchanged"]
    assert ended.after == ended.before


def test_o9_unreachable_hosts_count_against_the_budget_and_the_others_go_on(hosts: TrapFleet) -> None:
    ended = hosts.deploy(away_from_shift=["web3"], rolling_max_failed=1)
    assert ended.record["status"] == "success"
    assert ended.record["status_reason"] == "within budget, but failed: web3"
    assert ended.states == ["active", "active", "unreachable", "active", "active", "active"]
    assert ended.after == {host: ended.before["web3"] if host == "web3" else ended.record["version"] for host in NAMES}


def test_o9_a_fleet_that_cannot_be_reached_at_all_is_told_and_recorded(hosts: TrapFleet) -> None:
    ended = hosts.deploy(away_always=NAMES)
    assert ended.run.code == 2
    assert ended.record["status"] == "failed"
    assert ended.record["status_reason"] == "6 of 6 hosts failed (web1, web2, web3, web4, web5 and 1 more), allowed: 0"
    assert ended.states == ["unreachable"] * 6
    assert ended.after == ended.before


def test_o10_a_gate_that_fails_ends_the_run_and_says_so(hosts: TrapFleet, tmp_path: Path) -> None:
    playbook = tmp_path / "gate.yml"
    playbook.write_text(
        "- hosts: shop_api\n  gather_facts: false\n  tasks:\n    - fraisier.deploy.gate:\n        at: before\n      run_once: true\n", encoding="utf-8"
    )
    ended = run_words(hosts.controller, with_playbook(hosts.controller.command("deploy"), playbook))
    assert ended.code == 2
    assert "[NO_OPEN_DEPLOYMENT]" in ended.output


def activating(controller: Controller) -> str | None:
    """The host of the newest deployment that is activating now."""
    found = rows(
        controller,
        """SELECT host FROM tb_step JOIN tb_deployment_host ON fk_deployment_host = pk_deployment_host WHERE step = 'activate' AND outcome IS NULL
           AND tb_step.fk_deployment = (SELECT max(pk_deployment) FROM tb_deployment WHERE status = 'in_progress')""",
    )
    return found[0]["host"] if found else None


def test_p3_a_controller_that_is_told_to_end_leaves_the_deployment_interrupted_and_the_lock_until_its_lease_ends(hosts: TrapFleet) -> None:
    controller = replace(hosts.controller, settings=SHORT_LEASE)
    for number in (signal.SIGTERM, signal.SIGINT):
        version = hosts.new_version()
        process = controller.start("deploy", "--limit", "web1,web2", fraise="shop_api", version=version, rolling_batches=[1], fraise_min_healthy=1.5, wait=30)
        wait_for(lambda: activating(controller), 30, "web1 activates")
        process.send_signal(number)
        wait_for(lambda: controller.latest()["status"] == "interrupted", 2, f"interrupted after {number.name}")
        assert process.wait(20) != 0
        assert controller.latest()["version"] == version
        if number == signal.SIGINT:  # a SIGTERM ends Ansible before anything could be said
            said = (controller.folder / "output.log").read_text(encoding="utf-8")
            assert f"{controller.latest()['identifier']} is interrupted where it is. Then: ansible-playbook fraisier.deploy.recover -e fraise=shop_api" in said
        with controller.store() as store:
            lock = store.read_lock("shop_api", "test")
        assert lock is not None
        assert lock.held
        assert 0 < (lock.expires_at - lock.now).total_seconds() <= 4
    after = hosts.deploy("--limit", "web1,web2", controller=controller, wait=30)
    assert after.record["status"] == "success"
    assert [row["status"] for row in controller.history()[1:3]] == ["interrupted", "interrupted"]


HOLDS_THE_QUEUE = """
import multiprocessing, multiprocessing.queues, os, pathlib, time

put = multiprocessing.queues.SimpleQueue.put

def slow_put(queue, value):
    if multiprocessing.parent_process() is None:
        return put(queue, value)
    with queue._wlock:
        pathlib.Path(os.environ["HOLDS_THE_QUEUE"]).touch()
        time.sleep(1.5)
        queue._writer.send_bytes(multiprocessing.queues._ForkingPickler.dumps(value))

multiprocessing.queues.SimpleQueue.put = slow_put
"""


def test_an_interrupt_while_a_worker_holds_the_lock_of_their_queue_hangs_ansible_and_the_recorder_ends_it(hosts: TrapFleet, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HOLDS_THE_QUEUE, encoding="utf-8")
    holds = tmp_path / "holds"
    controller = replace(hosts.controller, settings={**SHORT_LEASE, "PYTHONPATH": str(tmp_path), "HOLDS_THE_QUEUE": str(holds)})
    process = controller.start("deploy", fraise="shop_api", version=hosts.new_version(), wait=30)
    wait_for(holds.exists, 30, "a worker hands over its result")
    process.send_signal(signal.SIGINT)
    assert process.wait(40) == -signal.SIGTERM
    assert controller.latest()["status"] == "interrupted"


def recorder_of(process: subprocess.Popen[str]) -> int:
    """The side process of a running playbook."""
    found = wait_for(lambda: [pid for pid, command in children(process.pid).items() if "recorder/__main__.py" in command], 10, "the recorder runs")
    return int(found[0])


def test_p5_a_recorder_that_is_killed_harms_no_play_and_loses_no_event(hosts: TrapFleet, tmp_path: Path) -> None:
    playbook = tmp_path / "plain.yml"
    tasks = "".join(f"    - name: Task {number}\n      ansible.builtin.debug:\n" for number in range(1, 6))
    playbook.write_text(f"- hosts: shop_api\n  gather_facts: false\n  tasks:\n    - ansible.builtin.pause:\n        seconds: 2\n{tasks}", encoding="utf-8")
    log = tmp_path / "output.log"
    with log.open("w", encoding="utf-8") as stream:
        words = with_playbook(hosts.controller.command("deploy"), playbook)
        process = subprocess.Popen(words, env=hosts.controller.environment(), stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, text=True)
    os.kill(recorder_of(process), signal.SIGKILL)
    assert process.wait(60) == 0
    output = " ".join(log.read_text(encoding="utf-8").split())
    assert output.count("the recorder ended early") == 1
    assert re.search(r"\d+ (of \d+ )?events wait in ", output)
    run = spooled_run(hosts.controller)
    assert hosts.controller.run("history").code == 0
    told = events(hosts.controller, run)
    assert [event["seq"] for event in told] == list(range(1, len(told) + 1))
    assert Counter(event["type"] for event in told) == {"playbook.started": 1, "play.started": 1, "task.ok": 31, "playbook.ended": 1}
    assert list((hosts.controller.folder / "spool").iterdir()) == []


def spooled_run(controller: Controller) -> str:
    """The run whose events wait on the disk."""
    (path,) = (controller.folder / "spool").iterdir()
    return path.name.split(".")[1].removesuffix("-callback")


def test_p5_a_deployment_whose_recorder_is_killed_stops_where_it_is_and_the_next_one_ends_well(hosts: TrapFleet) -> None:
    controller = replace(hosts.controller, settings=SHORT_LEASE)
    before = hosts.fleet.serving()
    version = hosts.new_version()
    process = controller.start("deploy", "--limit", "web1,web2", fraise="shop_api", version=version, rolling_batches=[1], fraise_min_healthy=1)
    wait_for(lambda: activating(controller), 30, "web1 activates")
    os.kill(recorder_of(process), signal.SIGKILL)
    assert process.wait(60) == 2
    output = (controller.folder / "output.log").read_text(encoding="utf-8")
    assert "The recorder of this run" in output
    assert "[DATABASE_CONNECTION_ERROR]" in output
    assert hosts.fleet.serving() == {**before, "web1": version}, "the host that was at it finished, and no other began"
    after = hosts.deploy("--limit", "web1,web2", controller=controller, wait=30)
    assert after.record["status"] == "success"
    assert [row["status"] for row in controller.history()[:2]] == ["success", "interrupted"]
