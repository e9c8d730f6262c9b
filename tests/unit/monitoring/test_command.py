# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words that the exporter understands, and those it refuses before it does anything."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.monitoring.export.command import default_url, read_address, read_options, run
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.recorder.settings import recorder_settings
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import Store
from tests.unit.monitoring.exposition import value
from tests.unit.plugins.plugin_utils.store.builders import Run


def test_the_store_comes_from_the_words_then_the_environment_then_the_users_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/srv/state")
    environment = {"FRAISIER_STORE_URL": "postgresql://u:secret@db/fraisier"}
    assert read_options(["--store-url", "sqlite:////a.db"], environment).url == "sqlite:////a.db"
    assert read_options([], environment).url == "postgresql://u:secret@db/fraisier"
    assert read_options([], {}).url == "sqlite:////srv/state/fraisier/store.db"


def test_the_users_store_is_the_one_that_the_recorder_writes() -> None:
    usual = {"lease_seconds": 30, "heartbeat_seconds": 10, "store_url": "", "spool_path": "", "store_timeout": 2, "store_required": 0, "store_auto_migrate": 1}
    assert recorder_settings(usual.__getitem__)["store_url"] == default_url()


@pytest.mark.parametrize(
    "url", ["postgresql://u:s3cret@db/fraisier", "mysql://u:s3cret@db/fraisier", "postgresql://u@db/fraisier?password=s3cret", "mysql://u@db/x?passwd=s3cret"]
)
def test_a_password_among_the_words_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_options(["--store-url", url], {})
    assert "FRAISIER_STORE_URL" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_url_without_a_password_may_be_a_word() -> None:
    assert read_options(["--store-url", "postgresql://reader@db/fraisier"], {}).url == "postgresql://reader@db/fraisier"


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--store-url", "oracle://db/x"], "oracle"),
        (["--store-url", "store.db"], "cannot be read"),
        (["--listen", "9100"], "--listen: '9100'"),
        (["--timeout", "0"], "--timeout: 0"),
        (["--timeout", "nan"], "--timeout: nan"),
    ],
)
def test_words_that_cannot_work_end_at_once_with_2(words: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "--once"], {}, io.StringIO()) == 2
    assert part in capsys.readouterr().err


def test_a_url_in_the_environment_that_cannot_work_ends_at_once_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--once"], {"FRAISIER_STORE_URL": "oracle://u:s3cret@db/x"}, io.StringIO()) == 2
    assert "s3cret" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:19742", ("127.0.0.1", 19742)), ("localhost:0", ("localhost", 0)), ("[::1]:9000", ("::1", 9000)), ("0.0.0.0:65535", ("0.0.0.0", 65535))],
)
def test_an_address_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert read_address(text) == address


@pytest.mark.parametrize("text", ["", ":9000", "9000", "host:", "host:http", "host:65536", "host:-1", "::1:9000", "host:²"])
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not HOST:PORT"):
        read_address(text)


def test_once_prints_the_figures_and_ends_with_0(store: Store, url: str) -> None:
    Run(store).done()
    out = io.StringIO()
    assert run(["--once", "--store-url", url], {}, out) == 0
    assert value(out.getvalue(), "fraisier_deployments_total", status="success") == 1


def test_once_without_a_store_prints_up_0_and_ends_with_1(tmp_path: Path) -> None:
    out = io.StringIO()
    assert run(["--once", "--store-url", f"sqlite:///{tmp_path}/none.db"], {}, out) == 1
    assert value(out.getvalue(), "fraisier_up") == 0


def test_a_port_that_is_taken_ends_with_2(store: Store, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(["--store-url", url, "--listen", f"127.0.0.1:{port}"], {}, io.StringIO()) == 2
    assert f"127.0.0.1:{port} cannot be used" in capsys.readouterr().err
