# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager ``systemd`` on a real host: system and user units that behave, crash, hang or do not exist."""

from __future__ import annotations

import pytest

SLEEPS = "ExecStart=/bin/sleep 600"
CRASHES = "ExecStart=/bin/sh -c 'echo no such table: orders; sleep 0.3; exit 3'"
STATUS = "answer['status'] = service.status().to_dict()"


@pytest.fixture(params=["root", "deploy"], ids=["system", "user"])
def owner(request):
    """(user, scope): root with system units, deploy with units of its own."""
    return request.param, {"root": "system", "deploy": "user"}[request.param]


def test_a_unit_is_started_restarted_and_stopped(bench, name, owner):
    user, scope = owner
    bench.unit(name, SLEEPS, user=user)
    answer = bench.run(
        """
service.validate()
answer["exists"] = service.exists()
answer["states"] = [service.status().active]
service.start(10)
first = service.status()
answer["states"].append(first.active)
service.start(10)
answer["same"] = service.status().pid == first.pid
service.restart(10)
second = service.status()
answer["states"].append(second.active)
answer["changed"] = second.pid != first.pid
service.stop(10)
answer["states"].append(service.status().active)
service.stop(10)
""",
        user=user,
        name=name,
        scope=scope,
    )
    assert answer == {"exists": True, "states": [False, True, True, False], "same": True, "changed": True, "seconds": answer["seconds"]}


def test_the_suffix_of_a_service_may_be_left_out(bench, name):
    bench.unit(name, SLEEPS)
    assert bench.run("service.restart(10)\n" + STATUS, name=name.removesuffix(".service"))["status"]["name"] == name


def test_a_unit_that_does_not_exist_is_a_wrong_configuration_that_names_it(bench, owner):
    user, scope = owner
    answer = bench.run("answer['exists'] = service.exists()\nservice.restart(10)", user=user, name="frz-missing", scope=scope)
    assert answer["exists"] is False
    assert answer["error"]["code"] == "PROVIDER_CONFIG_ERROR"
    assert answer["error"]["message"] == f"service.name: unit frz-missing.service is not known to systemd ({scope} scope)"
    assert "daemon-reload" in answer["error"]["hint"]


def test_stopping_a_unit_that_does_not_exist_is_no_error(bench):
    assert "error" not in bench.run("service.stop(10)", name="frz-missing")


def test_a_masked_unit_is_told(bench):
    bench.systemctl("mask frz-masked.service")
    try:
        answer = bench.run("answer['exists'] = service.exists()\nservice.start(10)", name="frz-masked")
    finally:
        bench.systemctl("unmask frz-masked.service")
    assert answer["exists"] is False
    assert "is masked" in answer["error"]["message"]


def test_a_unit_that_cannot_start_fails_with_its_result_and_the_end_of_its_log(bench, name, owner):
    user, scope = owner
    bench.unit(name, "Type=oneshot\nExecStart=/bin/sh -c 'echo no such table: orders; exit 3'", user=user)
    error = bench.run("service.restart(10)", user=user, name=name, scope=scope)["error"]
    assert error["code"] == "PROVIDER_ERROR"
    assert error["message"].startswith(f"systemctl restart {name} failed: ")
    assert "no such table: orders" in error["message"]
    assert (error["context"]["status"]["detail"]["result"], error["context"]["status"]["detail"]["exit_status"]) == ("exit-code", 3)


def test_a_start_that_hangs_ends_at_its_deadline(bench, name):
    bench.unit(name, "Type=notify\nTimeoutStartSec=60\nExecStart=/bin/sh -c 'echo waiting for the database; sleep 600'")
    answer = bench.run("service.restart(1.5)", name=name)
    assert answer["error"]["code"] == "DEPLOYMENT_TIMEOUT"
    assert answer["error"]["message"].startswith(f"systemctl restart {name} did not end within 1.5 s")
    assert "waiting for the database" in answer["error"]["message"]
    assert 1.5 <= answer["seconds"] < 6


