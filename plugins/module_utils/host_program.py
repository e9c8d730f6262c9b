# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a provider on a host from a request on standard input, without Ansible's module wrapper.

The controller sends one stream over one connection: a line with three lengths and the program's digest, the program (a zip of module_utils), the
request (JSON) and, optionally, an archive. The program is kept in the user's cache folder under its digest, so that Python compiles it once.
"""

from __future__ import annotations

import json
import os
import signal
import sys

ANSWER_MARK = "FRAISIER-ANSWER "
CHUNK = 1 << 20


def answer_for(request, payload):
    """The result of one request {provider, params, check_mode, diff, environment, withheld}; every failure becomes a result with ``failed``.

    ``withheld``: the controller has the archive, but sends only its sum, since check mode changes nothing.
    """
    from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError
    from ansible_collections.fraisier.deploy.plugins.module_utils.registry import called_run

    warnings = []
    os.environ.update((name, str(value)) for name, value in request.get("environment", {}).items())
    try:
        run = called_run(request["provider"])
        result = run(request["params"], check_mode=request["check_mode"], diff=request["diff"], warn=warnings.append, payload=payload)
    except FraisierError as error:
        # A provider that raises without a result had not begun to change anything.
        result = dict(error.result or {"changed": False})
        result.update({"failed": True, "msg": str(error), "error": error.to_dict()})
    except Exception as exception:  # the last line of defence: a defect of ours must reach the controller as a failure with its trace
        import traceback

        result = {"failed": True, "msg": "Unexpected error: {0}: {1}".format(type(exception).__name__, exception), "exception": traceback.format_exc()}
    if warnings:
        result["warnings"] = warnings
    return result


def receive_payload(stream, length, request):
    """Write the archive that follows the request into the release root's incoming folder; its path, or None when there is none."""
    if not length:
        return None
    folder = os.path.join(request["params"]["path"], ".fraisier", "incoming")
    os.makedirs(folder, mode=0o755, exist_ok=True)
    # not tempfile: it imports random and hashlib, and every stage would pay for that
    path = os.path.join(folder, "archive-" + os.urandom(8).hex())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as target:
            while length:
                chunk = stream.read(min(CHUNK, length))
                if not chunk:
                    raise EOFError("the connection ended before the archive was whole")
                target.write(chunk)
                length -= len(chunk)
    except BaseException:
        os.unlink(path)
        raise
    return path


def refuse(exception):
    """The result when the request could not even be taken in (a full disk, a cut connection)."""
    from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ProviderError

    error = ProviderError(
        "The host cannot take in the release: {0}".format(exception),
        category="RESOURCE",
        infrastructure=True,
        hint="Look at the free space and the rights of the fraise's path on this host",
        context={"reason": str(exception)},
    )
    return {"failed": True, "changed": False, "msg": str(error), "error": error.to_dict()}


def serve(stream, request_length, payload_length):
    """Take in one request, run it, print one answer line."""
    # The connection may end while a release is being switched: the work is finished all the same. A handler, for services would inherit SIG_IGN.
    signal.signal(signal.SIGHUP, lambda _number, _frame: None)
    payload = None
    try:
        request = json.loads(stream.read(request_length).decode("utf-8"))
        try:
            payload = "" if request.get("withheld") else receive_payload(stream, payload_length, request)
        except (EOFError, OSError) as exception:
            result = refuse(exception)
        else:
            result = answer_for(request, payload)
    finally:
        if payload and os.path.exists(payload):
            os.unlink(payload)
    sys.stdout.write("\n" + ANSWER_MARK + json.dumps(result) + "\n")
    sys.stdout.flush()
