# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input ends with a message that says what, where and the remedy, with an error code, with hosts that serve what they served, and a true record."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.e2e.controller import UNDO_LEAVES_NO_LOCK, Run
from tests.e2e.local_fleet import LocalFleet, free_ports
from tests.e2e.observation import answers, steps, tree_of

STABLE, NEXT = "1.0.0", "2.0.0"
FAULTS = {
    "checksum": ({"source": {"sha256": "0" * 64}}, "VALIDATION_ERROR", ["shop-api-2.0.0.tar.gz", "SHA-256 mismatch", "expected 0000", "got"]),
    "no-archive": ({"source": {"src": "{{ archives }}/text.tar.gz"}}, "VALIDATION_ERROR", ["text.tar.gz", "is not an archive"]),
    "hostile-archive": ({"source": {"src": "{{ archives }}/hostile.tar.gz"}}, "VALIDATION_ERROR", ["hostile.tar.gz refused", "../../../escaped"]),
    "missing-archive": (
        {"source": {"src": "{{ archives }}/nowhere.tar.gz"}},
        "NOT_FOUND",
        ["fraise_source.archive.src", "nowhere.tar.gz", "not on the controller"],
    ),
    "source-option": ({"source": {"sha255": "0" * 64}}, "VALIDATION_ERROR", ["source.archive.sha255", "sha256"]),
    "health-option": ({"health": [{"http": {"urll": "http://127.0.0.1/"}}]}, "VALIDATION_ERROR", ["health.http.urll", "url"]),
    "health-kind": ({"health": [{"smtp": {}}]}, "VALIDATION_ERROR", ["health.smtp", "http"]),
    "relative-path": ({"path": "srv/shop_api"}, "VALIDATION_ERROR", ["path", "srv/shop_api"]),
    "wrong-type": ({"timeout": "long"}, "DEPLOYMENT_ERROR", ["fraise_timeout", "float"]),
}
HOSTS = [*FAULTS, "sound"]
REFUSED: list[tuple[str, dict[str, Any], list[str]]] = [
    ("an unknown fraise", {"fraise": "shop_apy"}, ["with -e fraise=NAME", "Groups here: shop_api", "[NOT_FOUND]"]),
    ("all groups as a fraise", {"fraise": "all"}, ["with -e fraise=NAME", "[NOT_FOUND]"]),
    ("no version", {"version": None}, ["version is missing", "-e version=", "[VALIDATION_ERROR]"]),
    ("a version that YAML made a number", {"version": 1.10}, ["version: 1.1 is not a text", 'version: "1.10"', "[VALIDATION_ERROR]"]),
    ("a version that leads out of its folder", {"version": "../2.0.0"}, ["version: '../2.0.0' is not a version", "Letters, digits", "[VALIDATION_ERROR]"]),
    ("no environment", {"fraise_environment": ""}, ["fraise_environment is not set", "group_vars/all.yml", "[CONFIG_ERROR]"]),
    ("an unknown provider", {"fraise_provider": "swarm"}, ["no provider 'swarm'", "fraise_provider", "bare_metal", "[PROVIDER_CONFIG_ERROR]"]),
    ("an unknown strategy", {"fraise_strategy": "yolo"}, ["fraise_strategy: there is no 'yolo'", "rolling", "[CONFIG_ERROR]"]),
    ("an unknown type", {"fraise_type": "website"}, ["fraise_type: there is no 'website'", "api, etl, scheduled", "[CONFIG_ERROR]"]),
    ("a batch that is no width", {"rolling_batches": [1, "half"]}, ["rolling_batches[1]: 'half'", '"25%"', "[VALIDATION_ERROR]"]),
    ("no batch", {"rolling_batches": []}, ["rolling_batches is empty", '[1, "25%", "100%"]', "[VALIDATION_ERROR]"]),
    ("a budget that is no share", {"rolling_max_failed": "some"}, ["rolling_max_failed: 'some'", '"25%"', "[VALIDATION_ERROR]"]),
    ("a wait that is no number", {"wait": "soon"}, ["wait: 'soon' is not a whole number", "-e wait=", "[VALIDATION_ERROR]"]),
]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFleet]:
    """A host for each fault and a sound one, all on the stable version. ``faults`` gives single hosts other values."""
    folder = tmp_path_factory.mktemp("bad_input")
    health = [{"http": {"url": "http://127.0.0.1:{{ service_port }}/health", "json": {"version": "{{ version }}"}}}]
    fleet = LocalFleet(
        folder,
        HOSTS,
        f"sqlite:///{folder}/store.db",
        archives=f"{folder}/archives",
        sound_health=health,
        fault="{{ (faults | default({})).get(inventory_hostname, {}) }}",
        fraise_path=f"{{{{ fault.path | default('{folder}/hosts/' ~ inventory_hostname) }}}}",
        fraise_source={"archive": "{{ {'src': archives ~ '/shop-api-' ~ version ~ '.tar.gz'} | combine(fault.source | default({})) }}"},
        fraise_health="{{ fault.health | default(sound_health) }}",
        fraise_timeout="{{ fault.timeout | default(5) }}",
        rolling_batches=["100%"],
        fraise_min_healthy=0.1,
        **UNDO_LEAVES_NO_LOCK,
    )
    for version in (STABLE, NEXT):
        fleet.release(version)
    (fleet.archives / "text.tar.gz").write_bytes(b"This is a text and no archive.\n" * 100)
    with tarfile.open(fleet.archives / "hostile.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("../../../escaped")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))
    try:
        first = fleet.controller.deploy("shop_api", STABLE)
        assert first.code == 0, first.output
        yield fleet
    finally:
        fleet.stop()


def releases(fleet: LocalFleet) -> dict[str, dict[str, str]]:
    """Host to all that lies in its releases, and the link to the live one."""
    found = {}
    for host in HOSTS:
        root = fleet.folder / "hosts" / host
        found[host] = {**tree_of(root / "releases"), "current": str((root / "current").readlink())}
    return found


def said(output: str) -> str:
    """What a run printed, on one line and without Ansible's escapes."""
    return " ".join(output.replace('\\"', '"').split())


def assert_nothing_changed(fleet: LocalFleet) -> None:
    assert answers(fleet) == dict.fromkeys(HOSTS, STABLE)
    with fleet.controller.store() as store:
        lock = store.read_lock("shop_api", "test")
    assert lock is not None
    assert not lock.held


@pytest.mark.parametrize(("variables", "message"), [pytest.param(*case[1:], id=case[0]) for case in REFUSED])
def test_what_cannot_work_is_refused_before_anything_is_locked_or_written(fleet: LocalFleet, variables: dict[str, Any], message: list[str]) -> None:
    deployments, before = len(fleet.controller.history()), releases(fleet)
    wanted = {"fraise": "shop_api", "version": NEXT, **variables}
    ended = fleet.controller.run("deploy", **{name: value for name, value in wanted.items() if value is not None})
    assert ended.code != 0
    for part in message:
        assert part in said(ended.output)
    assert len(fleet.controller.history()) == deployments
    assert releases(fleet) == before
    assert_nothing_changed(fleet)


def test_a_value_that_the_shell_or_ansible_has_cut_is_refused(fleet: LocalFleet) -> None:
    deployments = len(fleet.controller.history())
    ended = fleet.controller.run("deploy", "-e", "reason=two words", fraise="shop_api", version=NEXT)
    assert ended.code != 0
    assert "a value was cut short" in said(ended.output)
    assert """-e "reason='two words'\"""" in said(ended.output)
    assert len(fleet.controller.history()) == deployments
    assert_nothing_changed(fleet)


@dataclass(frozen=True)
class Faulty:
    """One deployment in which each host but one has a fault of its own."""

    run: Run
    record: dict[str, Any]
    before: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def faulty(fleet: LocalFleet) -> Faulty:
    before = releases(fleet)
    run = fleet.controller.deploy("shop_api", NEXT, faults={host: fault for host, (fault, _code, _message) in FAULTS.items()})
    return Faulty(run, fleet.controller.latest(), before)


@pytest.mark.parametrize("host", FAULTS)
def test_a_host_that_cannot_be_staged_is_told_and_recorded_with_its_own_error(fleet: LocalFleet, faulty: Faulty, host: str) -> None:
    _fault, code, message = FAULTS[host]
    row = next(row for row in faulty.record["hosts"] if row["host"] == host)
    assert (row["state"], row["error_code"]) == ("failed", code)
    for part in message:
        assert part in row["error_message"]
        assert part in said(faulty.run.output)
    if code != "DEPLOYMENT_ERROR":
        assert f"[{code}]" in faulty.run.output
    assert releases(fleet)[host] == faulty.before[host]


def test_hosts_that_cannot_be_staged_halt_the_deployment_before_any_host_moves(fleet: LocalFleet, faulty: Faulty) -> None:
    assert faulty.run.code == 2
    assert faulty.record["status"] == "failed"
    assert faulty.record["status_reason"].startswith("9 of 10 hosts failed (")
    assert steps(faulty.record)["sound"] == ["stage ok", "inspect unchanged"]
    assert not list(fleet.folder.rglob("escaped"))
    assert_nothing_changed(fleet)


def test_a_health_check_that_never_answers_ends_at_its_deadline_and_the_hosts_go_back(fleet: LocalFleet) -> None:
    fleet.release("3.0.0", "silent")
    health = [{"http": {"url": "http://127.0.0.1:{{ service_port }}/health", "json": {"version": "{{ version }}"}, "timeout": 0.5}}]
    ended = fleet.controller.deploy("shop_api", "3.0.0", "--limit", "sound,checksum", fraise_health=health, fraise_timeout=2)
    record = fleet.controller.latest()
    assert ended.code == 2
    assert (record["status"], record["error_code"]) == ("rolled_back", "HEALTH_CHECK_FAILED")
    for row in record["hosts"]:
        assert row["state"] == "reverted"
        assert "Release 3.0.0 is not healthy" in row["error_message"]
        assert f"http://127.0.0.1:{fleet.ports[row['host']]}/health" in row["error_message"]
    assert "[HEALTH_CHECK_FAILED]" in ended.output
    assert_nothing_changed(fleet)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param(
            "postgresql://someone:s3cr3t-word@127.0.0.1:{port}/db",
            ["PostgreSQL someone@127.0.0.1:{port}/db cannot be reached", "Check that the database runs", "[DATABASE_CONNECTION_ERROR]"],
            id="a server that refuses",
        ),
        pytest.param("oracle://someone:s3cr3t-word@host/db", ["kind 'oracle'", "sqlite:////absolute/path", "[CONFIG_ERROR]"], id="an unknown kind"),
        pytest.param("store.db", ["The store's URL", "sqlite:////absolute/path", "FRAISIER_STORE_URL", "[CONFIG_ERROR]"], id="no url"),
        pytest.param("sqlite:////proc/nowhere/store.db", ["/proc/nowhere", "Let this user write there", "[DATABASE_CONNECTION_ERROR]"], id="no place to write"),
    ],
)
def test_without_a_store_nothing_is_deployed(fleet: LocalFleet, url: str, message: list[str]) -> None:
    port = str(free_ports(1)[0])
    ended = replace(fleet.controller, store_url=url.replace("{port}", port)).deploy("shop_api", NEXT)
    assert ended.code != 0
    for part in message:
        assert part.replace("{port}", port) in said(ended.output)
    assert "s3cr3t-word" not in ended.output
    assert_nothing_changed(fleet)


def test_without_the_callback_nothing_is_deployed(fleet: LocalFleet) -> None:
    ended = replace(fleet.controller, settings={"ANSIBLE_CALLBACKS_ENABLED": "fraisier.deploy.progress"}).deploy("shop_api", NEXT)
    assert ended.code != 0
    for part in ("The callback fraisier.deploy.recorder is not enabled", "callbacks_enabled = fraisier.deploy.recorder", "[CONFIG_ERROR]"):
        assert part in said(ended.output)
    assert_nothing_changed(fleet)
