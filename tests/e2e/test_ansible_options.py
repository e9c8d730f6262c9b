# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks with the options that every Ansible user knows, and the playbooks beside deploy."""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.controller import CHECKOUT, UNDO_LEAVES_NO_LOCK, Controller, Run
from tests.e2e.local_fleet import LocalFleet
from tests.e2e.observation import answers, rows, run_words, steps, tree_of, wait_for, with_playbook

NAMES = ["web1", "web2", "web3"]
SHORT_LEASE = {"FRAISIER_LEASE_SECONDS": "4", "FRAISIER_HEARTBEAT_SECONDS": "1"}
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFleet]:
    """Three hosts that serve a first version."""
    folder = tmp_path_factory.mktemp("options")
    fleet = LocalFleet(folder, NAMES, f"sqlite:///{folder}/store.db", fraise_min_healthy=0.1, rolling_batches=[1, 2], **UNDO_LEAVES_NO_LOCK)
    try:
        assert deployed(fleet).code == 0
        yield fleet
    finally:
        fleet.stop()


def new_version(fleet: LocalFleet, behaviour: str = "healthy") -> str:
    version = f"1.{next(NUMBERS)}.0"
    fleet.release(version, behaviour)
    return version


def deployed(fleet: LocalFleet, *arguments: str, **variables: object) -> Run:
    """Deploy a version that no host has seen."""
    return fleet.controller.deploy("shop_api", new_version(fleet), *arguments, **variables)


def recorded(controller: Controller) -> dict[str, list[dict]]:
    """Every row of the store but its events and their audit: of a check, too, it is kept that a playbook ran."""
    kept = ("tb_event", "tb_audit", "tb_audit_head")
    tables = [row["name"] for row in rows(controller, "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'tb_%'") if row["name"] not in kept]
    assert len(tables) >= 8
    deeds = rows(controller, "SELECT * FROM tb_audit WHERE event NOT LIKE 'playbook.%'")
    return {"deeds": deeds, **{table: rows(controller, f"SELECT * FROM {table}") for table in tables}}


def words_of(output: str, host: str) -> list[list[str]]:
    """The table rows about a host that a run printed."""
    return [line.split() for line in output.splitlines() if re.search(rf"(^|\s){host}\s", line) and "  " in line]


def test_check_mode_prints_the_plan_and_changes_neither_hosts_nor_store(fleet: LocalFleet) -> None:
    old = fleet.serving()["web1"]
    version = new_version(fleet)
    assert fleet.controller.deploy("shop_api", version, "--limit", "web2").code == 0
    hosts, store, serving = tree_of(fleet.folder / "hosts"), recorded(fleet.controller), answers(fleet)
    ended = fleet.controller.deploy("shop_api", version, "--check", "--diff", rolling_batches=["34%"], rolling_max_failed=1)
    assert ended.code == 0, ended.output
    assert f"Plan: {version} on 3 hosts, batches of 1, 1, 1, hosts that may fail: 1. Nothing was changed." in ended.output
    would = ["stage,", "activate,", "verify,", "retire", "old", "releases"]
    assert ["1", "web1", old, version, *would] in words_of(ended.output, "web1")
    assert ["2", "web2", version, version, "nothing"] in words_of(ended.output, "web2")
    assert ["3", "web3", old, version, *would] in words_of(ended.output, "web3")
    assert f'-    "current": "{old}"\n+    "current": "{version}"' in ended.output
    assert f"web1  would serve {version}, serves {old}" in ended.output
    assert tree_of(fleet.folder / "hosts") == hosts
    assert recorded(fleet.controller) == store
    assert answers(fleet) == serving


def test_check_mode_fails_when_a_host_cannot_be_deployed_to(fleet: LocalFleet) -> None:
    store = recorded(fleet.controller)
    ended = fleet.controller.deploy("shop_api", "9.9.9", "--check")
    assert ended.code == 2
    assert "The check found hosts that cannot be deployed to: web1, web2, web3" in ended.output
    assert "shop-api-9.9.9.tar.gz is not on the controller" in ended.output
    assert recorded(fleet.controller) == store


def test_check_mode_of_a_rollback_names_where_it_would_go(fleet: LocalFleet) -> None:
    before = fleet.serving()["web1"]
    assert deployed(fleet).code == 0
    with fleet.controller.store() as store:
        good = store.last_good("shop_api", "test", before=fleet.serving()["web1"])
    ended = fleet.controller.run("rollback", "--check", fraise="shop_api")
    assert ended.code == 0
    assert good is not None
    assert f"Plan: {good.version} on 3 hosts" in ended.output
    assert fleet.serving()["web1"] != before


def test_limit_touches_and_records_only_the_hosts_that_it_names(fleet: LocalFleet) -> None:
    before = fleet.serving()
    assert deployed(fleet, "--limit", "web1:web3").code == 0
    record = fleet.controller.latest()
    assert record["plan"]["groups"] == [["web1"], ["web3"]]
    assert [row["host"] for row in record["hosts"]] == ["web1", "web3"]
    assert answers(fleet) == {**before, "web1": record["version"], "web3": record["version"]}


