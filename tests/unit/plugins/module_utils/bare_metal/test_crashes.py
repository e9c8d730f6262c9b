# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A crash at any moment leaves one whole release live, and the next call ends well: the process is really ended, at every single step on the disk."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal import activation, staging
from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.state import HostState
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import HealthCheckError
from ansible_collections.fraisier.deploy.plugins.module_utils.journal import Journal

if TYPE_CHECKING:
    from tests.unit.plugins.module_utils.bare_metal.conftest import Host

CRASHED, ENDED, FAILED = 70, 0, 1
DISK_CALLS = ("chmod", "fchmod", "fsync", "ftruncate", "link", "mkdir", "open", "rename", "rmdir", "symlink", "unlink", "utime", "write")


def in_child(work: Callable[[], Any]) -> int:
    """Run ``work`` in a forked process and return how it ended."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(ENDED)
        except HealthCheckError:
            os._exit(ENDED)
        except BaseException:
            traceback.print_exc()
            os._exit(FAILED)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_at_disk_call(number: int) -> None:
    """End this process at its ``number``-th call that changes the disk; a write is torn in half."""
    count = 0

    def wrap(name: str, genuine: Callable[..., Any]) -> Callable[..., Any]:
        def call(*words: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                if name == "write":
                    genuine(words[0], bytes(words[1])[: len(words[1]) // 2])
                os._exit(CRASHED)
            return genuine(*words, **options)

        return call

    for name in DISK_CALLS:
        setattr(os, name, wrap(name, getattr(os, name)))


def crash_everywhere(work: Callable[[], Any], after: Callable[[int], None], prepare: Callable[[], None]) -> int:
    """Crash ``work`` at its first, second, ... call on the disk, look with ``after`` each time; returns how many there are."""
    number = 0
    while True:
        number += 1
        prepare()

        def doomed(at: int = number) -> None:
            die_at_disk_call(at)
            work()

        code = in_child(doomed)
        assert code in (CRASHED, ENDED), f"step {number} ended with {code}"
        after(number)
        if code == ENDED:
            return number


def test_a_crash_at_any_step_of_staging_leaves_the_release_absent_or_whole(host: Host) -> None:
    host.deploy("1.0")
    archive = host.archive("1.1", {"lib/a": "a"})

    def work() -> None:
        host.call("staged", "1.1", source={"archive": {"src": str(archive)}}, shared=["var"])

    def look(step: int) -> None:
        staged = [release["version"] for release in host.call("inspected")["releases"]]
        assert staged in (["1.0"], ["1.1", "1.0"]), step
        if "1.1" in host.releases():
            assert host.is_whole("1.1"), step
        assert host.current == "1.0"
        work()
        assert host.is_whole("1.1"), step
        assert host.leftovers() == [], step
        host.call("absent", "1.1")

    assert crash_everywhere(work, look, lambda: None) > 30


def test_a_crash_while_building_leaves_nothing_that_passes_for_a_release(host: Host) -> None:
    archive = host.archive("1.0")

    def work() -> None:
        host.call("staged", "1.0", source={"archive": {"src": str(archive)}}, build="echo done > built")

    def look(step: int) -> None:
        for release in host.call("inspected")["releases"]:
            assert host.is_whole(release["version"]), step
            assert (host.root / "releases/1.0/built").exists(), step
        work()
        assert (host.root / "releases/1.0/built").read_text() == "done\n", step
        host.call("absent", "1.0")

    assert crash_everywhere(work, look, lambda: None) > 30


def test_a_crash_at_any_step_of_activating_leaves_one_whole_release_live_and_the_true_previous_known(host: Host) -> None:
    host.deploy("0.9")
    host.deploy("1.0")
    host.stage("1.1")
    host.stage("bad")

    def prepare() -> None:
        host.call("active", "0.9", force=True)
        host.call("active", "1.0", force=True)

    def look(step: int) -> None:
        assert host.current in ("1.0", "1.1"), step
        assert host.is_whole(host.current), step
        # the next release fails: the host must go back to where it truly came from, whatever the crash had left live
        if host.call("inspected")["interrupted"] is not None:
            with pytest.raises(HealthCheckError) as caught:
                host.call("active", "bad", health=[{"exec": {"command": ["false"]}}], timeout=0.11)
            assert caught.value.result["release"]["version"] == "1.0", step
            assert host.current == "1.0", step
        result = host.call("active", "1.1")
        assert host.current == "1.1", step
        assert result["release"]["previous"] == "1.0", step
        assert host.call("inspected")["interrupted"] is None, step

    assert crash_everywhere(lambda: host.call("active", "1.1"), look, prepare) > 15


def test_a_crash_at_any_step_of_going_back_ends_on_the_release_before(host: Host) -> None:
    host.deploy("1.0", health=[])
    host.stage("bad")
    unhealthy = {"health": [{"exec": {"command": ["false"]}}], "timeout": 0.11}

    def look(step: int) -> None:
        assert host.current in ("1.0", "bad"), step
        assert host.is_whole(host.current), step
        host.call("active", "1.0")
        assert host.current == "1.0", step
        assert host.call("inspected")["interrupted"] is None, step

    assert crash_everywhere(lambda: host.call("active", "bad", **unhealthy), look, lambda: None) > 15


def test_a_crash_at_any_step_of_pruning_loses_no_release_that_is_needed(host: Host) -> None:
    def prepare() -> None:
        for version in ("0.8", "0.9", "1.0", "1.1"):
            host.stage(version)
        host.call("active", "1.0")
        host.call("active", "1.1")

    def work() -> None:
        host.call("pruned", keep=0, good=True)

    def look(step: int) -> None:
        for release in host.call("inspected")["releases"]:
            assert host.is_whole(release["version"]), step
        assert host.current == "1.1"
        work()
        assert host.releases() == ["1.0", "1.1"], step
        assert host.leftovers() == [], step

    assert crash_everywhere(work, look, prepare) > 8


def test_a_crash_at_any_step_of_removing_the_fraise_is_finished_by_the_next_call(host: Host) -> None:
    def prepare() -> None:
        host.stage("1.0", shared=["var"])
        host.call("active", "1.0")

    def look(step: int) -> None:
        for release in host.call("inspected")["releases"]:
            assert host.is_whole(release["version"]), step
        host.call("absent")
        assert sorted(path.name for path in host.root.iterdir()) == ["shared"], step

    assert crash_everywhere(lambda: host.call("absent"), look, prepare) > 15


PHASES = [(Journal, "open"), (HostState, "prepare"), (activation, "prepare_link"), (activation, "move"), (HostState, "commit"), (Journal, "close")]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("owner", "name"), PHASES, ids=[name for _owner, name in PHASES])
def test_a_crash_at_each_phase_with_a_real_service_is_made_good_by_the_next_call(
    serving: Host, owner: Any, name: str, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving.deploy("1.0")
    serving.stage("1.1")
    genuine = getattr(owner, name)

    def crash(*words: Any, **options: Any) -> None:
        if moment == "after":
            genuine(*words, **options)
        os._exit(CRASHED)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, crash)
        assert in_child(lambda: serving.call("active", "1.1")) == CRASHED
    assert serving.is_whole(serving.current or "")
    result = serving.call("active", "1.1")
    assert result["health"]["status"] == "healthy"
    assert result["release"]["version"] == "1.1"
    assert result["release"]["previous"] == "1.0"
    assert serving.call("inspected")["interrupted"] is None


def test_a_kill_in_the_middle_of_verifying_is_made_good_by_going_to_the_release_before(serving: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    serving.deploy("1.0")
    serving.stage("sick-1.1")
    with monkeypatch.context() as patch:
        patch.setattr(activation.Activation, "_verify", lambda *words: os._exit(CRASHED))
        assert in_child(lambda: serving.call("active", "sick-1.1")) == CRASHED
    assert serving.current == "sick-1.1"
    found = serving.call("inspected")
    assert (found["interrupted"]["from"], found["interrupted"]["to"]) == ("1.0", "sick-1.1")
    assert found["health"]["status"] == "unhealthy"
    back = serving.call("active", "1.0")
    assert back["changed"]
    assert back["health"]["status"] == "healthy"


def test_the_leftovers_of_a_killed_staging_are_removed_by_the_next_one(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = host.archive("1.0")
    with monkeypatch.context() as patch:
        patch.setattr(staging.Staging, "_publish", lambda *words: os._exit(CRASHED))
        assert in_child(lambda: host.call("staged", "1.0", source={"archive": {"src": str(archive)}})) == CRASHED
    assert host.leftovers()
    host.stage("1.1")
    assert host.leftovers() == []
