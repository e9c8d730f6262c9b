# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be written in the option ``health``, and how wrong entries are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ValidationError
from ansible_collections.fraisier.deploy.plugins.module_utils.health import HEALTH_OPTIONS, check_health_options, check_timing, secret_values

TCP = {"tcp": {"port": 80}}


def test_defaults_are_filled_in_at_every_depth():
    ((kind, options),) = check_health_options([{"any": [{"all": [{"http": {"url": "http://x/"}}]}]}])
    assert kind == "any"
    ((inner_kind, inner),) = options["of"]
    assert inner_kind == "all"
    assert inner["of"] == [("http", {**inner["of"][0][1]})]
    http = inner["of"][0][1]
    assert (http["method"], http["status"], http["timeout"], http["validate_certs"], http["follow_redirects"]) == ("GET", [(200, 200)], 5.0, True, False)


def test_nothing_to_check_is_an_empty_list():
    assert check_health_options(None) == check_health_options([]) == []


def test_entries_as_ansible_hands_them_over_with_nulls_are_the_same():
    filled = {**dict.fromkeys(HEALTH_OPTIONS), "tcp": {"host": None, "port": 80, "timeout": None}}
    assert check_health_options([filled]) == check_health_options([TCP])


def test_texts_from_templates_are_converted_as_ansible_does():
    ((_, http),) = check_health_options([{"http": {"url": "http://x", "status": ["200", "300-302"], "timeout": "2.5", "validate_certs": "no"}}])
    assert (http["status"], http["timeout"], http["validate_certs"]) == ([(200, 200), (300, 302)], 2.5, False)
    ((_, tcp),) = check_health_options([{"tcp": {"port": "8080"}}])
    assert tcp["port"] == 8080
    ((_, command),) = check_health_options([{"exec": {"command": ["test", 1, "-eq", 1]}}])
    assert command["command"] == ["test", "1", "-eq", "1"]


@pytest.mark.parametrize(
    ("checks", "complaint"),
    [
        ("http://x", r"^health: 'http://x' is not a list of checks\. Write a list"),
        (["http://x"], r"^health\[0\]: 'http://x' is not a check\. Write one of all, any, exec"),
        ([TCP, {}], r"^health\[1\]: 'nothing' is not exactly one kind of check"),
        ([{**TCP, "exec": {"command": ["true"]}}], r"^health\[0\]: 'exec, tcp' is not exactly one kind of check"),
        ([{"htpp": {"url": "http://x"}}], r"^health\[0\]: 'htpp' is not a kind of check\. Use one of: all, any, exec, http, quorum, systemd, tcp\."),
        ([{"http": "http://x"}], r"^health\[0\]\.http: 'http://x' is not a dict of options"),
        ([{"http": {}}], r"^health\[0\]\.http\.url is missing"),
        ([{"http": {"url": "http://x", "stauts": 200}}], r"^health\[0\]\.http: 'stauts' is not an option\. Its options are: body, body_regex"),
        ([{"http": {"url": "ftp://x/y"}}], r"^health\[0\]\.http\.url: 'ftp://x/y' is not an http or https URL"),
        ([{"http": {"url": "//x/y"}}], r"health\[0\]\.http\.url: '//x/y'"),
        ([{"http": {"url": "http://"}}], r"health\[0\]\.http\.url: 'http://'"),
        ([{"http": {"url": "http://x:99999/"}}], r"health\[0\]\.http\.url: 'http://x:99999/'"),
        ([{"http": {"url": "http://x/a b"}}], r"health\[0\]\.http\.url: 'http://x/a b'"),
        ([{"http": {"url": "http://joe:hunter2@x:port/"}}], r"health\[0\]\.http\.url: 'http://\*\*\*@x:port/'"),
        ([{"http": {"url": "http://x", "method": "BREW"}}], r"http\.method: 'BREW' is not a choice\. Use one of: DELETE, GET"),
        ([{"http": {"url": "http://x", "status": 600}}], r"http\.status: 600 is not an HTTP status"),
        ([{"http": {"url": "http://x", "status": "299-200"}}], r"http\.status: '299-200' is not an HTTP status"),
        ([{"http": {"url": "http://x", "status": ["2xx"]}}], r"http\.status: '2xx' is not an HTTP status"),
        ([{"http": {"url": "http://x", "status": True}}], r"http\.status: True is not an HTTP status"),
        ([{"http": {"url": "http://x", "status": []}}], r"http\.status: \[\] is empty"),
        ([{"http": {"url": "http://x", "timeout": 0}}], r"http\.timeout: 0\.0 is not a time"),
        ([{"http": {"url": "http://x", "timeout": "soon"}}], r"http\.timeout: 'soon' is not a float"),
        ([{"http": {"url": "http://x", "timeout": float("nan")}}], r"http\.timeout: nan is not a float"),
        ([{"http": {"url": "http://x", "body_regex": "("}}], r"http\.body_regex: '\(' is not a regular expression"),
        ([{"http": {"url": "http://x", "validate_certs": "maybe"}}], r"http\.validate_certs: 'maybe' is not a bool"),
        ([{"http": {"url": "http://x", "json": ["version"]}}], r"http\.json: \['version'\] is not a dict"),
        ([{"http": {"url": "http://x", "method": "HEAD", "body": "ok"}}], r"http\.method: 'HEAD' gets no body to check"),
        ([{"http": {"url": "http://x", "client_key": "/k"}}], r"http\.client_key: '/k' is given without client_cert"),
        ([{"tcp": {"port": 0}}], r"^health\[0\]\.tcp\.port: 0 is not a port\. Give a number from 1 to 65535"),
        ([{"tcp": {"port": 65536}}], r"tcp\.port: 65536 is not a port"),
        ([{"tcp": {"port": "http"}}], r"tcp\.port: 'http' is not a int"),
        ([{"tcp": {"port": 80.5}}], r"tcp\.port: 80\.5 is not a int"),
        ([{"tcp": {"port": 80, "host": ""}}], r"tcp\.host: '' is empty"),
        ([{"exec": {"command": "curl x"}}], r"exec\.command: 'curl x' is not a list"),
        ([{"exec": {"command": []}}], r"exec\.command: \[\] is not a command"),
        ([{"exec": {"command": [["x"]]}}], r"exec\.command: \[\['x'\]\] is not a command"),
        ([{"systemd": {"unit": "--all"}}], r"systemd\.unit: '--all' is not the name of a unit"),
        ([{"systemd": {"unit": "x.service", "scope": "root"}}], r"systemd\.scope: 'root' is not a choice\. Use one of: system, user"),
        ([{"any": []}], r"^health\[0\]\.any: \[\] has no members"),
        ([{"all": TCP}], r"^health\[0\]\.all: .* is not a list of checks"),
        ([{"quorum": {"count": 1}}], r"^health\[0\]\.quorum\.of is missing"),
        ([{"quorum": {"count": 3, "of": [TCP, TCP]}}], r"^health\[0\]\.quorum\.count: 3 is not between 1 and the 2 members"),
        ([{"quorum": {"count": 0, "of": [TCP]}}], r"quorum\.count: 0 is not between 1 and the 1 members"),
        ([{"any": [TCP, {"quorum": {"count": 1, "of": [{"tcp": {"port": -1}}]}}]}], r"^health\[0\]\.any\[1\]\.quorum\.of\[0\]\.tcp\.port: -1 is not a port"),
    ],
)
def test_a_wrong_entry_is_refused_by_option_value_and_remedy(checks, complaint):
    with pytest.raises(ValidationError, match=complaint) as caught:
        check_health_options(checks)
    assert caught.value.hint


