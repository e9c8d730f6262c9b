# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``health``: what can be written, for Ansible's argument_spec and for entries nested in composites alike."""

from __future__ import annotations

HTTP_OPTIONS = {
    "url": {"type": "str", "required": True},
    "method": {"type": "str", "default": "GET", "choices": ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]},
    "status": {"type": "raw", "default": [200]},
    "body": {"type": "str"},
    "body_regex": {"type": "str"},
    "json": {"type": "dict", "default": {}},
    "version_path": {"type": "str"},
    "headers": {"type": "dict", "default": {}, "no_log": True},
    "response_headers": {"type": "dict", "default": {}},
    "follow_redirects": {"type": "bool", "default": False},
    "validate_certs": {"type": "bool", "default": True},
    "ca_file": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "server_name": {"type": "str"},
    "unix_socket": {"type": "path"},
    "timeout": {"type": "float", "default": 5.0},
}
TCP_OPTIONS = {
    "host": {"type": "str", "default": "127.0.0.1"},
    "port": {"type": "int", "required": True},
    "timeout": {"type": "float", "default": 5.0},
}
EXEC_OPTIONS = {
    "command": {"type": "list", "elements": "str", "required": True},
    "chdir": {"type": "path"},
    "rc": {"type": "int", "default": 0},
    "timeout": {"type": "float", "default": 5.0},
}
SYSTEMD_OPTIONS = {
    "unit": {"type": "str", "required": True},
    "scope": {"type": "str", "default": "system", "choices": ["system", "user"]},
    "state": {"type": "str", "default": "active"},
}
QUORUM_OPTIONS = {
    "count": {"type": "int", "required": True},
    "of": {"type": "list", "elements": "dict", "required": True},
}

LEAVES = {"exec": EXEC_OPTIONS, "http": HTTP_OPTIONS, "systemd": SYSTEMD_OPTIONS, "tcp": TCP_OPTIONS}

HEALTH_OPTIONS = {
    "all": {"type": "list", "elements": "dict"},
    "any": {"type": "list", "elements": "dict"},
    "exec": {"type": "dict", "options": EXEC_OPTIONS},
    "http": {"type": "dict", "options": HTTP_OPTIONS},
    "quorum": {"type": "dict", "options": QUORUM_OPTIONS},
    "systemd": {"type": "dict", "options": SYSTEMD_OPTIONS},
    "tcp": {"type": "dict", "options": TCP_OPTIONS},
}
"""Sub-options of one entry of the option ``health`` (a list of dicts), for an argument_spec."""
