# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire between a playbook run and its recorder: JSON lines over a Unix socket for actions, over a pipe for events."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

from ansible_collections.fraisier.deploy.plugins.module_utils import errors

SOCKET_VARIABLE = "FRAISIER_RECORDER_SOCKET"
FAULT_VARIABLE = "FRAISIER_RECORDER_FAULT"
ANSWER_SECONDS = 20.0
LINE_LIMIT = 16 * 1024 * 1024


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=str)


def to_json(value: Any) -> str:
    """One value as JSON text without line breaks."""
    return _ENCODER.encode(value)


def encode(message: dict[str, Any]) -> bytes:
    """One message as one line."""
    return to_json(message).encode() + b"\n"


def to_error(data: dict[str, Any]) -> errors.FraisierError:
    """The error a recorder answered, as the exception that was raised there."""
    kinds = {kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.FraisierError)}
    kind = kinds.get(str(data.get("code")), errors.FraisierError)
    error = kind(
        str(data.get("message")),
        code=data.get("code"),
        category=data.get("category"),
        severity=data.get("severity"),
        recoverable=data.get("recoverable"),
        infrastructure=data.get("infrastructure"),
        context=data.get("context"),
        hint=str(data.get("hint") or ""),
    )
    error.id = str(data.get("id") or error.id)
    return error


def recorder_socket() -> str:
    """Path of the running recorder's socket; ConfigurationError with the remedy when the callback did not start one."""
    path = os.environ.get(SOCKET_VARIABLE, "")
    if not path and os.environ.get(FAULT_VARIABLE):
        raise errors.ConfigurationError(
            f"The recorder could not start: {os.environ[FAULT_VARIABLE]}", hint="Correct section [fraisier] of ansible.cfg, or the environment"
        )
    if not path:
        raise errors.ConfigurationError(
            "The callback fraisier.deploy.recorder is not enabled, so nothing could be locked or recorded",
            hint="Set callbacks_enabled = fraisier.deploy.recorder, fraisier.deploy.progress in section [defaults] of ansible.cfg, "
            "or ANSIBLE_CALLBACKS_ENABLED in the environment",
        )
    return path


GONE = (
    "It may have been killed. Hosts that have changed stay so: fraisier.deploy.recover asks each and finishes or undoes what was cut off; "
    "a deployment of the same version goes on with it"
)


def call(operation: str, *, timeout: float = ANSWER_SECONDS, **arguments: Any) -> dict[str, Any]:
    """Ask the recorder; return its answer. Raises the domain error that it answers, or DatabaseConnectionError when it is gone or silent."""
    path = recorder_socket()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(timeout)
            link.connect(path)
            link.sendall(encode({"op": operation, **arguments}))
            with link.makefile("rb") as stream:
                line = stream.readline(LINE_LIMIT)
    except OSError as exception:
        raise errors.DatabaseConnectionError(
            f"The recorder of this run does not answer ({operation}: {exception})",
            hint=GONE,
        ) from exception
    if not line:
        raise errors.DatabaseConnectionError(f"The recorder of this run ended while it was asked ({operation})", hint=GONE)
    answer: dict[str, Any] = json.loads(line)
    if not answer.get("ok"):
        raise to_error(answer.get("error") or {})
    return answer
