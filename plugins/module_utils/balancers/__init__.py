# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers behind one contract: who gets requests, how many are in flight, and whether the balancer itself sees a server as well."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ProviderConfigurationError

DRIVERS = ("haproxy", "nginx")


def open_balancer(params):
    """The Balancer that ``params`` (every option of ARGUMENT_SPEC) describe; nothing is asked yet. Each driver is imported only by who needs it."""
    driver = params["driver"]
    if driver == "haproxy":
        from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.haproxy import HAProxy

        return HAProxy(params)
    if driver == "nginx":
        from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.nginx import Nginx

        return Nginx(params)
    raise ProviderConfigurationError(
        "driver: there is no balancer {0!r}".format(driver),
        hint="One of: {0}".format(", ".join(DRIVERS)),
        context={"option": "driver", "value": driver},
    )
