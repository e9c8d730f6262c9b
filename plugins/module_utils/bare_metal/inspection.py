# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State ``inspected``: what is on the host and how it is; reads only."""

from __future__ import annotations


def inspect(call):
    """The result with ``releases`` ([{version, digest, source, staged_at, failed_at}], newest first) and ``interrupted``.

    ``interrupted``: the journal's entry {id, from, to, service, phase, at} of an activation that was cut off or is under way, or None.
    """
    from ansible_collections.fraisier.deploy.plugins.module_utils.health import probe

    layout = call.layout
    live = layout.current_version()
    state = call.state()
    manager = call.manager(live)
    manager.validate()
    known = call.params.get("service") is not None and manager.exists()
    report = None
    if live is not None and (call.params["health"] or known):
        with call.timed("verify"):
            report = probe(call.params["health"], service=manager if known else None, version=live)
    releases = [
        {
            "version": manifest["version"],
            "digest": manifest.get("digest"),
            "source": manifest.get("source"),
            "staged_at": manifest.get("staged_at"),
            "failed_at": state.failed.get(manifest["version"]),
        }
        for manifest in layout.staged_releases()
    ]
    result = call.result(False, live, state=state, report=report, service=manager if known else None, releases=releases, interrupted=call.interrupted(state))
    now = {"current": live, "releases": [release["version"] for release in releases]}
    return call.with_diff(result, now, now)
