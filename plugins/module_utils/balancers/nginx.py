# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx by a file of server lines that its upstream includes, and a reload. What the kernel says of its connections is what is in flight."""

from __future__ import annotations

import os
import time

from ansible_collections.fraisier.deploy.plugins.module_utils.balancers import nginx_processes as processes
from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.contract import DOWN, DRAINED, READY, UP, Balancer, Server
from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.nginx_file import parse, render
from ansible_collections.fraisier.deploy.plugins.module_utils.commands import run_command
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    DeploymentTimeoutError,
    FraisierError,
    NotFoundError,
    ProviderConfigurationError,
    ProviderError,
)
from ansible_collections.fraisier.deploy.plugins.module_utils.files import forget, to_json, write_atomically

COMMAND_SECONDS = 30.0
LOOK_SECONDS = 0.02


class Nginx(Balancer):
    """``params["nginx"]``: {include, command, pid_file, health_path, access_log}."""

    NAME = "nginx"
    LINGERING_SECONDS = 1.0

    def __init__(self, params):
        super().__init__(params)
        options = params.get("nginx") or {}
        self.include = options.get("include")
        self.command = list(options.get("command") or ["nginx"])
        self.pid_file = options.get("pid_file")
        self.health_path = options.get("health_path")
        self.access_log = options.get("access_log")
        self.unsure = os.path.join(params["path"], "nginx-{0}.reload".format(self.backend))

    def inspect(self):
        from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.nginx_health import look

        lines = self._lines()
        master = processes.master(self.pid_file)
        well = look([line.host_and_port for line in lines], self.health_path, self.timeout)
        counted = self._counted(lines)
        return [
            Server(
                line.name,
                line.address,
                DRAINED if line.drained else READY,
                line.percent,
                processes.connections(master, processes.packed_addresses(*line.host_and_port)),
                UP if healthy else DOWN,
                *counted.get(line.name, (None, None)),
            )
            for line, healthy in zip(lines, well)  # noqa: B905 - Python 3.8 has no strict
        ]

    def _counted(self, lines):
        if not self.access_log:
            return {}
        from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.nginx_log import count

        addresses = {}
        for line in lines:
            for packed, port in processes.packed_addresses(*line.host_and_port):
                addresses[(packed, port)] = line.name
        return count(self.access_log, os.path.join(self.params["path"], "nginx-{0}.log.json".format(self.backend)), addresses)

    def in_flight(self, server):
        line = self._line(self._lines(), server)
        return processes.connections(processes.master(self.pid_file), processes.packed_addresses(*line.host_and_port))

    def settle_seconds(self, _server):
        """A worker that is leaving may still hold a client who has not sent its request yet, and knows the server as it was."""
        leaving = any(processes.workers(processes.master(self.pid_file)).values())
        return self.LINGERING_SECONDS if leaving else self.SETTLE_SECONDS

    def drain(self, server):
        self._change([server], drained=True)

    def ready(self, server):
        self._change([server], drained=False)

    def weight(self, server, percent):
        self._change([server], percent=percent)

    def weights(self, servers, percent):
        self._change(servers, percent=percent)

    def _lines(self):
        try:
            with open(self.include, encoding="utf-8", errors="replace") as stream:
                return parse(stream.read(), self.include)
        except FileNotFoundError as error:
            raise NotFoundError(
                "nginx.include: there is no file {0}".format(self.include),
                infrastructure=True,
                hint="Write it once, a line a server: server 10.0.0.1:8000; # web1 - and include it in the upstream block.",
                context={"option": "nginx.include", "value": self.include},
            ) from error
        except OSError as error:
            raise ProviderConfigurationError(
                "nginx.include: {0}: {1}".format(self.include, error.strerror), infrastructure=True, hint="Run as a user who may read it (become: true)."
            ) from error

    def _line(self, lines, server):
        for line in lines:
            if line.name == server:
                return line
        self.server(server)  # raises, with the names that there are
        raise NotFoundError("server: {0} has just gone from {1}".format(server, self.include), infrastructure=True)

    def _change(self, servers, **values):
        lines = self._lines()
        changing = [self._line(lines, server) for server in servers]
        if all(getattr(line, name) == value for line in changing for name, value in values.items()):
            return
        for line in changing:
            for name, value in values.items():
                setattr(line, name, value)
        self._apply(render(lines))

    def make_sure(self):
        """Reload once more when a change was cut off between its file and its reload."""
        if os.path.exists(self.unsure):
            self._test()
            self._reload()
            forget(self.unsure)

    def _apply(self, text):
        """The file whole, tested, and in force; or the old one. A note stands until nginx runs with it: whoever comes after a crash makes sure."""
        processes.master(self.pid_file)
        with open(self.include, "rb") as stream:
            before = stream.read()
        mode = os.stat(self.include).st_mode & 0o777
        write_atomically(self.unsure, to_json({"include": self.include}))
        write_atomically(self.include, text.encode("utf-8"), mode)
        try:
            self._test()
            self._reload()
        except FraisierError:
            write_atomically(self.include, before, mode)
            raise
        forget(self.unsure)

    def _test(self):
        done = run_command([*self.command, "-t"], timeout=COMMAND_SECONDS)
        if done.rc != 0:
            raise ProviderConfigurationError(
                "nginx -t refuses the configuration: {0}".format(done.output.strip()),
                infrastructure=True,
                hint="The servers are as they were. Correct nginx' configuration until nginx -t is content.",
                context={"command": " ".join(self.command)},
            )

    def _reload(self):
        """Reload, and wait until new workers serve and the old ones take no new connections."""
        master = processes.master(self.pid_file)
        before = set(processes.workers(master))
        run_command([*self.command, "-s", "reload"], timeout=COMMAND_SECONDS, check=True)
        deadline = time.monotonic() + max(self.timeout, COMMAND_SECONDS)
        while True:
            now = processes.workers(master)
            if any(pid not in before and not leaving for pid, leaving in now.items()) and all(now.get(pid, True) for pid in before):
                return
            if time.monotonic() >= deadline:
                break
            time.sleep(LOOK_SECONDS)
        if not now:
            raise ProviderError("nginx has no workers after its reload", infrastructure=True, hint="Look at its error log.")
        raise DeploymentTimeoutError(
            "nginx did not take its new configuration within {0:g} s".format(max(self.timeout, COMMAND_SECONDS)),
            infrastructure=True,
            hint="Look at its error log. The servers are as they were.",
        )
