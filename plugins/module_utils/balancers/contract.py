# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every balancer can do, and what it says of its servers."""

from __future__ import annotations

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NotFoundError, ProviderConfigurationError, ProviderError

READY, DRAINED, MAINTENANCE = "ready", "drained", "maintenance"
UP, DOWN, UNKNOWN = "up", "down", "unknown"


class Server:
    """One server of a backend as its balancer sees it now.

    ``state``: ready (gets new requests), drained, or maintenance that is not ours (a configuration says so). ``weight``: percent of the weight that
    the configuration gives it. ``in_flight``: connections or requests under way. ``health``: up, down, or unknown when the balancer does not look.
    ``requests`` and ``errors``: counters since the balancer's start, None when it keeps none.
    """

    __slots__ = ("address", "errors", "health", "in_flight", "name", "requests", "state", "weight")

    def __init__(self, name, address, state, weight, in_flight, health, requests=None, errors=None):
        self.name = name
        self.address = address
        self.state = state
        self.weight = weight
        self.in_flight = in_flight
        self.health = health
        self.requests = requests
        self.errors = errors

    @property
    def in_service(self):
        """Whether new requests reach it."""
        return self.state == READY and self.weight > 0 and self.health != DOWN

    def to_dict(self):
        """For results."""
        return dict({name: getattr(self, name) for name in self.__slots__}, in_service=self.in_service)


class Balancer:
    """The contract. Every call ends within its time limit or raises a FraisierError; no call waits for a server.

    ``drain``, ``ready`` and ``weight`` change one server and keep the change over a reload of the balancer. What is so already stays untouched.
    Whoever calls them holds the backend's lock.
    """

    NAME = ""
    HAS_WEIGHTS = True
    SETTLE_SECONDS = 0.2

    def __init__(self, params):
        self.params = params
        self.backend = params["backend"]
        self.timeout = params["timeout"]

    def inspect(self):
        """All servers of the backend, in its order."""
        raise NotImplementedError

    def in_flight(self, server):
        """How many requests of ``server`` are under way; cheaper than a whole look."""
        return self.server(server).in_flight

    def settle_seconds(self, _server):
        """For how long in-flight must be seen as 0 before nothing more can come."""
        return self.SETTLE_SECONDS

    def make_sure(self):
        """Bring in force what an earlier call, that was cut off, had begun to change."""

    def drain(self, server):
        """No new requests for ``server``; those under way go on. Clients that are bound to it may still come."""
        raise NotImplementedError

    def seal(self, _server):
        """After a drain: nothing more for this server, not even from clients that are bound to it."""

    def look_afresh(self, _server):
        """Before a drained server is ready again: forget what was known of its health."""

    def ready(self, server):
        """New requests for ``server``."""
        raise NotImplementedError

    def weights(self, servers, percent):
        """``percent`` of their own weight for all ``servers``, in one go where the balancer can."""
        for server in servers:
            self.weight(server, percent)

    def weight(self, server, percent):
        """``percent`` (0 to 100) of the server's own weight."""
        raise ProviderConfigurationError(
            "weight: balancer {0} has no weights".format(self.NAME),
            hint="Leave the weight out, or use a balancer that has weights: haproxy, nginx.",
            context={"option": "weight", "value": percent, "server": server},
        )

    def server(self, name, servers=None):
        """The server called ``name``; NotFoundError lists those that there are."""
        servers = self.inspect() if servers is None else servers
        for server in servers:
            if server.name == name:
                return server
        raise NotFoundError(
            "server: backend {0} has no server {1!r}".format(self.backend, name),
            infrastructure=True,
            hint="It has: {0}. Set traffic_server to the name that the balancer knows.".format(", ".join(server.name for server in servers) or "none"),
            context={"option": "server", "value": name, "backend": self.backend},
        )


def garbage(what, said):
    """The error for an answer that no balancer of this kind gives."""
    shown = " ".join(said.split())[:120]
    return ProviderError(
        "{0} is not what this balancer answers: {1!r}".format(what, shown),
        infrastructure=True,
        hint="Is something else listening there? Look at the address, and at the balancer's own log.",
        context={"answer": shown},
    )
