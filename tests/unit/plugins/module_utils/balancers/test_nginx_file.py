# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of server lines: what a person writes, what we make of it, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fraisier.deploy.plugins.module_utils.balancers.nginx_file import Line, parse, render
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import FraisierError, ProviderConfigurationError

NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,20}", fullmatch=True)
LINES = st.lists(
    st.builds(
        Line,
        name=NAMES,
        address=st.sampled_from(["10.0.0.1:8000", "web.internal:80", "[2001:db8::1]:8080", "10.0.0.2"]),
        own=st.integers(1, 256),
        percent=st.integers(0, 100),
        drained=st.booleans(),
        parameters=st.lists(st.sampled_from(["max_fails=2", "fail_timeout=5s", "backup", "max_conns=10"]), unique=True),
    ),
    unique_by=lambda line: line.name,
    max_size=6,
)


def values(lines: list[Line]) -> list[list[object]]:
    return [[getattr(line, name) for name in Line.__slots__] for line in lines]


@given(LINES)
def test_what_is_written_is_read_again(lines: list[Line]) -> None:
    assert values(parse(render(lines), "/x")) == values(lines)


def test_a_line_that_a_person_wrote_says_all_it_has_to() -> None:
    text = "# mine\n\n  server 10.0.0.1:8000 weight=3 max_fails=2;   # web1\nserver 10.0.0.2:8000 down; # web2\nserver web3.internal;\n"
    assert values(parse(text, "/x")) == [
        ["10.0.0.1:8000", False, "web1", 3, ["max_fails=2"], 100],
        ["10.0.0.2:8000", True, "web2", 1, [], 100],
        ["web3.internal", False, "web3.internal", 1, [], 100],
    ]
    assert [line.host_and_port for line in parse(text, "/x")] == [("10.0.0.1", 8000), ("10.0.0.2", 8000), ("web3.internal", 80)]


def test_weights_keep_their_relation_in_small_numbers() -> None:
    lines = parse("server a:1 weight=2; # a\nserver b:1; # b\nserver c:1; # c\n", "/x")
    lines[1].percent, lines[2].percent = 50, 0
    written = [line for line in render(lines).splitlines() if line.startswith("server")]
    assert [line.partition(";")[0] for line in written] == ["server a:1 weight=4", "server b:1 weight=1", "server c:1 down"]


@pytest.mark.parametrize(
    "line",
    [
        "server 10.0.0.1:8000",
        "upstream app {",
        "include /etc/passwd;",
        "server unix:/run/app.sock;",
        "server 10.0.0.1:8000 weight=many;",
        "server 10.0.0.1:8000 weight=0;",
        "server 10.0.0.1:8000; # web1 own=x",
        "server 10.0.0.1:8000; # web1 own=1 percent=101",
        "server 10.0.0.1:8000; server 10.0.0.2:8000;",
        "\x00\ufffd",
    ],
)
def test_a_line_that_is_no_server_is_named(line: str) -> None:
    with pytest.raises(ProviderConfigurationError, match=r"/x: line 2: "):
        parse(f"# head\n{line}\n", "/x")


def test_a_name_may_stand_only_once() -> None:
    with pytest.raises(ProviderConfigurationError, match="names web1 a second time"):
        parse("server a:1; # web1\nserver b:1; # web1\n", "/x")


@given(st.text(max_size=200))
def test_nothing_is_read_into_an_exception_of_another_kind(text: str) -> None:
    try:
        parse(text, "/x")
    except FraisierError as error:
        assert error.infrastructure
