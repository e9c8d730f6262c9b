# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the exporter: options, one print or a service, exit codes."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from prometheus_client import CollectorRegistry, generate_latest

from ansible_collections.fraisier.deploy.monitoring.export.collector import StoreCollector
from ansible_collections.fraisier.deploy.monitoring.export.reading import Reader
from ansible_collections.fraisier.deploy.monitoring.export.service import make_server, serve
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError, FraisierError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.settings import state_folder
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.urls import describe, parse_url, require_driver

LISTEN = "127.0.0.1:19742"
"""Outside the range in which Prometheus exporters have their allotted ports, which is full."""
TIMEOUT = 8.0
"""Seconds for one reading of the store: less than the 10 s after which Prometheus gives a scrape up."""
URL_VARIABLE = "FRAISIER_STORE_URL"
PASSWORD_OPTIONS = ("password", "passwd")

OK, STORE_AWAY, WRONG_OPTIONS = 0, 1, 2


@dataclass(frozen=True)
class Options:
    """What the exporter was asked to do. ``host`` and ``port`` are nothing to it when it prints ``once``; ``timeout`` in seconds."""

    url: str
    host: str
    port: int
    timeout: float
    once: bool


def parser() -> argparse.ArgumentParser:
    """The options as ``--help`` shows them."""
    words = argparse.ArgumentParser(prog="exporter.py", description="Serves the figures in the store of fraisier.deploy to Prometheus.", allow_abbrev=False)
    words.add_argument("--listen", metavar="HOST:PORT", default=LISTEN, help="where to answer scrapes (default %(default)s)")
    words.add_argument(
        "--store-url",
        metavar="URL",
        help=f"the store, without a password; by default {URL_VARIABLE} from the environment, else the SQLite file in the user's state folder",
    )
    words.add_argument("--timeout", metavar="SECONDS", type=float, default=TIMEOUT, help="how long one reading of the store may take (default %(default)s)")
    words.add_argument("--once", action="store_true", help=f"print the figures and end: exit code {OK}, or {STORE_AWAY} when the store did not answer")
    return words


def read_options(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Options from words and environment; ConfigurationError names what does not fit and the remedy."""
    given = parser().parse_args(arguments)
    if not 0 < given.timeout <= 600:
        raise ConfigurationError(f"--timeout: {given.timeout:g} is not a time", hint="Write seconds, more than 0 and at most 600")
    host, port = read_address(given.listen)
    return Options(url=store_url(given.store_url, environment), host=host, port=port, timeout=given.timeout, once=given.once)


def store_url(given: str | None, environment: Mapping[str, str]) -> str:
    """The store's URL, checked as far as that is possible without connecting."""
    if given is not None:
        url = parse_url(given)
        if url.password or any(name in url.query for name in PASSWORD_OPTIONS):
            raise ConfigurationError(
                f"--store-url bears a password ({describe(url)}), and every user of this machine can read the words of a command",
                hint=f"Leave --store-url out and put the URL into the environment: {URL_VARIABLE}",
            )
    text = given or environment.get(URL_VARIABLE) or default_url()
    require_driver(parse_url(text).get_backend_name())
    return text


def default_url() -> str:
    """Where the recorder keeps the store when nobody says otherwise."""
    return f"sqlite:///{state_folder() / 'store.db'}"


def read_address(text: str) -> tuple[str, int]:
    """Host and port from ``HOST:PORT``, an IPv6 address in brackets; port 0 takes any free one."""
    host, _colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigurationError(f"--listen: {text!r} is not HOST:PORT", hint=f"Write for example {LISTEN}, [::1]:19742, or 0.0.0.0:19742 for all addresses")
    return host, int(port)


def run(arguments: Sequence[str], environment: Mapping[str, str], out: TextIO) -> int:
    """Print the figures once, or serve them until a signal; the exit code."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    try:
        options = read_options(arguments, environment)
        registry = CollectorRegistry()
        collector = StoreCollector(Reader(options.url, timeout=options.timeout))
        registry.register(collector)
        if options.once:
            out.write(generate_latest(registry).decode())
            return OK if collector.answered else STORE_AWAY
        server = make_server(registry, options.host, options.port)
    except FraisierError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_OPTIONS
    serve(server, describe(parse_url(options.url)))
    return OK
