# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's runtime API, when what answers is not what was hoped for."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fraisier.deploy.plugins.module_utils.balancers import haproxy, nginx, nginx_health, nginx_log  # noqa: F401
from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.entry import run
from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.haproxy_wire import check_address, expect_done, parse_stat, parse_states
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    FraisierError,
    NotFoundError,
    ProviderConfigurationError,
    ProviderConnectionError,
    ProviderError,
)
from tests.unit.plugins.module_utils.balancers.answering import answering

HEAD = "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_state\n"
STATES = "1\n" + HEAD + "3 app 1 web1 10.0.0.1 2 0 50 100 1 6\n3 app 2 web2 10.0.0.2 0 8 100 100 1 6\n3 app 3 web3 10.0.0.3 2 4 100 100 1 0\n\n"
STAT = (
    "# pxname,svname,qcur,scur,stot,econ,eresp,status,hrsp_5xx,addr,\n"
    "app,FRONTEND,,9,9,,,OPEN,0,,\n"
    "app,web1,1,2,812,1,2,UP,3,10.0.0.1:8000,\n"
    "app,web2,0,0,5,0,0,DOWN,0,10.0.0.2:8000,\n"
    "app,web3,0,0,0,0,0,MAINT,,10.0.0.3:8000,\n"
    'app,BACKEND,0,2,817,,,UP,3,,\nother,web1,7,7,7,7,7,"no check",7,,\n\n'
)


@pytest.fixture
def socket_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fraisier-") as folder:  # a socket's path is short
        yield Path(folder) / "admin.sock"


def ask(path: Path, state: str = "inspected", **more: object) -> dict[str, object]:
    return run({"state": state, "driver": "haproxy", "backend": "app", "path": f"{path.parent}/notes", "haproxy": {"socket": str(path)}, "timeout": 2, **more})


def test_what_it_answers_is_read_server_by_server(socket_path: Path) -> None:
    with answering(socket_path, STATES.encode(), STAT.encode()) as asked:
        told = ask(socket_path)
    assert asked == ["show servers state app", "show stat"]
    web1, web2, web3 = told["servers"]  # type: ignore[misc]
    assert web1 == {
        "name": "web1",
        "address": "10.0.0.1:8000",
        "state": "ready",
        "weight": 50,
        "in_flight": 3,
        "health": "up",
        "requests": 812,
        "errors": 6,
        "in_service": True,
    }
    assert [web2[name] for name in ("state", "health", "in_service")] == ["drained", "down", False]
    assert [web3[name] for name in ("state", "health", "in_service")] == ["maintenance", "unknown", False]
    assert told["available"] == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"\n",
        b"HTTP/1.1 400 Bad request\r\n\r\n<html>",
        b"\x00\xff\xfe\x01garbage",
        b"1\n",
        b"2\n# be_id be_name\n",
        b"1\n# be_id be_name srv_id\n3 app 1\n",
        ("1\n" + HEAD + "3 app 1 web1\n").encode(),
        ("1\n" + HEAD + "3 app 1 web1 10.0.0.1 two 0 50 100 1 6\n").encode(),
    ],
    ids=["nothing", "a web server", "bytes", "half", "another version", "other columns", "a short row", "no number"],
)
def test_garbage_is_told_as_such_and_changes_nothing(socket_path: Path, answer: bytes) -> None:
    with (
        answering(socket_path, answer, STAT.encode()) as asked,
        pytest.raises(ProviderError, match=r"is not what this balancer answers|too short|without the columns"),
    ):
        ask(socket_path, "drained", server="web1")
    assert not [command for command in asked if command.startswith("set")]


def test_a_stat_that_is_garbage_is_told_too(socket_path: Path) -> None:
    with answering(socket_path, STATES.encode(), b"<html>"), pytest.raises(ProviderError, match="'show stat' is not what this balancer answers"):
        ask(socket_path)


def test_silence_ends_in_time(socket_path: Path) -> None:
    started = time.monotonic()
    with (
        answering(socket_path, None),
        pytest.raises(ProviderConnectionError, match=r"does not answer 'show servers state app': no answer within 0\.3 s") as caught,
    ):
        ask(socket_path, timeout=0.3)
    assert caught.value.category == "TIMEOUT"
    assert time.monotonic() - started < 10


def test_a_connection_that_ends_at_once_and_a_socket_that_is_not_there(socket_path: Path) -> None:
    with answering(socket_path, b""), pytest.raises(ProviderConnectionError, match=r"the connection ended without an answer"):
        ask(socket_path)
    with pytest.raises(ProviderConnectionError, match="level admin"):
        ask(socket_path.with_name("nobody.sock"))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("Permission denied\n\n", ProviderConfigurationError),
        ("No such server.\n\n", NotFoundError),
        ("Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.\n", ProviderConfigurationError),
        ("Unknown command: 'set'\n", ProviderError),
    ],
)
def test_words_after_a_change_are_a_refusal(answer: str, kind: type[FraisierError]) -> None:
    with pytest.raises(kind, match=r"HAProxy refuses 'set server app/web1 state drain'"):
        expect_done(answer, "set server app/web1 state drain")
    expect_done("\n", "set server app/web1 state drain")


@given(st.text(max_size=200))
def test_no_answer_is_read_into_an_exception_of_another_kind(text: str) -> None:
    for parse in (parse_states, parse_stat):
        for answer in (text, "1\n" + HEAD + text, "# pxname,svname," + text):
            try:
                assert isinstance(parse(answer, "app"), dict)
            except FraisierError as error:
                assert error.infrastructure


@pytest.mark.parametrize("address", ["", "relative.sock", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "host:port"])
def test_what_is_no_address_is_refused_before_anything_is_asked(address: str) -> None:
    with pytest.raises(ProviderConfigurationError, match=r"haproxy\.socket"):
        check_address(address)


def test_a_state_file_that_cannot_be_written_is_told(socket_path: Path) -> None:
    told = {"socket": str(socket_path), "state_file": f"{socket_path.parent}/no/folder/state"}
    with answering(socket_path, STATES.encode(), STAT.encode(), b"\n", STATES.encode()), pytest.raises(ProviderError, match=r"no/folder/state"):
        ask(socket_path, "drained", server="web1", haproxy=told, min_available=0)
