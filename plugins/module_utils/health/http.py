# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask an HTTP server, once, and say in one line why its answer is not the wanted one."""

from __future__ import annotations

import json
import re
import socket

from ansible_collections.fraisier.deploy.plugins.module_utils.health.network import Deadline, DeadlineSocket, connect, connect_unix
from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import HIDDEN, redact_url, shorten

BODY_BYTES = 65536
MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
URL_CHARACTERS = "%/:=&?~#+!$,;'@()*[]"


class Unhealthy(Exception):
    """The answer is not the wanted one; the text says why."""


class HttpCheck:
    """One request and what must hold of its answer. ``options``: HTTP_OPTIONS, validated."""

    TYPE = "http"

    def __init__(self, options):
        self.options = options
        self.target = redact_url(options["url"])
        self.timeout = options["timeout"]
        self._tls = None

    def run(self, seconds, version=None):
        """(ok, message) within ``seconds``; ``version`` is what the option ``version_path`` must lead to."""
        import http.client

        deadline = Deadline(seconds)
        try:
            return True, self._ask(deadline, version)
        except Unhealthy as error:
            message = str(error)
        except (socket.timeout, TimeoutError):
            message = "no whole answer within {0:g} s".format(seconds)
        except http.client.HTTPException as error:
            message = "not an HTTP answer: {0}".format(error or type(error).__name__)
        except (OSError, ValueError) as error:
            message = describe_os_error(error)
        return False, self._hide(message)

    def _ask(self, deadline, version):
        url, headers = self.options["url"], dict(self.options["headers"])
        for _hop in range(MAX_REDIRECTS + 1):
            status, reason, answer_headers, body = self._request(url, headers, deadline)
            location = answer_headers.get("Location")
            if not self.options["follow_redirects"] or status not in REDIRECTS or not location:
                self._judge(status, reason, answer_headers, body, version)
                return "{0} {1}".format(status, reason).strip()
            url, headers = self._next(url, location, headers)
        raise Unhealthy("more than {0} redirects".format(MAX_REDIRECTS))

    def _next(self, url, location, headers):
        """Where a redirect leads; another origin gets none of our headers."""
        from urllib.parse import urljoin, urlsplit

        target = urljoin(url, location)
        old, new = urlsplit(url), urlsplit(target)
        if new.scheme not in ("http", "https") or not new.hostname:
            raise Unhealthy("redirected to {0}, which is not an http or https URL".format(redact_url(target)))
        if old.scheme == "https" and new.scheme == "http":
            raise Unhealthy("redirected from https to http ({0})".format(redact_url(target)))
        if (old.scheme, old.hostname, old.port) == (new.scheme, new.hostname, new.port):
            if old.username is not None and new.username is None:
                target = new._replace(netloc="{0}@{1}".format(old.netloc.rpartition("@")[0], new.netloc)).geturl()
            return target, headers
        if self.options["unix_socket"]:
            raise Unhealthy("redirected away from the Unix socket to {0}".format(redact_url(target)))
        return target, {}

    def _request(self, url, headers, deadline):
        """(status, reason, headers, body or None) of one request."""
        import http.client
        from urllib.parse import quote, urlsplit

        parts = urlsplit(url)
        client = http.client.HTTPConnection(parts.hostname, parts.port)
        connection = self._connect(parts, deadline)
        try:
            client.sock = DeadlineSocket(connection, deadline)
            path = quote((parts.path or "/") + ("?" + parts.query if parts.query else ""), safe=URL_CHARACTERS)
            client.request(self.options["method"], path, headers=self._headers(parts, headers))
            answer = client.getresponse()
            body = answer.read(BODY_BYTES + 1) if self._wants_body() else None
            if body is not None and len(body) <= BODY_BYTES and answer.length:
                raise Unhealthy("the answer broke off {0} bytes before its end".format(answer.length))
            return answer.status, answer.reason, answer.headers, body
        finally:
            connection.close()

    def _connect(self, parts, deadline):
        port = parts.port or (443 if parts.scheme == "https" else 80)
        path = self.options["unix_socket"]
        connection = connect_unix(path, deadline) if path else connect(parts.hostname, port, deadline)
        if parts.scheme != "https":
            return connection
        try:
            connection.settimeout(deadline.left())
            return self._context().wrap_socket(connection, server_hostname=self.options["server_name"] or parts.hostname)
        except BaseException:
            connection.close()
            raise

    def _context(self):
        """The TLS context, made once: reading the system's certificates takes longer than a request."""
        import ssl

        if self._tls is None:
            try:
                context = ssl.create_default_context(cafile=self.options["ca_file"])
                if self.options["client_cert"]:
                    context.load_cert_chain(self.options["client_cert"], self.options["client_key"])
            except (OSError, ValueError) as error:
                files = [self.options[name] for name in ("ca_file", "client_cert", "client_key") if self.options[name]]
                raise Unhealthy("the TLS files {0} cannot be used: {1}".format(", ".join(files), getattr(error, "strerror", None) or error)) from error
            if not self.options["validate_certs"]:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._tls = context
        return self._tls

    def _headers(self, parts, headers):
        sent = {"Accept": "*/*", "Connection": "close", "User-Agent": "fraisier.deploy"}
        if self.options["server_name"]:
            sent["Host"] = self.options["server_name"]
        if parts.username is not None:
            import base64
            from urllib.parse import unquote

            user = "{0}:{1}".format(unquote(parts.username), unquote(parts.password or ""))
            sent["Authorization"] = "Basic " + base64.b64encode(user.encode("utf-8")).decode("ascii")
        given = {str(name): str(value) for name, value in headers.items()}
        lowered = {name.lower() for name in given}
        given.update({name: value for name, value in sent.items() if name.lower() not in lowered})
        return given

    def _wants_body(self):
        return any(self.options[name] for name in ("body", "body_regex", "json", "version_path"))

    def _judge(self, status, reason, headers, body, version):
        """Raise Unhealthy at the first thing that does not hold."""
        ranges = self.options["status"]
        if not any(low <= status <= high for low, high in ranges):
            wanted = ", ".join("{0}".format(low) if low == high else "{0}-{1}".format(low, high) for low, high in ranges)
            raise Unhealthy("status {0} {1}, wanted {2}".format(status, reason, wanted))
        for name, wanted in self.options["response_headers"].items():
            actual = headers.get(str(name))
            if actual is None or str(wanted) != actual.strip():
                raise Unhealthy("header {0} is {1!r}, wanted {2!r}".format(name, actual, str(wanted)))
        if body is None:
            return
        text = body[:BODY_BYTES].decode("utf-8", "replace")
        if self.options["body"] and self.options["body"] not in text:
            raise Unhealthy("the body lacks {0!r}; it begins {1!r}".format(self.options["body"], shorten(text, 100)))
        if self.options["body_regex"] and not re.search(self.options["body_regex"], text):
            raise Unhealthy("the body does not match {0!r}; it begins {1!r}".format(self.options["body_regex"], shorten(text, 100)))
        expected = dict(self.options["json"])
        if self.options["version_path"] and version is not None:
            expected[self.options["version_path"]] = version
        if expected or self.options["version_path"]:
            self._judge_json(body, text, expected)

    def _judge_json(self, body, text, expected):
        if len(body) > BODY_BYTES:
            raise Unhealthy("the body is longer than {0} bytes: no JSON is read from it".format(BODY_BYTES))
        try:
            document = json.loads(text)
        except ValueError:
            raise Unhealthy("the body is not JSON; it begins {0!r}".format(shorten(text, 100))) from None
        paths = dict(expected)
        if self.options["version_path"]:
            paths.setdefault(self.options["version_path"], ANYTHING)
        for path, wanted in paths.items():
            actual = look_up(document, str(path))
            if actual is MISSING:
                raise Unhealthy("JSON {0} is missing".format(path))
            if wanted is not ANYTHING and not same(actual, wanted):
                raise Unhealthy("JSON {0} is {1}, wanted {2}".format(path, shorten(json.dumps(actual), 200), shorten(json.dumps(wanted, default=str), 200)))

    def _hide(self, message):
        for value in self.options["headers"].values():
            if len(str(value)) > 3:
                message = message.replace(str(value), HIDDEN)
        return redact_url(message)


MISSING, ANYTHING = object(), object()


def look_up(document, path):
    """What the dotted ``path`` (``build.version``, ``nodes.0.name``) leads to in ``document``; a key that itself has dots is found too."""
    if isinstance(document, dict) and path in document:
        return document[path]
    head, dot, rest = path.partition(".")
    if isinstance(document, dict) and head in document:
        value = document[head]
    elif isinstance(document, list) and head.isdigit() and int(head) < len(document):
        value = document[int(head)]
    else:
        return MISSING
    return look_up(value, rest) if dot else value


def same(actual, wanted):
    """Whether JSON ``actual`` is ``wanted``; a scalar written in YAML as text or as a number is the same (``1.4`` and ``"1.4"``)."""
    if isinstance(actual, (dict, list)) or isinstance(wanted, (dict, list)):
        return actual == wanted
    return _text(actual) == _text(wanted)


def _text(value):
    return value if isinstance(value, str) else json.dumps(value, default=str)


def describe_os_error(error):
    """``error`` of a connection in a few words."""
    reason = getattr(error, "verify_message", None)
    if reason:
        return "the certificate is not trusted: {0}".format(reason)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
