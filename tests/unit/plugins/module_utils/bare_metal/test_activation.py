# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Activating a release: one call that ends on a healthy release or says why not."""

from __future__ import annotations

import json
import multiprocessing
import os
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    DeploymentLockedError,
    FencedError,
    HealthCheckError,
    NotFoundError,
    ProviderConfigurationError,
    RollbackError,
)
from ansible_collections.fraisier.deploy.plugins.module_utils.host_lock import host_lock

if TYPE_CHECKING:
    from tests.unit.plugins.module_utils.bare_metal.conftest import Host


def answer(host: Host) -> dict[str, Any]:
    with urllib.request.urlopen(host.options["health"][0]["http"]["url"], timeout=2) as reply:
        return json.load(reply)


def checked(host: Host, version: str) -> list[dict[str, Any]]:
    return [{"exec": {"command": ["grep", "-q", version, str(host.root / "current/version.txt")]}}]


def test_a_release_becomes_live_serves_and_is_then_left_in_peace(serving: Host) -> None:
    result = serving.deploy("1.0", min_healthy=0.3)
    assert result["changed"]
    assert result["health"]["status"] == "healthy"
    assert result["service"]["active"] is True
    assert answer(serving) == {"version": "1.0", "said": "1.0", "colour": None}
    pid = result["service"]["pid"]
    again = serving.call("active", "1.0")
    assert not again["changed"]
    assert again["service"]["pid"] == pid
    later = serving.deploy("1.1", diff=True)
    assert (later["release"]["version"], later["release"]["previous"]) == ("1.1", "1.0")
    assert later["diff"]["before"] == {"current": "1.0"}
    assert later["diff"]["after"] == {"current": "1.1"}
    assert answer(serving)["version"] == "1.1"


@pytest.mark.parametrize("broken", ["sick-1.1", "dies-1.1"])
def test_an_unhealthy_release_is_turned_back_by_the_same_call(serving: Host, broken: str) -> None:
    serving.deploy("1.0", min_healthy=0.2)
    serving.stage(broken)
    with pytest.raises(HealthCheckError) as caught:
        serving.call("active", broken, timeout=3)
    error = caught.value
    assert error.code == "HEALTH_CHECK_FAILED"
    assert not error.infrastructure
    assert error.result["reverted"] is True
    assert error.result["release"]["version"] == "1.0"
    assert error.result["health"]["status"] == "healthy"
    assert error.context["release"] == broken
    assert serving.current == "1.0"
    assert answer(serving)["version"] == "1.0"
    assert serving.call("inspected")["interrupted"] is None


def test_going_back_uses_the_checks_and_the_environment_of_the_release_before(serving: Host) -> None:
    url = serving.options["health"][0]["http"]["url"]
    environment = dict(serving.options["environment"])
    serving.deploy("1.0", environment={**environment, "COLOUR": "red"}, health=[{"http": {"url": url, "json": {"version": "1.0"}}}])
    serving.stage("sick-1.1")
    with pytest.raises(HealthCheckError) as caught:
        wanted = [{"http": {"url": url, "json": {"version": "sick-1.1"}}}]
        serving.call("active", "sick-1.1", timeout=2, environment={**environment, "COLOUR": "blue"}, health=wanted)
    assert caught.value.result["reverted"]
    assert answer(serving) == {"version": "1.0", "said": "1.0", "colour": "red"}


def test_a_first_release_that_is_unhealthy_leaves_nothing_live_and_nothing_running(serving: Host) -> None:
    serving.stage("sick-1.0")
    with pytest.raises(HealthCheckError) as caught:
        serving.call("active", "sick-1.0", timeout=1)
    assert caught.value.result["reverted"]
    assert caught.value.result["release"]["version"] is None
    assert serving.current is None
    assert serving.call("inspected")["service"]["active"] is False


def test_when_going_back_fails_too_the_error_is_critical_and_tells_both(host: Host) -> None:
    (host.base / "well").touch()
    host.deploy("1.0", health=[{"exec": {"command": ["test", "-e", str(host.base / "well")]}}])
    (host.base / "well").unlink()
    host.stage("1.1")
    with pytest.raises(RollbackError) as caught:
        host.call("active", "1.1", health=[{"exec": {"command": ["false"]}}], timeout=0.5)
    assert caught.value.severity == "CRITICAL"
    assert caught.value.context["failure"]["code"] == "HEALTH_CHECK_FAILED"
    assert caught.value.result["reverted"] is False
    assert host.current == "1.0"


def test_a_live_release_that_turned_sick_is_not_replaced_by_an_older_one(host: Host) -> None:
    host.deploy("1.0")
    host.deploy("1.1")
    with pytest.raises(HealthCheckError) as caught:
        host.call("active", "1.1", health=[{"exec": {"command": ["false"]}}], timeout=0.3)
    assert caught.value.result["reverted"] is False
    assert host.current == "1.1"
    assert host.call("inspected")["release"]["previous"] == "1.0"


def test_a_changed_environment_restarts_the_same_release(serving: Host) -> None:
    serving.deploy("1.0")
    assert serving.call("active", "1.0", environment={**serving.options["environment"], "COLOUR": "green"})["changed"]
    assert answer(serving)["colour"] == "green"


