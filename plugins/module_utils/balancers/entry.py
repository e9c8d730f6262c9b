# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of module balancer, from its options to its result."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.module_utils.balancers import open_balancer
from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.changes import Change
from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.options import ARGUMENT_SPEC, check_params, with_defaults
from ansible_collections.fraisier.deploy.plugins.module_utils.files import disk_error

__all__ = ["ARGUMENT_SPEC", "run"]


def run(params, *, check_mode=False, diff=False, warn=lambda text: None, payload=None):
    """Bring one server of a balancer's backend to ``params["state"]`` and return the result.

    ``params``: every option of ARGUMENT_SPEC. ``check_mode``: look, change nothing. ``diff``: add ``diff``. ``warn``: takes one line. ``payload`` is for
    providers and never given. The result: {changed, driver, backend, server (dict or None), servers (list of dicts), available, ended (drained, limit,
    ready or None), in_flight, timings {wait, drain, ready}}. Raises FraisierError.
    """
    params = with_defaults(params)
    check_params(params)
    try:
        return Change(open_balancer(params), params, check_mode, diff, warn).run()
    except OSError as error:
        raise disk_error(error, params["path"]) from error
