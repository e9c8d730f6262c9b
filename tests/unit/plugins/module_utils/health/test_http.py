# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP checks against real servers."""

from __future__ import annotations

import base64
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fraisier.deploy.plugins.module_utils.health import probe
from ansible_collections.fraisier.deploy.plugins.module_utils.health.http import MISSING, look_up, redact_url, same


def look(url: str, *, version: str | None = None, **options):
    """The one row of an HTTP check, asked once."""
    return probe([{"http": {"url": url, "timeout": 2.0, **options}}], version=version).checks[0]


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


# --- redirects ---


def test_a_redirect_is_not_followed_unless_asked(site):
    site.answer("/new", "here")
    url = site.answer("/", status=302, headers={"Location": "/new"})
    assert look(url).message == "status 302 Found, wanted 200"
    assert look(url, follow_redirects=True, body="here").ok


def test_a_redirect_keeps_headers_on_the_same_origin_only(site, other_site):
    site.answer("/new")
    look(site.answer("/", status=307, headers={"Location": "/new"}), follow_redirects=True, headers={"X-Token": "s3cret"})
    assert site.requests[-1][2].get("X-Token") == "s3cret"
    target = other_site.answer("/landing")
    assert look(site.answer("/", status=301, headers={"Location": target}), follow_redirects=True, headers={"X-Token": "s3cret"}).ok
    assert "X-Token" not in other_site.requests[0][2]


def test_a_user_in_the_url_stays_with_its_origin(site, other_site):
    site.answer("/new")
    url = site.answer("/", status=302, headers={"Location": "/new"}).replace("http://", "http://joe:pass@")
    assert look(url, follow_redirects=True).ok
    assert "Authorization" in site.requests[-1][2]
    site.answer("/", status=302, headers={"Location": other_site.answer("/landing")})
    assert look(url, follow_redirects=True).ok
    assert "Authorization" not in other_site.requests[0][2]


def test_a_circle_of_redirects_ends(site):
    assert look(site.answer("/", status=302, headers={"Location": "/"}), follow_redirects=True).message == "more than 5 redirects"
    assert len(site.requests) == 6


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://:80/"])
def test_a_redirect_to_anything_but_http_is_refused(site, location):
    assert "not an http or https URL" in look(site.answer("/", status=302, headers={"Location": location}), follow_redirects=True).message


# --- time ---


def test_a_server_that_drips_its_answer_cannot_stretch_the_timeout(raw_server, drip):
    port = raw_server(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b"x" * 500, 0.05))
    started = time.monotonic()
    row = look(f"http://127.0.0.1:{port}/", body="y", timeout=0.6)
    assert row.message == "no whole answer within 0.6 s"
    assert time.monotonic() - started < 1.2


def test_a_server_that_drips_its_headers_cannot_either(raw_server, drip):
    port = raw_server(drip(b"HTTP/1.1 200 OK\r\nX-Filler: " + b"x" * 500, 0.05))
    started = time.monotonic()
    assert look(f"http://127.0.0.1:{port}/", timeout=0.5).message == "no whole answer within 0.5 s"
    assert time.monotonic() - started < 1.1


def test_a_server_that_never_answers_is_given_up(raw_server):
    port = raw_server(lambda connection: time.sleep(1.5))
    started = time.monotonic()
    assert look(f"http://127.0.0.1:{port}/", timeout=0.3).message == "no whole answer within 0.3 s"
    assert time.monotonic() - started < 1


def test_a_handshake_that_never_ends_is_given_up(raw_server):
    port = raw_server(lambda connection: time.sleep(1.5))
    started = time.monotonic()
    assert look(f"https://127.0.0.1:{port}/", timeout=0.4).message == "no whole answer within 0.4 s"
    assert time.monotonic() - started < 1.2


def test_an_endless_body_is_read_only_as_far_as_needed(raw_server):
    def talk(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(2000):
            connection.sendall(b"x" * 10000)

    port = raw_server(talk)
    assert look(f"http://127.0.0.1:{port}/").ok
    assert look(f"http://127.0.0.1:{port}/", body="y", timeout=5.0).message.startswith("the body lacks 'y'")


# --- rude servers ---


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "not an HTTP answer"),
        (b"", "not an HTTP answer"),
        (b"HTTP/1.1 banana\r\n\r\n", "not an HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", "the answer broke off 45 bytes before its end"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000 + b"\r\n\r\n", "not an HTTP answer"),
    ],
)
def test_what_is_not_http_is_unhealthy_and_told(raw_server, said, message):
    def talk(connection):
        connection.recv(4096)
        connection.sendall(said)

    row = look(f"http://127.0.0.1:{raw_server(talk)}/", body="never")
    assert not row.ok
    assert row.message.startswith(message)


def test_a_closed_port_is_told(closed_port):
    assert look(f"http://127.0.0.1:{closed_port}/").message == "Connection refused"


def test_a_name_that_does_not_exist_is_told():
    assert look("http://no-such-host.invalid/", timeout=5.0).message.startswith("the name no-such-host.invalid cannot be resolved")


def test_a_name_is_asked_at_each_of_its_addresses(site):
    site.answer("/")
    assert look(f"http://localhost:{site.port}/").ok


# --- TLS and sockets ---


def test_a_certificate_nobody_vouches_for_is_refused(tls_site):
    assert look(tls_site.answer("/")).message.startswith("the certificate is not trusted: self")


def test_a_trusted_certificate_must_have_the_servers_name(tls_site, certificates):
    url = tls_site.answer("/")
    assert "the certificate is not trusted" in look(url, ca_file=certificates.server_cert).message
    assert look(url, ca_file=certificates.server_cert, server_name="shop.test").ok
    assert tls_site.requests[-1][2]["Host"] == "shop.test"


def test_validation_can_be_switched_off(tls_site):
    assert look(tls_site.answer("/"), validate_certs=False).ok


def test_a_server_that_wants_a_client_certificate_gets_it(mutual_tls_site, certificates):
    options = {"ca_file": certificates.server_cert, "server_name": "shop.test"}
    url = mutual_tls_site.answer("/")
    assert not look(url, **options).ok
    assert look(url, client_cert=certificates.client_cert, client_key=certificates.client_key, **options).ok


def test_a_missing_certificate_file_is_named(tls_site):
    assert look(tls_site.answer("/"), ca_file="/no/such/ca.pem").message == "the TLS files /no/such/ca.pem cannot be used: No such file or directory"


def test_https_never_follows_a_redirect_to_http(tls_site, site):
    url = tls_site.answer("/", status=302, headers={"Location": site.answer("/")})
    assert look(url, validate_certs=False, follow_redirects=True).message.startswith("redirected from https to http")
    assert not site.requests


def test_a_unix_socket_is_asked_instead_of_the_urls_host(unix_site):
    site, path = unix_site
    site.answer("/health", {"version": "1"})
    assert look("http://shop.test/health", unix_socket=path, json={"version": 1}).ok
    assert site.requests[0][2]["Host"] == "shop.test"
    site.answer("/away", status=302, headers={"Location": "http://127.0.0.1:1/"})
    assert look("http://shop.test/away", unix_socket=path, follow_redirects=True).message.startswith("redirected away from the Unix socket")
    assert look("http://shop.test/health", unix_socket=path + ".gone").message == "No such file or directory"


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
