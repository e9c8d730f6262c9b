# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring an archive to a file on this host: from a URL, from a path, or as the controller streamed it; its SHA-256 is always taken."""

from __future__ import annotations

import os
import time

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    DeploymentTimeoutError,
    NotFoundError,
    ProviderConfigurationError,
    ProviderConnectionError,
    ValidationError,
)
from ansible_collections.fraisier.deploy.plugins.module_utils.files import write_all
from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import redact_url

ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.5
SOCKET_TIMEOUT_SECONDS = 30
CHUNK = 256 * 1024
URL_SCHEMES = ("http://", "https://")


def is_url(source):
    """Whether ``source`` is a URL that this host fetches by itself."""
    return source.lower().startswith(URL_SCHEMES)


def normal_sha256(text):
    """``text`` (64 hexadecimal digits, ``sha256:`` before them allowed) in lower case; ValidationError for anything else."""
    digits = text.strip().lower()
    digits = digits[7:] if digits.startswith("sha256:") else digits
    if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise ValidationError("source.archive.sha256: {0!r} is not a SHA-256".format(text), hint="Give the 64 hexadecimal digits that sha256sum prints.")
    return digits


def file_sha256(path):
    """The SHA-256 of the file ``path``, in hexadecimal."""
    import hashlib

    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def check_sha256(name, expected, actual):
    """Raise ValidationError naming both sums when they differ; ``expected`` None passes."""
    if expected is not None and actual != expected:
        raise ValidationError(
            "Archive {0}: SHA-256 mismatch: expected {1}, got {2}".format(redact_url(name), expected, actual),
            hint="The file is not the one that was meant (built again? a proxy's error page?). Correct source.archive.sha256 or the file.",
            context={"archive": redact_url(name), "expected_sha256": expected, "actual_sha256": actual},
        )


def local_archive(source, payload=None):
    """The path of the archive on this host: ``payload`` if the controller streamed one, else ``source`` itself, which must be an absolute path."""
    path = payload or source
    if not os.path.isabs(path):
        raise ValidationError(
            "source.archive.src: {0!r} is neither a URL nor an absolute path on this host".format(source),
            hint="Give an http(s) URL or an absolute path; files of the controller are sent by the deployment, not by this module.",
        )
    if not os.path.isfile(path):
        raise NotFoundError("source.archive.src: there is no file {0} on this host".format(path), hint="Correct the path, or put the file there first.")
    return path


def download(url, path, *, headers=None, deadline, max_size, clock=time.monotonic, sleep=time.sleep):
    """Fetch ``url`` into the file ``path`` and return its SHA-256 (hexadecimal), computed on the way.

    ``deadline``: a moment of ``clock``. Trouble on the way and answers 5xx and 429 are tried three times. Raises NotFoundError (404, 410),
    ProviderConfigurationError (401, 403), ProviderConnectionError, DeploymentTimeoutError, ValidationError (more than ``max_size`` bytes).
    """
    pause = FIRST_PAUSE_SECONDS
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _fetch_once(url, path, headers or {}, deadline, max_size, clock)
        except ProviderConnectionError as error:
            if attempt == ATTEMPTS or clock() + pause >= deadline:
                error.context["attempts"] = attempt
                raise
        sleep(pause)
        pause *= 2
    raise ProviderConnectionError("{0} was never tried".format(redact_url(url)))


def _fetch_once(url, path, headers, deadline, max_size, clock):
    import http.client
    import urllib.error
    import urllib.request

    shown = redact_url(url)
    address, credentials = _without_userinfo(url)
    request = urllib.request.Request(address, headers={"User-Agent": "fraisier.deploy", "Accept": "*/*"})
    for name, value in dict(credentials, **headers).items():
        # Unredirected: a token for one server must not go to whichever server it redirects to.
        request.add_unredirected_header(name, str(value))
    try:
        with urllib.request.build_opener().open(request, timeout=max(0.1, min(SOCKET_TIMEOUT_SECONDS, deadline - clock()))) as answer:
            return _save(answer, shown, path, deadline, max_size, clock)
    except urllib.error.HTTPError as error:
        raise _answered(error, shown) from error
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _unreachable(shown, getattr(error, "reason", None) or error) from error
    except OSError as error:
        if error.errno is None or not error.filename:  # socket.timeout and TLS errors carry no file name
            raise _unreachable(shown, error) from error
        raise


def _without_userinfo(url):
    """``url`` without ``user:password@``, and the header that says the same."""
    import base64
    import urllib.parse

    parts = urllib.parse.urlsplit(url)
    if "@" not in parts.netloc:
        return url, {}
    userinfo, _at, host = parts.netloc.rpartition("@")
    token = base64.b64encode(urllib.parse.unquote(userinfo).encode("utf-8")).decode("ascii")
    return urllib.parse.urlunsplit(parts._replace(netloc=host)), {"Authorization": "Basic " + token}


def _save(answer, shown, path, deadline, max_size, clock):
    import hashlib

    digest, received = hashlib.sha256(), 0
    stated = answer.headers.get("Content-Length")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        while True:
            if clock() >= deadline:
                raise DeploymentTimeoutError(
                    "{0}: not fetched in time, {1} bytes came".format(shown, received),
                    hint="Raise timeout, or put the file nearer to the hosts.",
                    context={"url": shown, "received": received},
                    infrastructure=True,
                )
            chunk = answer.read(CHUNK)
            if not chunk:
                break
            received += len(chunk)
            if received > max_size:
                raise ValidationError("{0} is larger than {1} bytes".format(shown, max_size), hint="If it is yours, raise source.archive.max_size.")
            digest.update(chunk)
            try:
                write_all(descriptor, chunk)
            except OSError as error:
                error.filename = path
                raise
    finally:
        os.close(descriptor)
    if stated is not None and stated.isdigit() and int(stated) != received:
        raise _unreachable(shown, "it broke off after {0} of {1} bytes".format(received, stated))
    return digest.hexdigest()


def _answered(error, shown):
    """The error for an HTTP answer that is not the file."""
    context = {"url": shown, "status": error.code}
    if error.code in (404, 410):
        return NotFoundError("{0} does not exist: the server answered {1}".format(shown, error.code), hint="Is this version published?", context=context)
    if error.code in (401, 403, 407):
        return ProviderConfigurationError(
            "{0}: the server refused with {1}".format(shown, error.code), hint="Give a token by source.archive.headers.", context=context, infrastructure=True
        )
    if error.code == 429 or error.code >= 500:
        return ProviderConnectionError("{0}: the server answered {1}".format(shown, error.code), hint="Try again when it is well.", context=context)
    return ProviderConfigurationError("{0}: the server answered {1}".format(shown, error.code), hint="Look at the URL.", context=context)


def _unreachable(shown, reason):
    return ProviderConnectionError(
        "{0} cannot be fetched: {1}".format(shown, reason),
        hint="Can this host resolve and reach the server (proxy, firewall, certificate authority)?",
        context={"url": shown, "reason": str(reason)},
    )
