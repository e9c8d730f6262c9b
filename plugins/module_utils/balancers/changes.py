# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be done to a backend, whatever balancer it is: under its lock, behind its fence, and never below ``min_available``."""

from __future__ import annotations

import contextlib
import os
import time

from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.contract import DOWN, DRAINED, MAINTENANCE, READY, UNKNOWN
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    HealthCheckError,
    ProviderConfigurationError,
    ProviderUnavailableError,
)
from ansible_collections.fraisier.deploy.plugins.module_utils.fence import check_fence, pass_fence
from ansible_collections.fraisier.deploy.plugins.module_utils.files import make_folder, read_json, to_json, utc_now, write_atomically
from ansible_collections.fraisier.deploy.plugins.module_utils.host_lock import host_lock

LOOK_SECONDS = 0.1
WAIT_SECONDS = 0.5


class Change:
    """One call: ``run`` returns the result. ``clock`` and ``sleep`` are arguments for tests."""

    def __init__(self, balancer, params, check_mode, diff, warn, clock=time.monotonic, sleep=time.sleep):
        self.balancer = balancer
        self.params = params
        self.name = params.get("server")
        self.check_mode = check_mode
        self.diff = diff
        self.warn = warn
        self.clock = clock
        self.sleep = sleep
        self.before = None
        self.timings = {"wait": 0.0, "drain": 0.0, "ready": 0.0}
        base = os.path.join(params["path"], "{0}-{1}".format(params["driver"], params["backend"]))
        self.fence, self.lock, self.notes = base + ".fence.json", base + ".lock", base + ".drained.json"

    def run(self):
        state = self.params["state"]
        if state == "inspected":
            return self._result(False, None, self.balancer.inspect())
        if not self.check_mode:
            make_folder(self.params["path"], 0o700)
        check_fence(self.fence, self.params["fence"])
        return {"drained": self._drained, "ready": self._ready, "weighted": self._weighted}[state]()

    @contextlib.contextmanager
    def _locked(self):
        """The backend is ours, and no newer deployment has been here."""
        purpose = "{0} {1}".format(self.params["state"], self.name)
        with host_lock(self.lock, timeout=self.params["lock_timeout"], purpose=purpose):
            pass_fence(self.fence, self.params["fence"])
            self.balancer.make_sure()
            yield

    def _look(self):
        """(this server, all servers) now; the first look is what a diff compares with."""
        servers = self.balancer.inspect()
        server = self.balancer.server(self.name, servers)
        if self.before is None:
            self.before = [other.to_dict() for other in servers]
        return server, servers

    def _notes(self):
        """{server: since when} of those that we have taken out of service."""
        return dict(read_json(self.notes) or {})

    def _note(self, drained):
        """Remember, before it happens, that the server is out by our hand; or that it is back."""
        notes = self._notes()
        if (self.name in notes) != drained:
            if drained:
                notes[self.name] = utc_now()
            else:
                del notes[self.name]
            write_atomically(self.notes, to_json(notes))

    # -- drained ------------------------------------------------------------------------------------------------------------------------------

    def _drained(self):
        if self.check_mode:
            server, servers = self._look()
            self._refuse_for_good(server, servers)
            return self._result(server.state == READY, None, servers, state=DRAINED)
        changed = self._close_the_door()
        ended, in_flight = self._until_empty()
        with self._locked():
            if self._look()[0].state == DRAINED:  # nobody has put it back meanwhile, and it is not kept out by a configuration
                self.balancer.seal(self.name)
        return self._result(changed, ended, self.balancer.inspect(), in_flight=in_flight)

    def _close_the_door(self):
        """No new requests as soon as enough others serve; whether anything had to be changed. The lock is free while it waits, for others to come back."""
        started = self.clock()
        while True:
            with self._locked():
                server, servers = self._look()
                if server.state != READY:
                    return False
                self._refuse_for_good(server, servers)
                if not server.in_service or len(others_in_service(server, servers)) >= self.params["min_available"]:
                    self._note(drained=True)
                    self.balancer.drain(self.name)
                    self.timings["wait"] = self.clock() - started
                    return True
            if self.clock() - started >= self.params["limit"]:
                raise self._too_few(server, servers)
            self.sleep(WAIT_SECONDS)

    def _refuse_for_good(self, server, servers):
        """Refuse at once what no waiting helps."""
        least = self.params["min_available"]
        if server.in_service and len(servers) - 1 < least:
            raise ProviderConfigurationError(
                "min_available: backend {0} has {1} in all, so without {2} it cannot keep {3} in service".format(
                    self.balancer.backend, _counted(len(servers)), server.name, least
                ),
                infrastructure=True,
                hint="Add servers to the backend, or lower traffic_min_available (0 accepts that nobody serves meanwhile). Nothing was changed.",
                context={"option": "min_available", "value": least, "servers": [other.name for other in servers]},
            )

    def _too_few(self, server, servers):
        left = others_in_service(server, servers)
        out = [other.name for other in servers if other is not server and not other.in_service]
        return ProviderUnavailableError(
            "{0} was not drained: without it backend {1} would have {2} in service{3}, fewer than min_available {4}, and so for {5:g} s".format(
                server.name,
                self.balancer.backend,
                _counted(len(left)),
                " ({0})".format(", ".join(left)) if left else "",
                self.params["min_available"],
                self.params["limit"],
            ),
            hint="Not in service: {0}. Bring them back, or take narrower batches or a lower traffic_min_available. Nothing was changed.".format(
                ", ".join(out) or "none"
            ),
            context={"server": server.name, "in_service": left, "not_in_service": out, "min_available": self.params["min_available"]},
        )

    def _until_empty(self):
        """Wait until nothing is in flight, and nothing more can come; (drained or limit, how many were left)."""
        started, empty_since = self.clock(), None
        while True:
            now = self.clock()
            in_flight = self.balancer.in_flight(self.name)
            if in_flight:
                empty_since = None
            elif empty_since is None:
                empty_since = now
            if empty_since is not None and now - empty_since >= self.balancer.settle_seconds(self.name):
                ended = "drained"
                break
            if now - started >= self.params["limit"] and (in_flight or now - started >= self.params["limit"] + 2 * WAIT_SECONDS):
                ended = "limit"
                break
            self.sleep(LOOK_SECONDS)
        self.timings["drain"] = self.clock() - started
        if ended == "limit":
            self.warn("{0} still had {1} in flight after {2:g} s".format(self.name, in_flight, self.params["limit"]))
        return ended, in_flight

    # -- ready --------------------------------------------------------------------------------------------------------------------------------

    def _ready(self):
        server, servers = self._look()
        if self.check_mode:
            return self._result(server.state != READY, None, servers, state=READY)
        started = self.clock()
        deadline = started + self.params["ready_timeout"]
        with self._locked():
            server, servers = self._look()
            changed = server.state != READY
            if not changed and self.params["only_ours"]:
                return self._result(False, "ready", servers)
            if changed and self.params["only_ours"] and self.name not in self._notes():
                self.warn("{0} was taken out of service by somebody else, and stays out".format(self.name))
                return self._result(False, "left out", servers)
            self._refuse_maintenance(server)
            if changed:
                self.balancer.look_afresh(self.name)
        self._until_well(deadline, changed)
        if changed:
            with self._locked():
                self.balancer.ready(self.name)
                self._note(drained=False)
            self._until_well(deadline, False)
        self.timings["ready"] = self.clock() - started
        return self._result(changed, "ready", self.balancer.inspect())

    def _refuse_maintenance(self, server):
        if server.state == MAINTENANCE:
            raise ProviderConfigurationError(
                "{0} is in maintenance by the balancer's own configuration".format(server.name),
                infrastructure=True,
                hint="Take it out of maintenance there.",
                context={"server": server.name},
            )

    def _until_well(self, deadline, seal_again):
        """Wait until the balancer itself says that the server is up; one that it does not look at counts as up."""
        while True:
            server = self.balancer.server(self.name)
            if server.health != DOWN:
                if server.health == UNKNOWN:
                    self.warn("the balancer does not look at the health of {0}: its state is taken as it is".format(self.name))
                return
            if self.clock() >= deadline:
                break
            self.sleep(LOOK_SECONDS)
        if seal_again:
            with self._locked():
                self.balancer.seal(self.name)
        raise HealthCheckError(
            "The balancer still says that {0} ({1}) is down after {2:g} s".format(self.name, server.address, self.params["ready_timeout"]),
            hint="It {0}. Look at the balancer's own check, and at the way from it to the server.".format(
                "stays out of service" if seal_again else "gets no requests"
            ),
            context={"server": self.name, "address": server.address, "state": server.state},
        )

    # -- weighted -----------------------------------------------------------------------------------------------------------------------------

    def _weighted(self):
        weight, names = self.params["weight"], self.params["servers"] or [self.name]
        if not self.balancer.HAS_WEIGHTS:
            self.balancer.weight(names[0], weight)  # refuses
        self.name = names[0]
        _server, servers = self._look()
        if self.check_mode:
            others = [name for name in names if self.balancer.server(name, servers).weight != weight]
            return self._result(bool(others), None, servers, weight=weight)
        with self._locked():
            _server, servers = self._look()
            mine = [self.balancer.server(name, servers) for name in names]
            changed = [server.name for server in mine if server.weight != weight]
            if changed and not weight:
                self._refuse_to_empty(mine, servers)
            if changed:
                self.balancer.weights(changed, weight)
        return self._result(bool(changed), None, self.balancer.inspect())

    def _refuse_to_empty(self, mine, servers):
        """A weight of 0 takes a server out of service: enough others must be in it."""
        leaving = {server.name for server in mine}
        left = [other for other in servers if other.in_service and other.name not in leaving]
        serving = next((server for server in mine if server.in_service), None)
        if serving is not None and len(left) < self.params["min_available"]:
            raise self._too_few(serving, [serving, *(other for other in servers if other.name not in leaving)])

    # -- the result ---------------------------------------------------------------------------------------------------------------------------

    def _result(self, changed, ended, servers, in_flight=None, **foreseen):
        """The result; ``foreseen`` lays values of check mode over this server's."""
        told = [server.to_dict() for server in servers]
        mine = next((server for server in told if server["name"] == self.name), None)
        if mine is not None and changed:
            mine.update(foreseen)
        result = {
            "changed": changed,
            "driver": self.balancer.NAME,
            "backend": self.balancer.backend,
            "server": mine,
            "servers": told,
            "available": sum(server.in_service for server in servers),
            "ended": ended,
            "in_flight": in_flight,
            "timings": {name: round(seconds, 6) for name, seconds in self.timings.items()},
        }
        if self.diff and self.before is not None:
            header = "{0} backend {1}".format(self.balancer.NAME, self.balancer.backend)
            shown = [{server["name"]: {key: server[key] for key in ("state", "weight")} for server in side} for side in (self.before, told)]
            result["diff"] = {"before": shown[0], "after": shown[1], "before_header": header, "after_header": header}
        return result


def others_in_service(server, servers):
    """The names of the servers, but ``server``, that get requests and are well."""
    return [other.name for other in servers if other is not server and other.in_service]


def _counted(count):
    return "1 server" if count == 1 else "{0} servers".format(count)
