# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values on their way into the store: events as lines, moments, bounds."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Event, plain
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import bounded, document, dumps, storable

NOW = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
TREE = Path(sys.modules["ansible_collections.fraisier.deploy.plugins.plugin_utils.store"].__file__ or "").parents[6]
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=12,
)


def test_importing_the_package_does_not_load_sqlalchemy() -> None:
    code = (
        "import sys; from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Event, OpenRequest, Lease; "
        "print(sorted({'sqlalchemy', 'alembic', 'psycopg', 'pymysql'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, env={"PYTHONPATH": str(TREE)})
    assert done.stdout.strip() == "[]"


@given(
    seq=st.integers(0, 2**62 - 1),
    at=st.datetimes(
        datetime(1971, 1, 2), datetime(8999, 1, 1), timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9, minutes=-30)), timezone(timedelta(hours=14))])
    ),
    host=st.none() | st.text(max_size=300),
    data=st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()), max_size=5),
)
def test_an_event_survives_the_way_through_a_line(seq: int, at: datetime, host: str | None, data: dict[str, Any]) -> None:
    event = Event("run", "callback", seq, at, "task.ok", "0195d1a2-0000-7000-8000-000000000000", host, data)
    line = event.to_json()
    assert "\n" not in line
    assert Event.from_json(line) == event
    assert Event.from_json(line.encode()) == event


@pytest.mark.parametrize("line", ["", "{", "[]", "null", "7", "{}", '{"run":"r","source":"s","seq":1,"at":"2026-01-01","type":"t"}', b"\xff\xfe"])
def test_a_line_that_a_crash_cut_short_is_no_event(line: str | bytes) -> None:
    with pytest.raises(ValidationError, match="not an event"):
        Event.from_json(line)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"run": ""}, "run"),
        ({"source": "a:b"}, "source"),
        ({"seq": -1}, "seq"),
        ({"seq": True}, "seq"),
        ({"at": datetime(2026, 1, 1)}, "time zone"),
        ({"at": datetime(9999, 12, 31, tzinfo=UTC)}, "1970"),
        ({"type": ""}, "type"),
        ({"deployment": "shop_api:production:1"}, "UUID"),
        ({"deployment": "0195D1A2-0000-7000-8000-000000000000"}, "UUID"),
    ],
)
def test_an_event_that_no_store_could_keep_is_refused_where_it_is_made(change: dict[str, Any], said: str) -> None:
    usual: dict[str, Any] = {"run": "r", "source": "callback", "seq": 1, "at": NOW, "type": "t"}
    with pytest.raises(ValidationError, match=said):
        Event(**{**usual, **change})


def test_plain_makes_moments_text_in_utc() -> None:
    summer = NOW.astimezone(timezone(timedelta(hours=2)))
    assert plain({"at": summer, 1: (NOW, {2})}) == {"at": "2026-03-29T01:30:00.123456+00:00", "1": ["2026-03-29T01:30:00.123456+00:00", [2]]}


@given(ANY_JSON)
def test_anything_becomes_strict_json_without_what_databases_refuse(value: Any) -> None:
    text = dumps(storable(value))
    text.encode("utf-8")
    json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert "\\u0000" not in text


def test_long_text_keeps_both_ends_and_counts_the_rest() -> None:
    text = "start" + "x" * 100_000 + "end"
    cut = bounded(text)
    assert len(cut) <= 4096
    assert (cut[:5], cut[-3:]) == ("start", "end")
    assert "more characters" in cut
    assert bounded("short") == "short"
    assert bounded(None) == ""
    assert len(bounded("y" * 100, 10)) == 10


def test_a_document_beyond_a_mebibyte_keeps_its_start() -> None:
    kept = document({"log": "é" * 600_000})
    assert kept["truncated_bytes"] > 1_200_000
    assert kept["start"].startswith('{"log":"éé')
    assert document({"log": "x" * 1_000_000})["log"] == "x" * 1_000_000
    assert document(None) == {}