def test_force_restarts_what_is_well(serving: Host) -> None:
    pid = serving.deploy("1.0")["service"]["pid"]
    result = serving.call("active", "1.0", force=True)
    assert result["changed"]
    assert result["service"]["pid"] != pid


def test_another_service_takes_over_from_the_former_one(serving: Host) -> None:
    serving.deploy("1.0")
    serving.stage("1.1")
    result = serving.call("active", "1.1", service={"manager": "none"}, health=checked(serving, "1.1"))
    assert result["service"]["manager"] == "none"
    with pytest.raises(OSError):
        answer(serving)


def test_a_release_that_was_never_staged_is_refused_with_what_there_is(host: Host) -> None:
    host.stage("1.0")
    with pytest.raises(NotFoundError) as caught:
        host.call("active", "9.9")
    assert caught.value.context["staged"] == ["1.0"]
    assert host.current is None


def test_a_unit_that_does_not_exist_is_found_before_the_switch(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = host.base / "bin/systemctl"
    stand_in.parent.mkdir()
    stand_in.write_text("#!/bin/sh\necho LoadState=not-found\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stand_in.parent}:{os.environ['PATH']}")
    host.deploy("1.0")
    host.stage("1.1")
    with pytest.raises(ProviderConfigurationError, match=r"fraisier-no-such\.service does not exist") as caught:
        host.call("active", "1.1", service={"name": "fraisier-no-such.service"})
    assert caught.value.code == "PROVIDER_CONFIG_ERROR"
    assert caught.value.infrastructure
    assert host.current == "1.0"
    assert not (host.root / ".fraisier/journal.json").exists()


def test_a_current_that_is_no_link_of_ours_is_never_replaced(host: Host) -> None:
    host.stage("1.0")
    (host.root / "current").mkdir()
    with pytest.raises(ProviderConfigurationError, match="not a symbolic link"):
        host.call("active", "1.0")
    (host.root / "current").rmdir()
    (host.root / "current").symlink_to("/usr")
    with pytest.raises(ProviderConfigurationError, match="no release below"):
        host.call("active", "1.0")


def test_an_older_deployment_is_refused_and_names_both(host: Host) -> None:
    host.stage("1.0")
    host.stage("1.1")
    host.call("active", "1.1", fence={"token": 12, "owner": "b"})
    with pytest.raises(FencedError) as caught:
        host.call("active", "1.0", fence={"token": 11, "owner": "a"})
    assert caught.value.context["seen_token"] == 12
    assert host.current == "1.1"
    assert not host.call("active", "1.1", fence={"token": 12, "owner": "b"})["changed"]


def _hold(path: str, held: Any, release: Any) -> None:
    with host_lock(path, timeout=1, purpose="activating 1.0"):
        held.set()
        release.wait(10)


def test_a_lock_held_by_another_process_ends_in_an_error_that_says_by_whom(host: Host) -> None:
    host.stage("1.0")
    held, release = multiprocessing.Event(), multiprocessing.Event()
    holder = multiprocessing.Process(target=_hold, args=(str(host.root / ".fraisier/lock"), held, release))
    holder.start()
    held.wait(5)
    try:
        with pytest.raises(DeploymentLockedError, match=f"pid {holder.pid} .activating 1.0.") as caught:
            host.call("active", "1.0", lock_timeout=0.2)
    finally:
        release.set()
        holder.join()
    assert caught.value.infrastructure
    assert host.call("active", "1.0")["changed"]


def test_check_mode_plans_the_switch_and_touches_nothing(host: Host) -> None:
    host.deploy("1.0")
    plan = host.call("active", "1.1", check_mode=True, diff=True)
    assert plan["changed"]
    assert (plan["diff"]["before"], plan["diff"]["after"]) == ({"current": "1.0"}, {"current": "1.1"})
    assert plan["release"]["previous"] == "1.0"
    assert host.current == "1.0"
    assert not host.call("active", "1.0", check_mode=True)["changed"]


def test_an_unexpected_defect_while_verifying_is_turned_back_too(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal import activation

    host.deploy("1.0")
    host.stage("1.1")
    healthy = activation.Activation._verify

    def defective(self: Any, manager: Any, options: Any, version: str, seconds: float) -> Any:
        if version == "1.1":
            raise KeyError("a defect of ours")
        return healthy(self, manager, options, version, seconds)

    monkeypatch.setattr(activation.Activation, "_verify", defective)
    with pytest.raises(Exception, match="a defect of ours") as caught:
        host.call("active", "1.1")
    assert caught.value.result["reverted"]
    assert host.current == "1.0"


def test_the_live_release_activated_with_other_options_can_go_back_to_how_it_was_run(serving: Host) -> None:
    port = serving.options["environment"]["PORT"]
    serving.deploy("1.0", environment={"PORT": port, "COLOUR": "red"})
    serving.call("active", "1.0", environment={"PORT": port, "COLOUR": "blue"})
    assert answer(serving)["colour"] == "blue"
    result = serving.call("active", "1.0", as_recorded=True)
    assert result["changed"]
    assert (serving.current, answer(serving)["colour"]) == ("1.0", "red")
