# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an HTTP check wants of an answer, against real servers."""

from __future__ import annotations

import base64
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fraisier.deploy.plugins.module_utils.health.http import MISSING, look_up, redact_url, same
from tests.unit.plugins.module_utils.health.asking import look


def test_a_page_that_answers_200_is_healthy(site):
    row = look(site.answer("/health", "fine"))
    assert (row.ok, row.type, row.target, row.message) == (True, "http", f"{site.url}/health", "200 OK")


def test_a_server_that_keeps_the_connection_open_is_not_waited_for(site):
    started = time.monotonic()
    assert look(site.answer("/health", "fine"), body="fine").ok
    assert time.monotonic() - started < 1
    assert site.requests[0][2]["Connection"] == "close"


@pytest.mark.parametrize(
    ("accepted", "actual", "ok"),
    [
        (200, 200, True),
        (200, 204, False),
        ([200, 204], 204, True),
        ("200-299", 226, True),
        ("200-299", 301, False),
        (["200-204", 503], 503, True),
        ("503", 503, True),
    ],
)
def test_a_status_must_be_one_of_those_accepted(site, accepted, actual, ok):
    row = look(site.answer("/", status=actual), status=accepted)
    assert row.ok is ok
    if not ok:
        assert f"status {actual}" in row.message and "wanted 2" in row.message


def test_the_body_must_contain_the_text(site):
    url = site.answer("/", "state: READY")
    assert look(url, body="READY").ok
    assert look(url, body="ready").message == "the body lacks 'ready'; it begins 'state: READY'"


def test_the_body_must_match_the_expression(site):
    url = site.answer("/", "queue=17\nworkers=3")
    assert look(url, body_regex=r"(?m)^workers=[1-9]").ok
    assert look(url, body_regex=r"workers=0").message.startswith("the body does not match 'workers=0'")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"version": "1.4.2"}, "200 OK"),
        ({"version": "1.4.2", "db.ready": True, "nodes.1.name": "b"}, "200 OK"),
        ({"build.number": "17"}, "200 OK"),
        ({"build.ratio": "1.5"}, "200 OK"),
        ({"dotted.key": 1}, "200 OK"),
        ({"db": {"ready": True}}, "200 OK"),
        ({"version": "1.4.3"}, 'JSON version is "1.4.2", wanted "1.4.3"'),
        ({"db.ready": "yes"}, 'JSON db.ready is true, wanted "yes"'),
        ({"nodes.7.name": "b"}, "JSON nodes.7.name is missing"),
        ({"version.major": 1}, "JSON version.major is missing"),
    ],
)
def test_json_values_are_found_by_dotted_path(site, wanted, message):
    body = {"version": "1.4.2", "db": {"ready": True}, "nodes": [{"name": "a"}, {"name": "b"}], "build": {"number": 17, "ratio": 1.5}, "dotted.key": 1}
    assert look(site.answer("/", body), json=wanted).message == message


def test_a_body_that_is_no_json_or_too_long_for_it_is_told(site):
    assert look(site.answer("/", "<html>"), json={"a": 1}).message == "the body is not JSON; it begins '<html>'"
    assert look(site.answer("/", b"[" + b" " * 70000 + b"]"), json={"a": 1}).message == "the body is longer than 65536 bytes: no JSON is read from it"


def test_the_expected_version_must_be_the_one_that_answers(site):
    url = site.answer("/", {"build": {"version": "1.4.2"}})
    assert look(url, version_path="build.version", version="1.4.2").ok
    assert look(url, version_path="build.version", version="1.5.0").message == 'JSON build.version is "1.4.2", wanted "1.5.0"'
    assert look(url, version_path="version", version="1.4.2").message == "JSON version is missing"


def test_without_an_expected_version_its_path_must_only_be_there(site):
    url = site.answer("/", {"version": "1.4.2"})
    assert look(url, version_path="version").ok
    assert look(url, version_path="release").message == "JSON release is missing"


def test_headers_are_sent_and_never_shown(site, raw_server):
    assert look(site.answer("/"), headers={"X-Token": "s3cret-token", "Host": "shop.test"}).ok
    assert site.requests[0][2]["X-Token"] == "s3cret-token"
    assert site.requests[0][2]["Host"] == "shop.test"
    row = look(site.answer("/echo", "you sent s3cret-token"), headers={"X-Token": "s3cret-token"}, body="welcome")
    assert row.message == "the body lacks 'welcome'; it begins 'you sent ***'"


def test_a_user_in_the_url_is_sent_as_basic_authentication_and_never_shown(site):
    url = site.answer("/", status=401).replace("http://", "http://joe:p%40ss@")
    row = look(url)
    assert site.requests[0][2]["Authorization"] == "Basic " + base64.b64encode(b"joe:p@ss").decode()
    assert "p%40ss" not in json.dumps(row.to_dict()) and "joe" not in json.dumps(row.to_dict())
    assert row.target == f"http://***@127.0.0.1:{site.port}/"


def test_secret_looking_query_parameters_are_not_shown(site):
    site.answer("/", "x")
    row = look(f"{site.url}/?deep=1&api_key=abcdef&Token=xyz", body="y")
    assert row.target == f"{site.url}/?deep=1&api_key=***&Token=***"
    assert site.requests[0][1] == "/?deep=1&api_key=abcdef&Token=xyz"


def test_headers_of_the_answer_must_have_the_wanted_values(site):
    url = site.answer("/", headers={"X-Version": "1.4.2"})
    assert look(url, response_headers={"x-version": "1.4.2"}).ok
    assert look(url, response_headers={"X-Version": "2"}).message == "header X-Version is '1.4.2', wanted '2'"
    assert look(url, response_headers={"X-Other": "2"}).message == "header X-Other is None, wanted '2'"


def test_a_path_may_be_written_as_people_write_it(site):
    site.answer("/gr%C3%B6%C3%9Fe")
    assert look(f"{site.url}/größe").ok


def test_the_method_is_used(site):
    url = site.answer("/", "body")
    assert look(url, method="HEAD").ok and look(url, method="POST").ok
    assert [request[0] for request in site.requests] == ["HEAD", "POST"]


# --- rules of comparison ---

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc.", min_size=1, max_size=3), inner, max_size=4), max_leaves=12
)


@given(DOCUMENTS)
def test_every_document_is_the_same_as_itself_after_a_journey(document):
    assert same(json.loads(json.dumps(document)), document)


@given(SCALARS)
def test_a_scalar_is_the_same_as_its_json_text(value):
    assert same(value, value if isinstance(value, str) else json.dumps(value))


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.lists(st.dictionaries(st.text("xyz", min_size=1), SCALARS), max_size=3)))
def test_every_value_of_a_document_is_found_by_its_path(document):
    for name, rows in document.items():
        for index, row in enumerate(rows):
            for key, value in row.items():
                assert look_up(document, f"{name}.{index}.{key}") == value
        assert look_up(document, f"{name}.{len(rows)}") is MISSING


@given(st.text("abc:/@?&=#. ", max_size=60), st.text("secr3t", min_size=8, max_size=20))
def test_a_password_in_a_url_is_never_shown(text, password):
    assert password not in redact_url(f"http://joe:{password}@h/ {text.replace(password, '')}".replace(f"{password}@h/ ", f"{password}@h/ "))
