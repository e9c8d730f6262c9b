# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch after the last batch: every host is looked at again and again, and a release that does not hold is undone. Loaded when there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import HealthCheckError

if TYPE_CHECKING:
    from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.opening import OpenDeployment


def begin_watch(current: OpenDeployment) -> bool:
    """Whether there is anything to watch: a deployment that changed no host is over at once."""
    return any(entry.state == "active" and (entry.changed or entry.resumed) for entry in current.progress.hosts.values())


def take_look(current: OpenDeployment, request: Mapping[str, Any]) -> None:
    """A host was asked which version answers, and how well. So many bad answers in a row halt the deployment; no answer says nothing about a release."""
    watch, host, progress = current.plan.get("watch"), str(request["host"]), current.progress
    entry = progress.hosts.get(host)
    if not watch or entry is None or entry.state != "active" or request["outcome"] not in ("ok", "unchanged"):
        return
    health, release = request.get("health") or {}, request.get("release") or {}
    serving = release.get("version")
    if serving == current.version and health.get("status") != "unhealthy":
        current.bad_looks.pop(host, None)
        return
    current.bad_looks[host] = current.bad_looks.get(host, 0) + 1
    if current.bad_looks[host] < int(watch["failures"]):
        return
    what = f"it serves {serving or 'nothing'}" if serving != current.version else str(health.get("message") or "unhealthy")
    looks = "a look" if watch["failures"] == 1 else f"{watch['failures']} looks in a row"
    message = f"{current.version} did not hold on {host} while it was watched: {what} ({looks})"
    progress.did_not_hold(host, message, HealthCheckError(message, context={"health": dict(health)}).to_dict())