def test_a_limit_that_leaves_no_host_of_the_fraise_is_no_success(fleet: LocalFleet) -> None:
    other = fleet.folder / "other.yml"
    other.write_text("all:\n  children:\n    others:\n      hosts:\n        elsewhere:\n          ansible_connection: local\n", encoding="utf-8")
    ended = deployed(fleet, "-i", str(other), "--limit", "elsewhere")
    assert ended.code != 0
    assert "No host of shop_api is left in this run: look at the inventory and at --limit [NOT_FOUND]" in ended.output


def test_a_run_that_finds_every_host_as_it_should_be_changes_nothing_with_one_fork_too(fleet: LocalFleet) -> None:
    version = new_version(fleet)
    assert fleet.controller.deploy("shop_api", version, "--forks", "1").code == 0
    hosts, pids = tree_of(fleet.folder / "hosts"), [path.read_text() for path in fleet.folder.glob("hosts/*/.fraisier/process.pid")]
    ended = fleet.controller.deploy("shop_api", version, "--forks", "1")
    assert ended.code == 0
    assert re.findall(r"changed=(\d+)", ended.output) == ["0", "0", "0"]
    assert fleet.controller.latest()["status"] == "success"
    assert set(steps(fleet.controller.latest())["web1"]) == {"stage unchanged", "activate unchanged", "retire unchanged"}
    assert [path.read_text() for path in fleet.folder.glob("hosts/*/.fraisier/process.pid")] == pids
    changed = {name for name, content in tree_of(fleet.folder / "hosts").items() if hosts.get(name) != content}
    assert {Path(name).name for name in changed} <= {"fence.json", "lock", "stage.lock"}, "only the token of the newer deployment and who held the locks"


def test_tags_prepare_stages_and_says_that_it_did_no_more(fleet: LocalFleet) -> None:
    before = answers(fleet)
    ended = deployed(fleet, "--tags", "prepare")
    record = fleet.controller.latest()
    assert ended.code == 0
    assert "prepared only: no batch was shifted in this run" in ended.output
    assert (record["status"], record["status_reason"]) == ("aborted", "prepared only: no batch was shifted in this run")
    assert [row["state"] for row in record["hosts"]] == ["staged"] * 3
    for name in NAMES:
        assert (fleet.folder / "hosts" / name / "releases" / record["version"] / "VERSION").is_file()
    assert answers(fleet) == before
    assert fleet.controller.deploy("shop_api", record["version"]).code == 0
    assert set(steps(fleet.controller.latest())["web1"]) == {"stage unchanged", "activate ok", "retire ok"}


def test_a_second_run_is_told_who_since_when_and_why_and_waits_when_asked(fleet: LocalFleet) -> None:
    controller = replace(fleet.controller, settings=SHORT_LEASE)
    slow = {"rolling_batches": [1], "fraise_min_healthy": 4, "fraise_timeout": 30}
    first = controller.start("deploy", fraise="shop_api", version=new_version(fleet), reason="the big sale", **slow)
    try:
        wait_for(lambda: controller.history()[0]["status"] == "in_progress", 20, "the first run has the lock")
        holder = controller.history()[0]
        refused = deployed(fleet)
        waited = controller.deploy("shop_api", new_version(fleet), "-e", "wait=60")
    finally:
        assert first.wait(60) == 0
    assert refused.code == 2
    for part in (holder["owner_name"], holder["started_at"].strftime("%Y-%m-%d"), "the big sale", holder["identifier"], "-e wait=", "[DEPLOYMENT_LOCKED]"):
        assert part in refused.output
    assert waited.code == 0
    assert "waiting up to 60 s" in waited.output
    newest, older = controller.history()[:2]
    assert (newest["status"], older["status"]) == ("success", "success")
    assert older["finished_at"] <= newest["started_at"]
    assert newest["token"] > older["token"]


def test_rollback_goes_to_the_good_version_before_or_to_the_one_named(fleet: LocalFleet) -> None:
    assert deployed(fleet).code == 0
    good = fleet.controller.latest()["version"]
    assert deployed(fleet).code == 0
    newer = fleet.controller.latest()["version"]
    assert fleet.controller.deploy("shop_api", new_version(fleet, "crash")).code == 2
    back = fleet.controller.run("rollback", fraise="shop_api")
    assert back.code == 0, back.output
    record = fleet.controller.latest()
    assert (record["kind"], record["version"], record["previous_version"], record["status"]) == ("rollback", good, newer, "success")
    assert answers(fleet) == dict.fromkeys(NAMES, good)
    assert fleet.controller.run("rollback", fraise="shop_api", version=newer).code == 0
    assert answers(fleet) == dict.fromkeys(NAMES, newer)


def test_a_rollback_with_nothing_to_go_back_to_says_so(fleet: LocalFleet) -> None:
    ended = fleet.controller.run("rollback", fraise="shop_api", fraise_environment="brand_new")
    assert ended.code == 2
    assert "shop_api in brand_new has no earlier version that was deployed with success" in ended.output
    assert "[NOT_FOUND]" in ended.output