def test_a_unit_that_hit_its_start_limit_starts_again(bench, name):
    bench.unit(name, "ExecStart=/bin/sh -c 'test -e /run/frz-fixed && exec sleep 600; exit 1'", unit="StartLimitIntervalSec=600\nStartLimitBurst=2")
    for _ in range(4):
        bench.systemctl(f"start {name}", check=False)
    bench.host.run("touch /run/frz-fixed")
    try:
        bench.systemctl(f"start {name}", check=False)
        assert bench.systemctl(f"is-active {name}", check=False).strip() == "failed", "systemd must refuse by now"
        answer = bench.run("answer['failed'] = service.status().failed\nservice.restart(10)\n" + STATUS, name=name)
    finally:
        bench.host.run("rm /run/frz-fixed")
    assert answer["failed"] is True
    assert answer["status"]["active"] is True


def test_reload_keeps_the_main_process(bench, name):
    bench.unit(name, SLEEPS + "\nExecReload=/bin/sh -c 'echo read again'")
    answer = bench.run(
        """
service.apply(10)
pid = service.status().pid
service.apply(10)
answer["same"] = service.status().pid == pid
time.sleep(0.3)
answer["log"] = service.log_tail(5)
""",
        name=name,
        action="reload",
    )
    assert answer["same"] is True
    assert "read again" in answer["log"]


def test_a_unit_that_cannot_reload_says_so(bench, name):
    bench.unit(name, SLEEPS)
    answer = bench.run("service.start(10)\nservice.reload(10)", name=name)
    assert "Job type reload is not applicable" in answer["error"]["message"]


# --- crash loops ---

VERIFY = "service.restart(10)\nreport = verify([], min_healthy=20, interval=0.5, deadline=40, service=service)\n"
TELL = "answer.update(ok=report.ok, crashed=report.crashed, message=report.message)"


def test_a_unit_that_stays_up_is_healthy(bench, name, owner):
    user, scope = owner
    bench.unit(name, SLEEPS + "\nRestart=always", user=user)
    answer = bench.run(VERIFY.replace("=20", "=2") + TELL, user=user, name=name, scope=scope)
    assert (answer["ok"], answer["crashed"]) == (True, False)


@pytest.mark.parametrize("restart", ["Restart=always\nRestartSec=0.1", "Restart=on-failure\nRestartSec=2", "Restart=no"])
def test_a_crash_loop_is_seen_at_once_and_its_log_says_why(bench, name, owner, restart):
    user, scope = owner
    bench.unit(name, f"{CRASHES}\n{restart}", user=user, unit="StartLimitIntervalSec=0")
    answer = bench.run(VERIFY + TELL, user=user, name=name, scope=scope)
    assert (answer["ok"], answer["crashed"]) == (False, True)
    assert "no such table: orders" in answer["message"]
    assert answer["seconds"] < 5


def test_one_crash_in_the_middle_of_the_stretch_is_seen_though_the_unit_is_up_again(bench, name):
    bench.unit(
        name, "ExecStart=/bin/sh -c 'test -e /run/frz-crashed && exec sleep 600; sleep 3; touch /run/frz-crashed; exit 1'\nRestart=always\nRestartSec=0.1"
    )
    try:
        answer = bench.run(VERIFY + TELL, name=name)
    finally:
        bench.host.run("rm -f /run/frz-crashed")
    assert answer["crashed"] is True
    assert 2.5 < answer["seconds"] < 7


def test_a_restart_by_hand_in_the_middle_of_the_stretch_is_seen(bench, name):
    bench.unit(name, SLEEPS)
    bench.host.run(f"(sleep 2; systemctl restart {name}) >/dev/null 2>&1 </dev/null &")
    assert "its main process changed from" in bench.run(VERIFY + TELL, name=name)["message"]


