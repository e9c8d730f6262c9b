# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""UUID version 7."""

from __future__ import annotations

import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.fraisier.deploy.plugins.plugin_utils.identifiers import uuid7


def test_it_is_a_version_7_of_the_rfc_variant() -> None:
    made = uuid.UUID(uuid7())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_it_begins_with_the_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    assert before <= uuid.UUID(uuid7()).int >> 80 <= time.time_ns() // 1_000_000 + 1


def test_later_ones_sort_after_earlier_ones_even_in_one_millisecond_and_when_the_clock_steps_back() -> None:
    now = time.time_ns() // 1_000_000 + 10_000
    made = [uuid7(now) for _ in range(5000)] + [uuid7(now - 500) for _ in range(5000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(uuid.UUID(one).version == 7 for one in made)


def test_threads_never_share_one() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [one for part in pool.map(lambda _: [uuid7() for _ in range(2000)], range(8)) for one in part]
    assert len(set(made)) == 16000


def test_a_forked_child_does_not_repeat_its_parent() -> None:
    uuid7()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, uuid7().encode())
        os._exit(0)
    os.close(writer)
    mine, theirs = uuid7(), os.read(reader, 64).decode()
    os.close(reader)
    os.waitpid(child, 0)
    assert mine != theirs
    assert mine[15:] != theirs[15:]
