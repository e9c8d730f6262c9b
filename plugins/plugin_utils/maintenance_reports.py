# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action ``store`` asks and tells when it looks after the store itself."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping
from typing import Any

from ansible_collections.fraisier.deploy.plugins.plugin_utils.reports import moment
from ansible_collections.fraisier.deploy.plugins.plugin_utils.who import who


def maintenance_request(arguments: Mapping[str, Any], variables: Mapping[str, Any], *, check: bool) -> dict[str, Any]:
    """What the recorder needs to know beyond the question."""
    by = who(variables, getpass.getuser(), socket.gethostname())
    return {"keep_days": arguments["keep_days"], "keep": arguments["keep"], "check": check, "by": by}


def prune_report(answer: Mapping[str, Any]) -> list[str]:
    """How much went, or would go."""
    would = "Would forget" if answer["check"] else "Forgot"
    moment_before = moment(answer["before"])
    return [f"{would} {len(answer['deployments'])} deployments and {answer['events']} events from before {moment_before} UTC"]


def prune_diff(answer: Mapping[str, Any]) -> dict[str, str]:
    """The deployments that go, as Ansible shows a difference."""
    return {"before": "".join(f"{name}\n" for name in answer["deployments"]), "after": "", "before_header": "deployments", "after_header": "deployments"}


def check_message(answer: Mapping[str, Any]) -> str:
    """What is wrong with the store, each with its remedy."""
    return "The store is not in order: " + "; ".join(f"{found['finding']}. {found['remedy']}" for found in answer["findings"])
