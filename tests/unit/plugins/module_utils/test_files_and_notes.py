# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small promises of the files below the provider: fence, journal, lock and atomic writes."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils import files
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DeploymentLockedError, FencedError, ProviderError
from ansible_collections.fraisier.deploy.plugins.module_utils.fence import check_fence, pass_fence
from ansible_collections.fraisier.deploy.plugins.module_utils.host_lock import host_lock
from ansible_collections.fraisier.deploy.plugins.module_utils.journal import Journal


def test_a_fence_lets_equal_and_newer_tokens_pass_and_no_older_one(tmp_path: Path) -> None:
    path = str(tmp_path / "fence.json")
    for token in (5, 5, 9):
        pass_fence(path, {"token": token, "owner": f"owner {token}"})
    with pytest.raises(FencedError, match="token 9 of owner 9") as caught:
        pass_fence(path, {"token": 8, "owner": "late"})
    assert caught.value.infrastructure
    with pytest.raises(FencedError):
        check_fence(path, {"token": 9, "owner": "another with the same token"})
    check_fence(path, None)
    check_fence(path, {"token": 9, "owner": None})


def test_a_damaged_note_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "fence.json"
    for text in ("{", "[1]"):
        path.write_text(text)
        with pytest.raises(ProviderError, match=r"fence\.json is damaged") as caught:
            check_fence(str(path), {"token": 1})
        assert caught.value.infrastructure


def test_a_journal_is_open_until_it_is_closed(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "journal.json"))
    assert journal.read() is None
    entry = journal.open("1.0", "1.1", {"name": "shop"})
    journal.mark(entry, "revert")
    found = journal.read()
    assert found is not None
    assert (found["from"], found["to"], found["phase"], found["id"]) == ("1.0", "1.1", "revert", entry["id"])
    journal.close()
    journal.close()
    assert journal.read() is None


def test_a_lock_waits_for_its_holder_only_so_long(tmp_path: Path) -> None:
    path, now, pauses = str(tmp_path / "lock"), [0.0], []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    second = host_lock(path, timeout=0.2, purpose="second", clock=lambda: now[0], sleep=sleep)
    with host_lock(path, timeout=1, purpose="first"), pytest.raises(DeploymentLockedError, match="first"):
        second.__enter__()
    assert 0.2 <= sum(pauses) < 0.3
    with host_lock(path, timeout=0, purpose="third"):
        pass


def test_a_lock_file_that_its_holder_removed_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"

    def remove_and_wait(_seconds: float) -> None:
        path.unlink(missing_ok=True)

    with host_lock(str(path), timeout=1, purpose="removing all"), host_lock(str(path), timeout=5, purpose="next", sleep=remove_and_wait):
        assert path.exists()
        assert "next" in path.read_text()


def test_an_atomic_write_leaves_the_old_content_when_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "note"
    files.write_atomically(str(path), b"old")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def full(*_words: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError):
            files.write_atomically(str(path), b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["note"]


@pytest.mark.parametrize(
    ("number", "category", "code"),
    [(errno.ENOSPC, "RESOURCE", "PROVIDER_ERROR"), (errno.EDQUOT, "RESOURCE", "PROVIDER_ERROR"), (errno.EACCES, "VALIDATION", "PROVIDER_CONFIG_ERROR")],
)
def test_errors_of_the_disk_are_of_the_infrastructure_and_name_the_place(number: int, category: str, code: str) -> None:
    error = files.disk_error(OSError(number, os.strerror(number), "/srv/shop"), "/srv")
    assert (error.category, error.code, error.infrastructure) == (category, code, True)
    assert "/srv/shop" in error.message
    assert error.hint


def test_a_tree_with_folders_that_cannot_be_written_is_removed_all_the_same(tmp_path: Path) -> None:
    deep = tmp_path / "tree/locked/deep"
    deep.mkdir(parents=True)
    (deep / "file").write_text("")
    (tmp_path / "tree/link").symlink_to(tmp_path)
    for folder in (deep, deep.parent):
        folder.chmod(0o500)
    files.remove_tree(str(tmp_path / "tree"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [3, files.FEW_FILES + 10])
def test_few_and_many_files_are_made_durable(tmp_path: Path, count: int) -> None:
    for number in range(count):
        (tmp_path / str(number)).write_text("x")
    (tmp_path / "dangling").symlink_to("nowhere")
    files.sync_tree(str(tmp_path))


def test_times_are_utc_with_microseconds() -> None:
    assert len(files.utc_now()) == len("2026-01-31T08:00:00.000001Z")
    assert files.utc_now() < files.utc_now()