@pytest.mark.parametrize("headers", [{"X-Token": "s3cret\r\nHost: evil"}, {"X Token": "s3cret"}, {"X\n": "s3cret"}, {"": "s3cret"}])
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(headers):
    with pytest.raises(ValidationError, match="cannot be sent") as caught:
        check_health_options([{"http": {"url": "http://x", "headers": headers}}])
    assert "s3cret" not in f"{caught.value} {caught.value.to_dict()}"


def test_headers_that_are_no_dict_are_refused_without_their_value():
    with pytest.raises(ValidationError, match=r"http\.headers: 'a hidden value' is not a dict") as caught:
        check_health_options([{"http": {"url": "http://x", "headers": "X-Token: s3cret"}}])
    assert "s3cret" not in f"{caught.value} {caught.value.to_dict()}"


def test_endless_nesting_is_refused():
    checks = [TCP]
    for _ in range(50):
        checks = [{"any": checks}]
    with pytest.raises(ValidationError, match="nested deeper than 5"):
        check_health_options(checks)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*HEALTH_OPTIONS, "of", "count", "url", "port", "command", "x"]), inner, max_size=3)
    ),
    max_leaves=15,
)


@given(JSON)
def test_whatever_is_written_is_either_understood_or_refused_with_a_remedy(checks):
    try:
        check_health_options(checks)
    except ValidationError as error:
        assert error.hint and error.message.startswith("health")


def test_the_secrets_of_all_depths_are_known():
    checks = [
        {"http": {"url": "http://x", "headers": {"A": "one"}}},
        {"any": [{"quorum": {"count": 1, "of": [{"http": {"url": "http://x", "headers": {"B": 2}}}]}}]},
    ]
    assert secret_values(checks) == ["one", "2"]


@pytest.mark.parametrize(
    ("min_healthy", "interval", "deadline", "complaint"),
    [
        (-1, 1, 10, r"min_healthy: -1 is negative"),
        (1, 0, 10, r"interval: 0 is not more than 0"),
        (1, 1, 0, r"timeout: 0 is not more than 0"),
        (10, 1, 10, r"min_healthy: 10 s in a row cannot be reached within a timeout of 10 s\. Give min_healthy less than timeout"),
    ],
)
def test_times_that_cannot_work_are_refused(min_healthy, interval, deadline, complaint):
    with pytest.raises(ValidationError, match=complaint):
        check_timing(min_healthy, interval, deadline)
