# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only nginx has: a file that is ours, a test before each reload, and a reload that may be cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import NotFoundError, ProviderConfigurationError
from tests.integration.balancers.backends import answers, until
from tests.integration.balancers.conftest import Call
from tests.testbed.balancers import RunningBalancer

pytestmark = pytest.mark.parametrize("balancer", ["nginx"], indirect=True)


def test_a_configuration_that_nginx_refuses_leaves_the_file_as_it_was(call: Call, balancer: RunningBalancer) -> None:
    configuration, include = balancer.folder / "nginx.conf", balancer.folder / "servers.conf"
    before, whole = include.read_bytes(), configuration.read_text()
    configuration.write_text(whole + "nonsense;\n")
    with pytest.raises(ProviderConfigurationError, match=r"nginx -t refuses the configuration: .*nonsense"):
        call("drained", "web1")
    assert include.read_bytes() == before
    configuration.write_text(whole)
    assert call("drained", "web1")["ended"] == "drained"
    assert set(answers(balancer)) == {"web2", "web3"}


def test_a_reload_that_was_cut_off_is_made_up_for(call: Call, balancer: RunningBalancer, tmp_path: Path) -> None:
    call("drained", "web1")
    include = balancer.folder / "servers.conf"
    drained = include.read_bytes()
    call("ready", "web1")
    include.write_bytes(drained)  # killed after the file was written, before the reload
    (tmp_path / "notes" / "nginx-app.reload").write_text("{}")
    assert set(answers(balancer)) == {"web1", "web2", "web3"}
    call("drained", "web1")
    assert set(answers(balancer)) == {"web2", "web3"}


def test_what_a_person_wrote_into_a_line_stays(call: Call, balancer: RunningBalancer) -> None:
    include = balancer.folder / "servers.conf"
    lines = include.read_text().splitlines()
    lines[0] = lines[0].replace(";", " weight=3 max_fails=2 fail_timeout=5s;", 1)
    include.write_text("\n".join(lines) + "\n")
    include.chmod(0o640)
    call("weighted", "web2", weight=50)
    written = [line for line in include.read_text().splitlines() if line.startswith("server")]
    assert written[0].endswith(" weight=6 max_fails=2 fail_timeout=5s; # web1 own=3 percent=100")
    assert written[1].endswith(" weight=1; # web2 own=1 percent=50")
    assert include.stat().st_mode & 0o777 == 0o640


def test_a_file_that_is_not_there_is_told_with_what_to_write(call: Call, balancer: RunningBalancer) -> None:
    (balancer.folder / "servers.conf").unlink()
    with pytest.raises(NotFoundError, match=r"Write it once, a line a server: server 10\.0\.0\.1:8000; # web1"):
        call("inspected")


def test_old_workers_do_not_keep_a_drain_that_has_nothing_in_flight(call: Call, balancer: RunningBalancer) -> None:
    told = call("drained", "web1")
    assert told["timings"]["drain"] < 10
    until(lambda: call("inspected")["servers"][0]["in_flight"] == 0, "no connections")
