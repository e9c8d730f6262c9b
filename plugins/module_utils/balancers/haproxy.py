# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy by its runtime API. After each change the state of all servers is written to the file that HAProxy reads at a reload."""

from __future__ import annotations

import os

from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.contract import DOWN, DRAINED, MAINTENANCE, READY, UNKNOWN, UP, Balancer, Server
from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.haproxy_wire import ask, expect_done, number, parse_stat, parse_states
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ProviderConfigurationError, ProviderError
from ansible_collections.fraisier.deploy.plugins.module_utils.files import disk_error, write_atomically

FORCED_MAINTENANCE, FORCED_DRAIN, NOT_OURS = 0x01, 0x08, 0x76
CHECK_CONFIGURED = 0x02
STOPPED = 0
TRACKING = "tracking server"


class HAProxy(Balancer):
    """``params["haproxy"]``: {socket, state_file}."""

    NAME = "haproxy"

    def __init__(self, params):
        super().__init__(params)
        options = params.get("haproxy") or {}
        self.socket = options.get("socket")
        self.state_file = options.get("state_file")

    def inspect(self):
        states = parse_states(self._ask("show servers state {0}".format(self.backend)), self.backend)
        stats = parse_stat(self._ask("show stat"), self.backend)
        return [self._server(name, row, stats[name]) for name, row in states.items() if name in stats]

    def _server(self, name, row, stat):
        admin, own, wanted = number(row, "srv_admin_state"), number(row, "srv_iweight"), number(row, "srv_uweight")
        state = READY
        if admin & (FORCED_MAINTENANCE | FORCED_DRAIN):
            state = DRAINED
        elif admin & NOT_OURS:
            state = MAINTENANCE
        return Server(
            name,
            stat.get("addr") or "{0}:{1}".format(row.get("srv_addr"), row.get("srv_port")),
            state,
            round(100 * wanted / own) if own else 0,
            number(stat, "scur") + number(stat, "qcur"),
            self._health(row, stat),
            number(stat, "stot"),
            number(stat, "hrsp_5xx") + number(stat, "econ") + number(stat, "eresp"),
        )

    @staticmethod
    def _health(row, stat):
        if number(row, "srv_op_state") == STOPPED:
            # a server in maintenance is not looked at, so it is not known to be down
            return UNKNOWN if stat["status"].startswith("MAINT") else DOWN
        return UP if number(row, "srv_check_state") & CHECK_CONFIGURED else UNKNOWN

    def in_flight(self, server):
        stats = parse_stat(self._ask("show stat"), self.backend)
        if server not in stats:
            return self.server(server).in_flight
        return number(stats[server], "scur") + number(stats[server], "qcur")

    def drain(self, server):
        self._set(server, "state drain")

    def seal(self, server):
        """Maintenance: clients with a cookie or in a stick table go elsewhere, too. Health checks rest until then."""
        self._set(server, "state maint")

    def look_afresh(self, server):
        """Drained, so that checks run while no requests come, and down until as many checks as its ``rise`` have passed from now on."""
        self._set(server, "state drain")
        row = parse_states(self._ask("show servers state {0}".format(self.backend)), self.backend)[server]
        if number(row, "srv_check_state") & CHECK_CONFIGURED:
            try:
                self._set(server, "health down")
            except ProviderError as error:
                if TRACKING not in error.message:
                    raise

    def ready(self, server):
        self._set(server, "state ready")

    def weight(self, server, percent):
        row = parse_states(self._ask("show servers state {0}".format(self.backend)), self.backend)[server]
        own = number(row, "srv_iweight")
        if percent and own * percent < 100:
            raise ProviderConfigurationError(
                "weight: {0} % of the weight {1} that {2} has in HAProxy's configuration is less than 1".format(percent, own, server),
                infrastructure=True,
                hint="Give the servers of backend {0} a weight of 100 there.".format(self.backend),
                context={"option": "weight", "value": percent, "server": server},
            )
        self._set(server, "weight {0}%".format(percent))

    def _set(self, server, what):
        command = "set server {0}/{1} {2}".format(self.backend, server, what)
        expect_done(self._ask(command), command)
        self.keep()

    def keep(self):
        """Write the state of all servers where HAProxy looks for it when it starts or reloads."""
        if not self.state_file:
            return
        states = self._ask("show servers state")
        parse_states(states, self.backend)
        try:
            mode = os.stat(self.state_file).st_mode & 0o777 if os.path.exists(self.state_file) else 0o644
            write_atomically(self.state_file, states.rstrip("\n").encode("utf-8") + b"\n", mode)
        except OSError as error:
            raise disk_error(error, self.state_file) from error

    def _ask(self, command):
        return ask(self.socket, command, self.timeout)
