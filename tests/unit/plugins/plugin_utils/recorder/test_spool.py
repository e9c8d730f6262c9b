# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import multiprocessing

from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.spool import Claim, Spool, fingerprint, left_behind, read_lines

URL = "postgresql://deploy:one@db/store"


def test_lines_come_back_whole_and_in_order(tmp_path):
    spool = Spool(tmp_path / "spool", URL, "run1")
    assert spool.append([b"one\n", b"two\n"]) == 2
    assert spool.append([b"three\n"]) == 1
    lines, offset = read_lines(spool.path, 0, 2)
    assert lines == [b"one\n", b"two\n"]
    assert read_lines(spool.path, offset) == ([b"three\n"], spool.path.stat().st_size)


def test_a_line_that_a_crash_cut_short_is_left_out(tmp_path):
    spool = Spool(tmp_path, URL, "run1")
    spool.append([b"one\n"])
    with spool.path.open("ab") as stream:
        stream.write(b"tw")
    assert read_lines(spool.path)[0] == [b"one\n"]


def test_only_the_owner_may_read_it(tmp_path):
    spool = Spool(tmp_path / "spool", URL, "run1")
    spool.append([b"one\n"])
    assert spool.path.stat().st_mode & 0o777 == 0o600
    assert spool.folder.stat().st_mode & 0o777 == 0o700


def test_the_file_belongs_to_a_store_whatever_its_password():
    assert fingerprint(URL) == fingerprint("postgresql://deploy:two@db/store")
    assert fingerprint(URL) != fingerprint("postgresql://deploy:one@db/other")


def test_spools_of_other_stores_are_not_ours(tmp_path):
    Spool(tmp_path, URL, "run1").append([b"one\n"])
    Spool(tmp_path, "sqlite:////tmp/x.db", "run2").append([b"one\n"])
    assert [path.name.split(".")[1] for path in left_behind(tmp_path, URL)] == ["run1"]


def _claim(path, answers):
    with Claim(path) as ours:
        answers.put(ours)


def test_a_living_writer_keeps_its_spool_to_itself(tmp_path):
    spool = Spool(tmp_path, URL, "run1")
    spool.append([b"one\n"])
    answers = multiprocessing.Queue()
    for expected in (False, True):
        other = multiprocessing.Process(target=_claim, args=(spool.path, answers))
        other.start()
        assert answers.get(timeout=10) is expected
        other.join()
        spool.close()


def test_a_removed_spool_is_made_anew(tmp_path):
    spool = Spool(tmp_path, URL, "run1")
    spool.append([b"one\n"])
    spool.remove()
    assert not spool.exists()
    spool.append([b"two\n"])
    assert read_lines(spool.path)[0] == [b"two\n"]
