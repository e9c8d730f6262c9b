# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every state that changes a host refuses an older deployment before it changes anything, and remembers a newer one."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.options import ARGUMENT_SPEC
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FencedError

if TYPE_CHECKING:
    from tests.unit.plugins.module_utils.bare_metal.conftest import Host

OLD = {"token": 11, "owner": "0199-a", "owner_name": "ada@controller1 (pid 7)"}
NEW = {"token": 12, "owner": "0199-b", "owner_name": "grace@controller2 (pid 9)"}
READS_ONLY = {"inspected"}
CALLS: dict[str, dict[str, Any]] = {
    "staged": {"release": "1.2"},
    "active": {"release": "1.1"},
    "inactive": {},
    "absent": {},
    "absent, one release": {"release": "1.1"},
    "pruned": {"keep": 0},
}


def snapshot(root: Path) -> dict[str, str]:
    """Every path with its content; the files of the locks aside, which any call may open."""
    found = {}
    for folder, folders, names in os.walk(root):
        for name in folders + names:
            path = Path(folder) / name
            if path.is_symlink():
                found[str(path)] = str(path.readlink())
            elif path.is_file() and not name.endswith("lock"):
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def call(host: Host, name: str, fence: dict[str, Any]) -> dict[str, Any]:
    options = dict(CALLS[name], fence=fence)
    if name == "staged":
        options["source"] = {"archive": {"src": str(host.archive("1.2"))}}
    return host.call(name.partition(",")[0], **options)


@pytest.fixture
def two_releases(host: Host) -> Host:
    host.deploy("0.9", health=[])
    host.deploy("1.0")
    host.stage("1.1")
    return host


def seen(host: Host) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((host.root / ".fraisier/fence.json").read_text())
    return found


def test_every_state_but_the_one_that_only_reads_is_tried_here() -> None:
    states = set(ARGUMENT_SPEC["state"]["choices"])
    assert {name.partition(",")[0] for name in CALLS} == states - READS_ONLY


@pytest.mark.parametrize("name", CALLS)
def test_a_state_refuses_an_older_deployment_and_leaves_everything_as_it_is(two_releases: Host, name: str) -> None:
    two_releases.call("active", "1.0", fence=NEW)
    before = snapshot(two_releases.root)
    with pytest.raises(FencedError) as caught:
        call(two_releases, name, OLD)
    assert snapshot(two_releases.root) == before
    said = str(caught.value)
    assert "token 12 of grace@controller2 (pid 9)" in said
    assert "token 11 of ada@controller1 (pid 7)" in said
    assert caught.value.context["seen_owner_name"] == NEW["owner_name"]


@pytest.mark.parametrize("name", [name for name in CALLS if name != "absent"])
def test_a_state_remembers_a_newer_deployment(two_releases: Host, name: str) -> None:
    two_releases.call("active", "1.0", fence=OLD)
    call(two_releases, name, NEW)
    assert {key: seen(two_releases)[key] for key in NEW} == NEW


@pytest.mark.parametrize("name", CALLS)
def test_the_fence_is_looked_at_again_under_the_lock_where_a_newer_deployment_may_have_been_meanwhile(
    two_releases: Host, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.call import Call

    two_releases.call("active", "1.0", fence=OLD)
    genuine = Call.locked
    before: dict[str, str] = {}

    def newer_one_was_here(self: Call, purpose: str) -> Any:
        (two_releases.root / ".fraisier/fence.json").write_text(json.dumps({**NEW, "at": "now"}))
        before.update(snapshot(two_releases.root))
        return genuine(self, purpose)

    monkeypatch.setattr(Call, "locked", newer_one_was_here)
    with pytest.raises(FencedError):
        call(two_releases, name, OLD)
    assert snapshot(two_releases.root) == before


def test_a_build_during_which_a_newer_deployment_came_becomes_no_release(two_releases: Host) -> None:
    fence = two_releases.root / ".fraisier/fence.json"
    newer = json.dumps({**NEW, "at": "now"})
    source = {"archive": {"src": str(two_releases.archive("1.2"))}}
    with pytest.raises(FencedError):
        two_releases.call("staged", "1.2", source=source, build=f"echo '{newer}' > {fence}", fence=OLD)
    assert two_releases.releases() == ["0.9", "1.0", "1.1"]


def test_a_call_by_hand_has_no_fence_and_passes(two_releases: Host) -> None:
    two_releases.call("active", "1.0", fence=NEW)
    assert two_releases.call("active", "1.1")["changed"]
    assert seen(two_releases)["token"] == 12


def test_stopping_ends_an_activation_that_was_cut_off(host: Host) -> None:
    host.deploy("1.0")
    (host.root / ".fraisier/journal.json").write_text(json.dumps({"id": "x", "from": "0.9", "to": "1.0", "service": None, "phase": "switch", "at": "t"}))
    host.call("inactive", fence=NEW)
    assert host.call("inspected")["interrupted"] is None
