# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reading ends in time, whatever the database does."""

from __future__ import annotations

import threading
import time
from typing import Any

from ansible_collections.fraisier.deploy.monitoring.export.reading import Reader
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import DatabaseConnectionError

Rows = dict[str, list[dict[str, Any]]]


def test_a_database_that_hangs_is_given_up_and_gathers_no_queue() -> None:
    release, calls = threading.Event(), []

    def hang(url: str, timeout: float) -> Rows:
        calls.append(url)
        release.wait(30)
        return {}

    reader = Reader("sqlite:////x", timeout=0.2, read=hang)
    began = time.monotonic()
    readings = [reader.read() for _ in range(3)]
    assert time.monotonic() - began < 3
    assert [reading.problem for reading in readings] == ["The store did not answer within 0.2 s"] * 3
    assert calls == ["sqlite:////x"]
    release.set()


def test_scrapes_that_come_together_share_one_reading() -> None:
    entered, release, calls = threading.Event(), threading.Event(), []

    def slow(_url: str, _timeout: float) -> Rows:
        calls.append(1)
        entered.set()
        release.wait(10)
        return {"deployments": []}

    reader = Reader("sqlite:////x", timeout=10, read=slow)
    found: list[Any] = []
    scrapes = [threading.Thread(target=lambda: found.append(reader.read())) for _ in range(4)]
    for scrape in scrapes:
        scrape.start()
    entered.wait(10)
    release.set()
    for scrape in scrapes:
        scrape.join(10)
    assert [reading.rows for reading in found] == [{"deployments": []}] * 4
    assert len(calls) <= 4


def test_each_later_scrape_reads_anew() -> None:
    answers: list[Rows] = [{"deployments": []}, {"deployments": [{"value": 1}]}]
    reader = Reader("sqlite:////x", timeout=5, read=lambda _url, _timeout: answers.pop(0))
    assert reader.read().rows == {"deployments": []}
    assert reader.read().rows == {"deployments": [{"value": 1}]}


def test_a_database_error_is_told_in_its_own_words() -> None:
    def away(_url: str, _timeout: float) -> Rows:
        raise DatabaseConnectionError("The store is away", hint="Start it")

    reading = Reader("sqlite:////x", timeout=5, read=away).read()
    assert reading.rows is None
    assert "The store is away" in str(reading.problem)
    assert "Start it" in str(reading.problem)


def test_any_other_failure_is_an_answer_too() -> None:
    def broken(_url: str, _timeout: float) -> Rows:
        raise KeyError("value")

    assert Reader("sqlite:////x", timeout=5, read=broken).read().problem == "The store could not be read: KeyError: 'value'"


def test_a_call_to_the_database_gets_half_of_the_time() -> None:
    given: list[float] = []

    def read(_url: str, timeout: float) -> Rows:
        given.append(timeout)
        return {}

    Reader("sqlite:////x", timeout=8, read=read).read()
    assert given == [4]
