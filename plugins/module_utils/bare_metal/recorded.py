# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Option ``as_recorded``: run and check a release the way it was run when it was live, for the checks of another version ask for that version's answers."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.layout import Layout
from ansible_collections.fraisier.deploy.plugins.module_utils.bare_metal.state import RUN_OPTIONS, HostState


def as_recorded(params):
    """``params`` with service, environment and health of ``release`` (or of the live one) as this host recorded them; unchanged when it did not."""
    layout = Layout(params["path"])
    state, live = HostState(layout.state), layout.current_version()
    run = state.runs.get(params.get("release") or live)
    if params["state"] == "active" and params.get("release") == live and (state.former or {}).get("version") == live:
        run = state.former["run"]
    return dict(params, **{name: run[name] for name in RUN_OPTIONS if name in run}) if run else params
