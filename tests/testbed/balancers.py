# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real HAProxy and nginx processes of an ordinary user, on loopback, each with all it writes in a folder of its own."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.testbed.packages import find, require
from tests.testbed.process import TestbedError, run

KINDS = ("haproxy", "nginx")
BACKEND = "app"
START_SECONDS = 20.0
RELOAD_SECONDS = 1.5
HAPROXY = """global
  stats socket {folder}/admin.sock mode 600 level admin expose-fd listeners
  stats socket ipv4@127.0.0.1:{admin} level admin
  server-state-file {folder}/state
  log stderr local0 warning
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  load-server-state-from-file global
frontend front
  bind 127.0.0.1:{port}
  default_backend {backend}
backend {backend}
  balance roundrobin
  cookie SERVER insert indirect nocache
  option httpchk GET /health
  default-server check inter 200ms fall 2 rise 2 weight 100
"""
NGINX = """{user}
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
  log_format fraisier '$upstream_addr $upstream_status';
  access_log {folder}/access.log fraisier;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream {backend} {{
    zone {backend} 64k;
    include {folder}/servers.conf;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{ proxy_pass http://{backend}; proxy_connect_timeout 2s; }}
  }}
}}
"""


@dataclass
class RunningBalancer:
    """``port`` takes requests. ``options`` are those of module balancer that say where it is; ``reload`` is the one that its administrator types."""

    kind: str
    folder: Path
    port: int
    options: dict[str, Any]
    reload: Callable[[], None]
    pid_file: Path

    def get(self, path: str = "/", timeout: float = 30.0, **headers: str) -> tuple[int, str]:
        """(status, body) of one request through the balancer, over a connection of its own."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            link.request("GET", path, headers={"Connection": "close", **headers})
            answer = link.getresponse()
            return answer.status, answer.read().decode()
        finally:
            link.close()

    def pid(self) -> int:
        """The master's process."""
        return int(self.pid_file.read_text(encoding="utf-8").split()[0])

    def stop(self) -> None:
        """End it, with its workers."""
        with contextlib.suppress(OSError, ValueError):
            pid = self.pid()
            os.kill(pid, signal.SIGTERM)
            _until(lambda: not Path(f"/proc/{pid}").exists() or " Z" in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8"), f"the end of {self.kind}")


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_balancer(kind: str, folder: Path, servers: Mapping[str, int]) -> Iterator[RunningBalancer]:
    """A balancer of ``kind`` with the backend ``app``: server name -> port of loopback."""
    require([kind])
    folder.mkdir(parents=True, exist_ok=True)
    balancer = {"haproxy": _haproxy, "nginx": _nginx}[kind](folder, servers)
    try:
        _until(lambda: _connects(balancer.port), f"{kind} on port {balancer.port}")
        yield balancer
    finally:
        balancer.stop()


def _haproxy(folder: Path, servers: Mapping[str, int]) -> RunningBalancer:
    port, admin, pid_file = free_port(), free_port(), folder / "haproxy.pid"
    text = HAPROXY.format(folder=folder, port=port, admin=admin, backend=BACKEND)
    text += "".join(f"  server {name} 127.0.0.1:{number} cookie {name}\n" for name, number in servers.items())
    (folder / "haproxy.cfg").write_text(text, encoding="utf-8")
    run([find("haproxy") or "haproxy", "-W", "-D", "-p", pid_file, "-f", folder / "haproxy.cfg"])
    _until(lambda: _answers(admin), "HAProxy's runtime API")

    def reload() -> None:
        master = int(pid_file.read_text(encoding="utf-8").split()[0])
        before, asked = _workers(master), 0.0

        def done() -> bool:
            nonlocal asked
            if bool(_workers(master) - before) and _connects(admin):
                return True
            if time.monotonic() - asked > RELOAD_SECONDS:  # a master that has only just started drops the signal
                asked = time.monotonic()
                os.kill(master, signal.SIGUSR2)
            return False

        _until(done, "HAProxy's new worker")

    options = {"driver": "haproxy", "haproxy": {"socket": f"{folder}/admin.sock", "state_file": f"{folder}/state"}}
    balancer = RunningBalancer("haproxy", folder, port, options, reload, pid_file)
    balancer.options["tcp"] = f"127.0.0.1:{admin}"
    return balancer


def _nginx(folder: Path, servers: Mapping[str, int]) -> RunningBalancer:
    port, pid_file = free_port(), folder / "nginx.pid"
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, backend=BACKEND, user=user), encoding="utf-8")
    (folder / "servers.conf").write_text("".join(f"server 127.0.0.1:{number}; # {name}\n" for name, number in servers.items()), encoding="utf-8")
    command = [find("nginx") or "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    run(command)
    # It takes connections before its master, which is another process by then, has written down its number, and only then it takes the name of a master.
    _until(lambda: _title_of(pid_file).startswith("nginx: master process"), "nginx's master")
    options = {
        "driver": "nginx",
        "nginx": {
            "include": f"{folder}/servers.conf",
            "command": command,
            "pid_file": str(pid_file),
            "health_path": "/health",
            "access_log": f"{folder}/access.log",
        },
    }

    def reload() -> None:
        run([*command, "-s", "reload"])

    return RunningBalancer("nginx", folder, port, options, reload, pid_file)


def _workers(parent: int) -> set[str]:
    children = Path(f"/proc/{parent}/task/{parent}/children")
    return set(children.read_text(encoding="ascii").split())


def _title_of(pid_file: Path) -> str:
    """The command line of the process whose number the file has; "" while there is none."""
    try:
        return Path(f"/proc/{int(pid_file.read_text(encoding='ascii'))}/cmdline").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as link:
            link.sendall(b"show info\n")
            return bool(link.recv(1))
    except OSError:
        return False


def _connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not holds():
        if time.monotonic() >= deadline:
            raise TestbedError(f"waited {START_SECONDS:g} s for {what}")
        time.sleep(0.02)
