# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One step of a release, with a real call to the provider on this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.fraisier.deploy.plugins.action.release import ActionModule
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import LeaseLostError
from ansible_collections.fraisier.deploy.plugins.plugin_utils import release_step
from tests.testbed.application import build_release
from tests.unit.plugins.action.acting import Recorder, act

STEP_ID = "0199"


@pytest.fixture
def deployment(listening: Recorder) -> Recorder:
    """A recorder with an open deployment."""
    listening.answers["intent"] = [{"step_id": STEP_ID, "fence": {"token": 7, "owner": "me"}}]
    return listening


def step(name: str, options: dict[str, Any], *, check: bool = False, variables: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return act(ActionModule, {"step": name, "provider": "bare_metal", "options": options, **more}, check=check, variables=variables)


def source(archive: Path) -> dict[str, Any]:
    return {"archive": {"src": str(archive)}}


def outcome(listening: Recorder) -> dict[str, Any]:
    (found,) = listening.of("outcome")
    return found


def test_a_step_tells_what_it_will_do_and_what_came_of_it(deployment: Recorder, tmp_path: Path) -> None:
    built = build_release(tmp_path / "archives", "1.0.0")
    result = step("stage", {"release": "1.0.0", "path": str(tmp_path / "shop"), "source": source(built.path), "group": None})
    assert not result.get("failed"), result
    assert (result["changed"], result["step"], result["check_mode"]) == (True, "stage", False)
    assert (tmp_path / "shop" / "releases" / "1.0.0" / "VERSION").read_text() == "1.0.0\n"
    assert [request["op"] for request in deployment.asked] == ["intent", "outcome"]
    assert deployment.of("intent") == [{"host": "web1", "step": "stage", "version": "1.0.0", "attempt": 1}]
    told = outcome(deployment)
    assert {key: told[key] for key in ("step_id", "host", "step", "outcome", "changed", "error")} == {
        "step_id": STEP_ID,
        "host": "web1",
        "step": "stage",
        "outcome": "ok",
        "changed": True,
        "error": None,
    }
    assert told["release"]["digest"] == f"sha256:{built.sha256}"


def test_the_sum_of_an_archive_on_the_controller_is_checked_on_the_host_though_nobody_gave_it(deployment: Recorder, tmp_path: Path) -> None:
    built = build_release(tmp_path / "archives", "1.0.0")
    assert hashlib.sha256(built.path.read_bytes()).hexdigest() == built.sha256
    options = {"release": "1.0.0", "path": str(tmp_path / "shop"), "source": source(built.path)}
    step("stage", options)
    assert options["source"] == source(built.path), "what the task gave is not changed"
    assert outcome(deployment)["release"]["digest"] == f"sha256:{built.sha256}"


def test_a_second_time_is_unchanged(deployment: Recorder, tmp_path: Path) -> None:
    options = {"release": "1.0.0", "path": str(tmp_path / "shop"), "source": source(build_release(tmp_path, "1.0.0").path)}
    step("stage", options)
    deployment.asked.clear()
    assert step("stage", options)["changed"] is False
    assert (outcome(deployment)["outcome"], outcome(deployment)["changed"]) == ("unchanged", False)


def test_a_release_that_the_host_has_needs_no_archive_and_is_told_by_its_own_digest(deployment: Recorder, tmp_path: Path) -> None:
    root = str(tmp_path / "shop")
    old, live = build_release(tmp_path, "1.0.0"), build_release(tmp_path, "2.0.0")
    for built in (old, live):
        step("stage", {"release": built.version, "path": root, "source": source(built.path)})
    step("activate", {"release": "2.0.0", "path": root, "min_healthy": 0.0})
    old.path.unlink()
    deployment.asked.clear()
    assert step("stage", {"release": "1.0.0", "path": root, "source": source(old.path)})["changed"] is False
    told = outcome(deployment)["release"]
    assert (told["version"], told["digest"]) == ("1.0.0", f"sha256:{old.sha256}")
    assert (told["current"], told["current_digest"]) == ("2.0.0", f"sha256:{live.sha256}")


def test_check_mode_changes_nothing_and_says_that_it_only_looked(deployment: Recorder, tmp_path: Path) -> None:
    options = {"release": "1.0.0", "path": str(tmp_path / "shop"), "source": source(build_release(tmp_path, "1.0.0").path)}
    result = step("stage", options, check=True)
    assert (result["changed"], result["check_mode"]) == (True, True)
    assert not (tmp_path / "shop").exists()


def test_the_token_of_the_deployment_travels_with_what_changes_a_host(deployment: Recorder, tmp_path: Path) -> None:
    root = tmp_path / "shop"
    step("stage", {"release": "1.0.0", "path": str(root), "source": source(build_release(tmp_path, "1.0.0").path)})
    step("activate", {"release": "1.0.0", "path": str(root), "min_healthy": 0.0})
    assert '"token": 7' in (root / ".fraisier" / "fence.json").read_text().replace('"token":7', '"token": 7')
    deployment.answers["intent"] = [{"step_id": STEP_ID, "fence": {"token": 6, "owner": "another"}}]
    refused = step("revert", {"release": "1.0.0", "path": str(root)})
    assert refused["error"]["code"] == "FENCED"
    assert refused["msg"].endswith(" [FENCED]")
    assert not step("inspect", {"path": str(root)}).get("failed"), "who only looks needs no token"


def test_a_revert_to_nothing_stops_the_service(deployment: Recorder, tmp_path: Path) -> None:
    root = tmp_path / "shop"
    step("stage", {"release": "1.0.0", "path": str(root), "source": source(build_release(tmp_path, "1.0.0").path)})
    step("activate", {"release": "1.0.0", "path": str(root), "min_healthy": 0.0})
    assert not step("revert", {"release": None, "path": str(root)}).get("failed")


def test_outside_a_deployment_the_provider_is_called_just_so(listening: Recorder, tmp_path: Path) -> None:
    listening.answers["intent"] = [{"step_id": None, "fence": None}]
    assert not step("inspect", {"path": str(tmp_path / "shop")}).get("failed")


def test_a_lost_lease_ends_the_step_before_the_host_is_called(listening: Recorder, tmp_path: Path) -> None:
    listening.answers["intent"] = [LeaseLostError("Another has the lock", hint="Deploy again")]
    result = step("activate", {"release": "1.0.0", "path": str(tmp_path / "shop")})
    assert result["msg"] == "Another has the lock. Deploy again [LEASE_LOST]"
    assert listening.of("outcome") == []
    assert not (tmp_path / "shop").exists()


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"source": {"archive": {"src": "/nowhere/shop.tar.gz"}}}, "NOT_FOUND", "fraise_source.archive.src: /nowhere/shop.tar.gz is not on the controller"),
        ({"source": {"archive": {"src": "/"}}}, "NOT_FOUND", "is not a file"),
        ({"source": {"archive": {}}}, "VALIDATION_ERROR", "src"),
        ({"colour": "red"}, "VALIDATION_ERROR", "colour"),
        ({"path": "shop"}, "VALIDATION_ERROR", "path: 'shop'"),
    ],
)
def test_options_that_cannot_work_are_the_outcome_of_the_step(deployment: Recorder, tmp_path: Path, change: dict[str, Any], code: str, message: str) -> None:
    options = {"release": "1.0.0", "path": str(tmp_path / "shop"), "source": source(build_release(tmp_path, "1.0.0").path)}
    result = step("stage", {**options, **change})
    assert result["failed"]
    assert result["msg"].endswith(f"[{code}]")
    told = outcome(deployment)
    assert (told["outcome"], told["changed"], told["error"]["code"]) == ("failed", False, code)
    assert message in told["error"]["message"]