def test_crashes_of_long_ago_do_not_matter(bench, name):
    bench.unit(name, "ExecStart=/bin/sh -c 'test -e /run/frz-old && exec sleep 600; touch /run/frz-old; exit 1'\nRestart=always\nRestartSec=0.1")
    bench.systemctl(f"start {name}")
    try:
        answer = bench.run("time.sleep(1.5)\n" + STATUS + "\nreport = verify([], min_healthy=1, interval=0.2, deadline=5, service=service)\n" + TELL, name=name)
    finally:
        bench.host.run("rm -f /run/frz-old")
    assert answer["status"]["restarts"] == 1
    assert answer["ok"] is True


def test_the_end_of_a_oneshot_unit_is_no_crash(bench, name):
    bench.unit(name, "Type=oneshot\nExecStart=/bin/sleep 1")
    bench.systemctl(f"start --no-block {name}")
    answer = bench.run("report = verify([{'exec': {'command': ['true']}}], min_healthy=2, interval=0.2, deadline=9, service=service)\n" + TELL, name=name)
    assert (answer["ok"], answer["crashed"]) == (True, False)


# --- the check of kind systemd ---


def test_a_check_wants_a_unit_in_a_state(bench, name, owner):
    user, scope = owner
    bench.unit(name, SLEEPS, user=user)
    code = f"""
def look(**options):
    row = probe([{{"systemd": dict({{"scope": {scope!r}}}, **options)}}]).checks[0]
    return [row.ok, row.message]
answer["stopped"] = look(unit={name!r})
answer["wanted"] = look(unit={name!r}, state="inactive")
service.start(10)
answer["started"] = look(unit={name!r})
answer["missing"] = look(unit="frz-missing.service")
"""
    answer = bench.run(code, user=user, name=name, scope=scope)
    assert answer["stopped"] == [False, "inactive (dead, result success), wanted active"]
    assert answer["wanted"] == [True, "inactive (dead)"]
    assert answer["started"] == [True, "active (running)"]
    assert answer["missing"] == [False, f"there is no such unit ({scope} scope)"]


# --- the surroundings ---


def test_a_user_without_a_running_systemd_is_told_to_linger(bench):
    bench.host.run("id frz-guest >/dev/null 2>&1 || useradd --create-home frz-guest")
    script = "su frz-guest -c"
    code = (
        "import sys; sys.path.insert(0, '/opt/fraisier-services');"
        "from ansible_collections.fraisier.deploy.plugins.module_utils.services import service_manager;"
        "service_manager({'name': 'x', 'scope': 'user'}, root='/srv/shop', environment={}).restart(5)"
    )
    done = bench.host.run(f'{script} "python3 -c \\"{code}\\""', check=False)
    assert "systemd (user scope) cannot be reached" in done.stderr
    assert "loginctl enable-linger frz-guest" in done.stderr


def test_a_status_costs_little(bench, name):
    bench.unit(name, SLEEPS)
    answer = bench.run("started = time.monotonic()\nfor _ in range(10):\n    service.status()\nanswer['each'] = (time.monotonic() - started) / 10", name=name)
    assert answer["each"] < 0.2


# --- a detached process beside systemd ---


def test_a_detached_process_outlives_the_ssh_session_that_started_it(bench):
    root = "/srv/frz-process"
    options = {"manager": "process", "command": ["sleep", "600"], "root": root}
    bench.host.run(f"mkdir -p {root}/releases/1 && ln -sfn releases/1 {root}/current && chown -R deploy: {root}")
    pid = bench.run("service.start(10)\n" + STATUS, user="deploy", **options)["status"]["pid"]
    bench.host.disconnect()
    try:
        later = bench.run(STATUS + "\nservice.stop(10)\nanswer['after'] = service.status().active", user="deploy", **options)
    finally:
        bench.host.run(f"pkill -u deploy sleep; rm -rf {root}", check=False)
    assert (later["status"]["pid"], later["status"]["active"], later["after"]) == (pid, True, False)
