# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exporter as a program: on each database, for Prometheus itself, and while the store is away."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
from tests.integration.monitoring.programs import CHECKOUT, get, once, running, wait_for
from tests.testbed.database_server import free_port
from tests.testbed.packages import find, require
from tests.unit.monitoring.exposition import value
from tests.unit.plugins.plugin_utils.store.builders import Run

UNHEALTHY = {"code": "HEALTH_CHECK_FAILED", "category": "TIMEOUT", "message": "never answered"}


def fill(url: str) -> None:
    """A store with a success, an undone deployment and one that runs."""
    with Store.connect(url) as store:
        store.migrate()
        Run(store, version="1.0.0").done()
        Run(store, version="1.1.0").done("rolled_back", error=UNHEALTHY)
        Run(store, version="1.2.0")


def test_the_figures_are_the_same_on_every_database_and_pass_promtool(store_url: str, tmp_path: Path) -> None:
    require(["promtool"])
    fill(store_url)
    printed = once(store_url, tmp_path)
    assert printed.returncode == 0, printed.stderr
    checked = subprocess.run([str(find("promtool")), "check", "metrics"], input=printed.stdout, capture_output=True, text=True, timeout=30, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    for name, labels, number in (
        ("fraisier_up", {}, 1),
        ("fraisier_deployments_total", {"fraise": "shop_api", "environment": "production", "status": "success", "fraise_type": "api"}, 1),
        ("fraisier_deployments_total", {"status": "rolled_back", "strategy": "rolling", "provider": "bare_metal"}, 1),
        ("fraisier_rollbacks_total", {"provider": "bare_metal", "reason": "health_check_failed"}, 1),
        ("fraisier_health_checks_total", {"provider": "bare_metal", "check_type": "http", "status": "pass"}, 6),
        ("fraisier_deployment_duration_seconds_count", {"provider": "bare_metal", "status": "success"}, 1),
        ("fraisier_deployment_duration_seconds_bucket", {"status": "success", "le": "5.0"}, 1),
        ("fraisier_active_deployments", {"provider": "bare_metal"}, 1),
        ("fraisier_owed_hosts", {"fraise": "shop_api", "environment": "production"}, 0),
        ("fraisier_mixed_fleet", {"fraise": "shop_api", "environment": "production"}, 0),
        ("fraisier_locked", {"fraise": "shop_api", "environment": "production"}, 0),
    ):
        assert value(printed.stdout, name, **labels) == number, name
    assert once(store_url, tmp_path).stdout == printed.stdout


def test_it_runs_from_a_checkout_of_any_name(sqlite_url: str, tmp_path: Path) -> None:
    fill(sqlite_url)
    copy = tmp_path / "my fraisier"
    for name in ("monitoring", "plugins"):
        shutil.copytree(CHECKOUT / name, copy / name)
    printed = once(sqlite_url, tmp_path, copy / "monitoring" / "exporter.py")
    assert value(printed.stdout, "fraisier_up") == 1, printed.stderr


def test_it_runs_from_an_installed_collection(sqlite_url: str, tmp_path: Path) -> None:
    fill(sqlite_url)
    tree = CHECKOUT / "build" / "tree" / "ansible_collections" / "fraisier" / "deploy"
    galaxy = str(Path(sys.executable).with_name("ansible-galaxy"))
    settings = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections")}
    build = [galaxy, "collection", "build", str(tree), "--output-path", str(tmp_path)]
    subprocess.run(build, env=settings, capture_output=True, timeout=120, check=True)
    (artifact,) = tmp_path.glob("fraisier-deploy-*.tar.gz")
    install = [galaxy, "collection", "install", str(artifact), "--offline", "-p", str(tmp_path / "collections")]
    subprocess.run(install, env=settings, capture_output=True, timeout=120, check=True)
    installed = tmp_path / "collections" / "ansible_collections" / "fraisier" / "deploy"
    printed = once(sqlite_url, tmp_path, installed / "monitoring" / "exporter.py")
    assert value(printed.stdout, "fraisier_up") == 1, printed.stderr


def test_prometheus_scrapes_it(sqlite_url: str, tmp_path: Path) -> None:
    require(["promtool"])
    fill(sqlite_url)
    with running(sqlite_url, tmp_path) as address:
        configuration = tmp_path / "prometheus.yml"
        targets = [{"targets": [address.removeprefix("http://")]}]
        scrape = {"job_name": "fraisier", "scrape_interval": "1s", "scrape_timeout": "1s", "static_configs": targets}
        configuration.write_text(json.dumps({"scrape_configs": [scrape]}), encoding="utf-8")
        port = free_port()
        words = [f"--config.file={configuration}", f"--storage.tsdb.path={tmp_path / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}"]
        prometheus = subprocess.Popen([str(find("prometheus")), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            query = urllib.parse.quote('fraisier_deployments_total{status="success"} and on() (up{job="fraisier"} == 1) and on() (fraisier_up == 1)')
            answer = json.loads(wait_for(f"http://127.0.0.1:{port}/api/v1/query?query={query}", '"shop_api"'))
        finally:
            prometheus.terminate()
            prometheus.wait(20)
    (result,) = answer["data"]["result"]
    assert result["value"][1] == "1"
    assert {name: result["metric"][name] for name in ("fraise", "environment", "strategy")} == {
        "fraise": "shop_api",
        "environment": "production",
        "strategy": "rolling",
    }


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_database_that_dies_and_comes_back_is_told_at_each_scrape(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url, server = str(request.getfixturevalue(f"{kind}_url")), request.getfixturevalue(f"{kind}_server")
    fill(url)
    with running(url, tmp_path, "--timeout", "4") as address:
        assert value(get(f"{address}/metrics"), "fraisier_up") == 1
        server.kill()
        text = get(f"{address}/metrics")
        assert value(text, "fraisier_up") == 0
        assert "fraisier_deployments_total{" not in text
        server.start()
        assert value(get(f"{address}/metrics"), "fraisier_deployments_total", status="success") == 1


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_database_that_hangs_costs_no_more_than_the_timeout(kind: str, tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"{kind}://u:p@127.0.0.1:{silent.getsockname()[1]}/fraisier"
        with running(url, tmp_path, "--timeout", "3") as address:
            began = time.monotonic()
            assert value(get(f"{address}/metrics"), "fraisier_up") == 0
            assert time.monotonic() - began < 6
