# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import getpass
import json
import os
import socket
from pathlib import Path

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError, ValidationError
from ansible_collections.fraisier.deploy.plugins.module_utils.files import to_json, write_atomically
from ansible_collections.fraisier.deploy.plugins.plugin_utils.actions import FraisierAction
from ansible_collections.fraisier.deploy.plugins.plugin_utils.audit_reports import audit_message, audit_report
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.protocol import call
from ansible_collections.fraisier.deploy.plugins.plugin_utils.who import who

AUDIT_SECONDS = 3600.0
LARGEST_HEAD = 65536
KEY_FILE = "FRAISIER_AUDIT_KEY_FILE"


class ActionModule(FraisierAction):
    """Asks the recorder about the audit and shows the answer; fails when the chain is not whole."""

    SPEC = {
        "query": {"type": "str", "default": "verify", "choices": ["check", "checkpoint", "export", "list", "prune", "verify"]},
        "audit_file": {"type": "path"},
        "audit_key_file": {"type": "path"},
        "keep_days": {"type": "int", "default": 365},
        "limit": {"type": "int", "default": 20},
        "type": {"type": "str"},
        "fraise": {"type": "str"},
        "fraise_environment": {"type": "str"},
        "deployment": {"type": "str"},
        "host": {"type": "str"},
        "show": {"type": "bool", "default": True},
    }
    _requires_connection = False

    def speaks_first(self):
        return True

    def act(self, arguments, task_vars):
        query, check = arguments["query"], bool(self._task.check_mode)
        path = Path(arguments["audit_file"]).absolute() if arguments.get("audit_file") else None
        key_file = arguments.get("audit_key_file") or os.environ.get(KEY_FILE) or None
        asked = {
            "key_file": str(Path(key_file).expanduser().absolute()) if key_file else None,
            "keep_days": arguments["keep_days"],
            "limit": arguments["limit"],
            "environment": arguments.get("fraise_environment"),
            "head": read_head(path) if query == "check" else None,
            "by": who(task_vars, getpass.getuser(), socket.gethostname()),
            "check": check,
            **{name: arguments.get(name) for name in ("type", "fraise", "deployment", "host")},
        }
        answer = call("query", timeout=AUDIT_SECONDS, query="audit", audit=query, **asked)["answer"]
        changed = bool(answer["ok"]) and query in ("checkpoint", "prune") and bool((answer.get("checkpoint") or {}).get("made") or answer.get("would"))
        if query == "export" and answer["ok"] and path is not None:
            changed = True
            answer["file"] = str(path)
            if not check:
                write_head(path, answer["head"])
        lines = audit_report(query, answer)
        if arguments["show"]:
            self.say(*lines)
        result = {"changed": changed, "answer": answer, "lines": lines}
        return result if answer["ok"] else result | {"failed": True, "msg": audit_message(answer)}


def read_head(path):
    """The document in the file of an exported head; ValidationError when it is none."""
    context = {"option": "audit_file", "value": str(path) if path else None}
    hint = "Name a file that fraisier.deploy.audit -e audit=export wrote: -e audit_file=head.json"
    if path is None:
        raise ValidationError("audit_file: no file is named to check against", hint=hint, context=context)
    try:
        with path.open("rb") as file:
            return json.loads(file.read(LARGEST_HEAD))
    except OSError as error:
        raise ConfigurationError(f"audit_file: {path} cannot be read: {error.strerror}", hint=hint, context=context, cause=error) from error
    except ValueError as error:
        raise ValidationError(f"audit_file: {path} is not JSON", hint=hint, context=context, cause=error) from error


def write_head(path, head):
    """Write an exported head, all of it or nothing."""
    try:
        write_atomically(str(path), to_json(head))
    except OSError as error:
        message = f"audit_file: {path} cannot be written: {error.strerror}"
        hint = "Name a file in a folder where this user may write"
        raise ConfigurationError(message, hint=hint, context={"option": "audit_file", "value": str(path)}, cause=error) from error