def test_history_shows_the_deployments_and_one_of_them_with_its_hosts_and_steps(fleet: LocalFleet) -> None:
    assert deployed(fleet, reason="for the sale").code == 0
    latest = fleet.controller.latest()
    shown = fleet.controller.run("history", fraise="shop_api", limit=1)
    assert shown.code == 0
    (row,) = [line for line in shown.output.splitlines() if line.startswith("shop_api:test:")]
    assert row.split()[:5] == [latest["identifier"], "deploy", latest["previous_version"], latest["version"], "success"]
    assert row.endswith("for the sale")
    one = fleet.controller.run("history", deployment=latest["identifier"]).output
    assert f"{latest['identifier']}: deploy {latest['version']}, before it {latest['previous_version']}: success" in one
    assert ["web1", "active", latest["previous_version"], latest["version"], "-", "-"] in words_of(one, "web1")
    assert sorted(row[1] for row in words_of(one, "web2") if row[2] == "ok") == ["activate", "retire", "stage"]
    missing = fleet.controller.run("history", deployment="shop_api:test:9999")
    assert missing.code == 2
    assert "No deployment shop_api:test:9999 in the store" in missing.output


def test_status_asks_the_hosts_and_says_where_they_differ_from_the_record(fleet: LocalFleet) -> None:
    assert deployed(fleet).code == 0
    version = fleet.controller.latest()["version"]
    older = sorted(path.name for path in (fleet.folder / "hosts" / "web2" / "releases").iterdir() if path.name != version and path.name[0] != ".")[-1]
    link = fleet.folder / "hosts" / "web2" / "current"
    link.unlink()
    link.symlink_to(f"releases/{older}")
    try:
        asked = fleet.controller.run("status", fraise="shop_api")
    finally:
        link.unlink()
        link.symlink_to(f"releases/{version}")
    assert asked.code == 0
    (one,) = [row for row in words_of(asked.output, "web1") if row[0] == "shop_api"]
    (two,) = [row for row in words_of(asked.output, "web2") if row[0] == "shop_api"]
    assert (one[2], one[-3:]) == (version, [version, "yes", "-"])
    # its link was moved by hand and its service was not restarted: it answers the other version, so it is not well as what it claims to be
    unwell = two.index("(unhealthy)")
    assert (two[2], two[unwell - 1 : unwell + 2]) == (version, [older, "(unhealthy)", "NO"])
    assert f"the fleet has {version}" in " ".join(two[unwell + 2 :])
    for variables in ({"fraise": "shop_api", "live": False}, {}):
        quiet = fleet.controller.run("status", **variables)
        assert quiet.code == 0
        assert "ANSWERS" not in quiet.output
        assert [row[2] for row in words_of(quiet.output, "web2") if row[0] == "shop_api"] == [version]


def test_the_store_is_checked_migrated_and_written_as_sql(fleet: LocalFleet) -> None:
    checked = fleet.controller.run("store")
    assert checked.code == 0
    assert re.search(r"Store: sqlite \S+, schema (\S+), newest \1\n", checked.output)
    assert "In order" in checked.output
    assert "Nothing to migrate" in fleet.controller.run("store", store="migrate").output
    assert "CREATE TABLE tb_deployment" in fleet.controller.run("store", store="sql").output


def test_a_store_that_only_a_person_may_migrate_is_migrated_by_its_playbook(fleet: LocalFleet, tmp_path: Path) -> None:
    controller = replace(fleet.controller, store_url=f"sqlite:///{tmp_path}/store.db", settings={"FRAISIER_STORE_AUTO_MIGRATE": "false"})
    refused = controller.deploy("shop_api", new_version(fleet))
    assert refused.code == 2
    assert "Run: ansible-playbook fraisier.deploy.store -e store=migrate" in refused.output
    checked = controller.run("store", "-e", "store=migrate", "--check")
    assert (checked.code, "newest" in checked.output) == (0, True), checked.output
    migrated = controller.run("store", store="migrate")
    assert migrated.code == 0
    assert "Migrated: 0001" in migrated.output
    assert controller.deploy("shop_api", new_version(fleet)).code == 0


def test_the_playbooks_run_as_files_from_a_checkout(fleet: LocalFleet) -> None:
    version = new_version(fleet)
    words = with_playbook(fleet.controller.command("deploy", fraise="shop_api", version=version), Path("playbooks/deploy.yml"))
    environment = {name: value for name, value in fleet.controller.environment().items() if name != "ANSIBLE_CONFIG"}
    ended = subprocess.run(words, env=environment, cwd=CHECKOUT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert answers(fleet) == dict.fromkeys(NAMES, version)
    back = run_words(fleet.controller, with_playbook(fleet.controller.command("rollback", fraise="shop_api"), CHECKOUT / "playbooks" / "rollback.yml"))
    assert back.code == 0, back.output
