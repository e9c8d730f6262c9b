# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP service that Prometheus scrapes."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from ansible_collections.fraisier.deploy.monitoring.export import service
from ansible_collections.fraisier.deploy.monitoring.export.collector import StoreCollector
from ansible_collections.fraisier.deploy.monitoring.export.reading import Reader
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
from tests.unit.monitoring.exposition import samples, value
from tests.unit.plugins.plugin_utils.store.builders import Run


@pytest.fixture
def address(url: str) -> Iterator[str]:
    """Where a running service answers, ``http://host:port``."""
    registry = CollectorRegistry()
    registry.register(StoreCollector(Reader(url, timeout=5.0)))
    server = service.make_server(registry, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(10)


def get(address: str, headers: dict[str, str] | None = None) -> tuple[str, str]:
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers or {}), timeout=10) as answer:
        return answer.read().decode(), answer.headers["Content-Type"]


def test_metrics_are_served_as_prometheus_wants_them(store: Store, address: str) -> None:
    Run(store).done()
    text, kind = get(f"{address}/metrics")
    assert kind.startswith("text/plain; version=")
    assert value(text, "fraisier_deployments_total", status="success") == 1


def test_openmetrics_is_served_to_who_asks_for_it(store: Store, address: str) -> None:
    Run(store).done()
    text, kind = get(f"{address}/metrics", {"Accept": "application/openmetrics-text; version=1.0.0"})
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


def test_a_scrape_may_ask_for_some_names_only(store: Store, address: str) -> None:
    Run(store).done()
    text, _kind = get(f"{address}/metrics?name[]=fraisier_up")
    assert {name for name, _labels in samples(text)} == {"fraisier_up"}


def test_a_store_that_is_away_is_no_error_of_the_service(address: str) -> None:
    assert value(get(f"{address}/metrics")[0], "fraisier_up") == 0


def test_a_person_finds_the_way_and_nothing_else_is_there(address: str) -> None:
    assert "/metrics" in get(f"{address}/")[0]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{address}/other")


def test_a_client_that_says_nothing_is_hung_up_on_and_others_are_served(store: Store, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(service._Handler, "timeout", 0.3)
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as silent:
        silent.sendall(b"GET /metrics HT")
        assert value(get(f"{address}/metrics")[0], "fraisier_up") == 1
        assert silent.recv(100) == b""
