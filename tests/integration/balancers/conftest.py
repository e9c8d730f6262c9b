# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One backend of three servers behind a real balancer of each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# All that is imported late on a host: pytest-ansible's loader comes in between and does not know the collection that is loaded already.
from ansible_collections.fraisier.deploy.plugins.module_utils.balancers import haproxy, nginx, nginx_health, nginx_log  # noqa: F401
from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.entry import run
from tests.integration.balancers.backends import Backend, until
from tests.testbed.balancers import BACKEND, KINDS, RunningBalancer, running_balancer

Call = Callable[..., dict[str, Any]]


@pytest.fixture
def backends() -> Iterator[dict[str, Backend]]:
    """Three servers: web1, web2, web3."""
    started = {name: Backend(name) for name in ("web1", "web2", "web3")}
    yield started
    for backend in started.values():
        backend.let_go.set()
        backend.stop()


@pytest.fixture(params=KINDS)
def balancer(request: pytest.FixtureRequest, tmp_path: Path, backends: dict[str, Backend]) -> Iterator[RunningBalancer]:
    """A balancer of one kind before all of them."""
    with running_balancer(request.param, tmp_path / "balancer", {name: backend.port for name, backend in backends.items()}) as running:
        yield running


def caller(balancer: RunningBalancer, folder: Path) -> Call:
    """The module's code, called as the module calls it."""
    options = {name: value for name, value in balancer.options.items() if name != "tcp"}

    def call(state: str, server: str | None = None, **more: Any) -> dict[str, Any]:
        how = {name: more.pop(name) for name in ("check_mode", "diff", "warn") if name in more}
        return run({"state": state, "server": server, "backend": BACKEND, "path": str(folder / "notes"), **options, **more}, **how)

    return call


@pytest.fixture
def call(balancer: RunningBalancer, tmp_path: Path) -> Call:
    """Call it, once it says that all servers are well."""
    called = caller(balancer, tmp_path)
    until(lambda: called("inspected")["available"] == 3, "three servers in service")
    return called