def test_an_unknown_provider_is_the_outcome_of_the_step(deployment: Recorder) -> None:
    result = act(ActionModule, {"step": "inspect", "provider": "swarm", "options": {"path": "/srv/shop"}})
    assert result["error"]["code"] == "PROVIDER_CONFIG_ERROR"
    assert outcome(deployment)["outcome"] == "failed"


def test_secrets_are_taken_out_of_what_is_told(deployment: Recorder, tmp_path: Path) -> None:
    missing = tmp_path / "s3cr3t-word.tar.gz"
    step("stage", {"release": "1.0.0", "path": str(tmp_path), "source": source(missing)}, variables={"registry_password": "s3cr3t-word"})
    assert "s3cr3t-word" not in str(outcome(deployment))


class Doors:
    """Stands in for the door to the host: raises what ``failures`` has, in order, then answers."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)

    def __call__(self, _action: object, _variables: object) -> Doors:
        return self

    def call(self, *_arguments: object) -> dict[str, Any]:
        if self.failures:
            raise self.failures.pop(0)
        return {"changed": False, "release": {"version": "1.0.0"}}


def test_an_unreachable_host_is_told_and_stays_unreachable_for_ansible(deployment: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release_step, "HostCall", Doors(AnsibleConnectionFailure("no route to host")))
    with pytest.raises(AnsibleConnectionFailure):
        step("inspect", {"path": "/srv/shop"})
    told = outcome(deployment)
    assert (told["outcome"], told["error"]["code"], told["error"]["infrastructure"]) == ("unreachable", "PROVIDER_CONNECTION_ERROR", True)


def test_a_host_that_comes_back_in_time_is_asked_again(deployment: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release_step, "HostCall", Doors(AnsibleConnectionFailure("rebooting"), AnsibleConnectionFailure("rebooting")))
    monkeypatch.setattr(release_step, "RECONNECT_PAUSE_SECONDS", 0.01)
    assert not step("revert", {"release": "1.0.0", "path": "/srv/shop"}, reconnect=5).get("failed")
    assert outcome(deployment)["outcome"] == "unchanged"


@pytest.mark.parametrize("failure", [AnsibleError("the shell is odd"), ValueError("half an answer")])
def test_after_a_failure_of_ours_nobody_knows_what_the_host_did(deployment: Recorder, monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    monkeypatch.setattr(release_step, "HostCall", Doors(failure))
    with pytest.raises(type(failure)):
        step("activate", {"release": "1.0.0", "path": "/srv/shop"})
    told = outcome(deployment)
    assert (told["outcome"], told.get("changed")) == ("failed", None)
    assert str(failure) in told["error"]["message"]
