# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an HTTP check reaches a server: redirects, time, rude servers, TLS, Unix sockets."""

from __future__ import annotations

import time

import pytest

from tests.unit.plugins.module_utils.health.asking import look

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
