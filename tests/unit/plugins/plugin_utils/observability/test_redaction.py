# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the redactor must take out, and what it must leave, for secrets that hypothesis makes up."""

from __future__ import annotations

import base64
import json
import re
import shlex
import string
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.fraisier.deploy.plugins.module_utils.redaction import shorten, tail
from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability.redaction import HIDDEN, Redactor, Vaulted, secret_values

QUICK = settings(max_examples=60, deadline=None, derandomize=True)
PRINTABLE = st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["C", "Zl", "Zp"])
# The X makes sure that no secret is a part of what stands around it.
SECRETS = st.text(PRINTABLE, min_size=7, max_size=40).map(lambda text: f"X{text}X").filter(lambda text: "{{" not in text)
WORDS = st.text(string.ascii_letters + string.digits + "/+=%!~^*#.-_", min_size=8, max_size=40).map(lambda text: f"X{text}X")
NAMES = st.sampled_from(["password", "db_password", "apiKey", "client-secret", "TOKEN", "credentials", "auth"])

SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in JSON": lambda value: json.dumps({"said": value}),
    "in JSON with letters as they are": lambda value: json.dumps([value], ensure_ascii=False),
    "in JSON in JSON": lambda value: json.dumps({"body": json.dumps({"said": value})}),
    "in Python": lambda value: repr([value]),
    "in a shell": shlex.quote,
    "in a URL": lambda value: f"https://h/?x={urllib.parse.quote(value, safe='')}",
    "in a path": urllib.parse.quote,
    "in a form": lambda value: urllib.parse.urlencode({"x": value}),
    "in a URL, in small letters": lambda value: re.sub("%..", lambda found: found[0].lower(), urllib.parse.quote(value, safe="")),
    "in base64": lambda value: base64.b64encode(value.encode()).decode(),
    "in base64 behind one letter": lambda value: base64.b64encode(b":" + value.encode() + b":").decode(),
    "in base64 behind two letters": lambda value: base64.b64encode(b"u:" + value.encode() + b":").decode(),
    "in base64 for URLs": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
}

SHAPES: dict[str, Callable[[str, str], str]] = {
    "an assignment": lambda name, value: f"{name}={value} ./build",
    "YAML": lambda name, value: f"{name}: {value}",
    "JSON": lambda name, value: json.dumps({"a": 1, name: value, "b": 2}),
    "compact JSON": lambda name, value: json.dumps({"a": 1, name: value, "b": 2}, separators=(",", ":")),
    "JSON in JSON": lambda name, value: json.dumps({"body": json.dumps({name: value, "b": 2})}),
    "a Python dict": lambda name, value: repr({name: value, "b": 2}),
    "a list in JSON": lambda name, value: json.dumps({name: [value, value]}),
    "an option": lambda name, value: f"tool --{name} {value} --verbose",
    "an option with a sign": lambda name, value: f"tool --{name}={value} --verbose",
    "a list of words": lambda name, value: repr(["tool", f"--{name}", value]),
    "a query": lambda name, value: f"GET https://h/?{name}={urllib.parse.quote(value, safe='')}&page=2",
    "Ruby": lambda name, value: f'"{name}" => "{value}"',
    "a text that was cut": lambda name, value: f'{{"{name}": "{value}',
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@QUICK
@given(secret=SECRETS, before=st.text(PRINTABLE, max_size=20), after=st.text(PRINTABLE, max_size=20))
@example(secret="X'\"\\/@: %+&é\tX", before="", after="")
def test_a_known_secret_survives_in_no_spelling(spelling: str, secret: str, before: str, after: str) -> None:
    written = SPELLINGS[spelling](secret)
    cleaned = Redactor({secret}).text(f"{before} {written} {after}")
    assert HIDDEN in cleaned
    for form in (secret, json.dumps(secret)[1:-1], urllib.parse.quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")):
        assert form not in cleaned
    assert written not in cleaned


@pytest.mark.parametrize("shape", SHAPES)
@QUICK
@given(name=NAMES, secret=WORDS)
def test_what_stands_under_a_secret_name_survives_in_no_shape(shape: str, name: str, secret: str) -> None:
    cleaned = Redactor().text(f"the build said {SHAPES[shape](name, secret)}")
    assert secret not in cleaned
    assert secret[:-1] not in cleaned
    assert cleaned.startswith("the build said ")


@QUICK
@given(st.recursive(WORDS | st.integers(min_value=1_000_000_000), lambda inner: st.lists(inner, min_size=1, max_size=3), max_leaves=4), NAMES)
def test_lists_mappings_and_numbers_under_a_secret_name_go_wherever_it_stands(secret: Any, name: str) -> None:
    for data in ({name: secret}, {"db": {name: secret}}, [{"db": [{name: {"value": secret}}]}], {"headers": {"X-Probe": secret}}):
        cleaned = json.dumps(Redactor().clean(data))
        assert HIDDEN in cleaned
        for leaf in _leaves(secret):
            assert json.dumps(leaf).strip('"') not in cleaned


def _leaves(value: Any) -> list[Any]:
    return [leaf for item in value for leaf in _leaves(item)] if isinstance(value, list) else [value]


@QUICK
@given(SECRETS, NAMES)
def test_secrets_are_learnt_wherever_a_user_can_put_them(secret: str, name: str) -> None:
    quoted = urllib.parse.quote(secret, safe="")
    for place in (
        {name: secret},
        {"db": {"primary": {name: secret}}},
        {"users": [{"name": "deploy", name: secret}]},
        {name: {"value": secret}},
        {name: [secret]},
        {"plain": Vaulted(secret)},
        {"plain": [{"plain": Vaulted(secret)}]},
        {"health": [{"http": {"headers": {"X-Probe": secret}}}]},
        {"source": f"see https://deploy:{quoted}@h/x.tar.gz"},
        {"store": f"postgresql://h/x?user=deploy&password={quoted}"},
        {"settings": {"plain": secret}, name: "{{ settings.plain }}"},
    ):
        assert secret in secret_values(place), place


@QUICK
@given(st.text(string.ascii_letters + string.digits, min_size=12, max_size=40).map(lambda text: f"X{text}X"), st.integers(4, 40))
def test_half_a_secret_at_a_cut_goes_too(secret: str, kept: int) -> None:
    redactor = Redactor({secret})
    part = secret[: min(kept, len(secret) - 1)]
    text = f"the body begins {part}"
    assert redactor.text(shorten(text + "-" * 10, len(text) + 3)) == f"the body begins {HIDDEN}..."
    end = secret[-min(kept, len(secret) - 1) :]
    said = tail(f"{'-' * 20}{end} was wrong", len(f"...{end} was wrong"))
    assert redactor.text(said) == f"...{HIDDEN} was wrong"


@QUICK
@given(st.text(max_size=200))
def test_a_text_without_secrets_and_names_stays_as_it_is(text: str) -> None:
    plain = "".join(character for character in text if character not in "=:@?&-")
    assert Redactor().text(plain) == plain


@QUICK
@given(st.text(max_size=100), SECRETS)
def test_cleaning_twice_changes_nothing_more(text: str, secret: str) -> None:
    redactor = Redactor({secret})
    once = redactor.text(f"{text} password={secret} https://u:{secret}@h/ {secret}")
    assert redactor.text(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "Give a token by source.archive.headers.",
        "This host obeys fencing token 12 of ann (seen 2026-01-01) and refuses token 11 of bob",
        "{'token': 12, 'seen_token': 13}",
        "token: 12, seen_token: 13",
        "the token has expired; ask for another password",
        "Basic authentication is needed",
        "auth-api-1: HEALTH_CHECK_FAILED http://127.0.0.1:8000/health: status 500",
        "use_password: true, password: null",
        "password_file=/etc/app/password, token_ttl: 3600, token_url: https://id.example.org/token",
        "the key of the release is 1.4.2; see https://example.org/@scope/package",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor({"shop", "1234"}).text(text) == text


def test_short_values_are_hidden_only_as_words_of_their_own() -> None:
    redactor = Redactor({"shop", "1234", "abc"})
    assert redactor.text("shop_api has shop, 123456 and 1234; abc") == f"shop_api has {HIDDEN}, 123456 and {HIDDEN}; abc"


@pytest.mark.parametrize(
    "text",
    [
        "connect to postgresql://deploy:hunter2hunter2@db.example.org/store failed",
        "https://hunter2hunter2@git.example.org/a.git",
        "curl -H 'Authorization: Bearer hunter2hunter2'",
        "Authorization: Token hunter2 hunter2",
        "curl -H 'Cookie: session=hunter2; other=hunter2' https://h",
        "Set-Cookie: id=hunter2; path=/",
        "sent Bearer hunter2hunter2",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\nhunter2\n-----END OPENSSH PRIVATE KEY-----",
        "MYSQL_PWD=hunter2 ./build",
        "password == 'hunter2 hunter2'",
    ],
)
def test_the_shapes_that_carry_secrets_are_taken_out_of_texts(text: str) -> None:
    cleaned = Redactor().text(text)
    assert "hunter2" not in cleaned
    assert HIDDEN in cleaned


def test_values_known_to_be_secret_go_wherever_they_stand() -> None:
    cleaned = Redactor({"s3cr3t-value"}).clean({"msg": "the build said s3cr3t-value", "lines": ["s3cr3t-value", 3], "s3cr3t-value": True})
    assert "s3cr3t-value" not in repr(cleaned)
    assert cleaned["lines"][1] == 3


def test_flags_fencing_tokens_and_what_stands_beside_a_secret_stay() -> None:
    data = {"password": "x", "pin_password": 4711, "auth": {"user": "deploy", "method": "ldap", "value": "y"}, "use_auth": True, "token": 7, "version": "1.4.2"}
    shown = {**data, "password": HIDDEN, "pin_password": HIDDEN, "auth": {"user": "deploy", "method": "ldap", "value": HIDDEN}}
    assert Redactor().clean(data) == shown
    assert Redactor().clean({"password": "", "token": None}) == {"password": "", "token": None}


def test_templates_flags_and_short_things_are_not_taken_for_values() -> None:
    variables = {
        "db": {"password": "hunter22", "pin_password": 123456},
        "tokens": ["abcdef", "ghijkl", "{{ x }}"],
        "secret": "{{ vault_secret | default('') }}",
        "vault_secret": "{{ lookup('env', 'X') }}",
        "use_auth": "true",
        "token": 1234567,
        "version": "1.4.2",
        "pwd": "abc",
        "auth": {"user": "deploy", "port": 8080000},
    }
    assert secret_values(variables) == {"hunter22", "123456", "abcdef", "ghijkl"}


def test_each_line_of_a_key_is_known_by_itself() -> None:
    key = "-----BEGIN X-----\nMIIabcdefghijkl\nmnopqrstuvwx\n-----END X-----\n"
    assert Redactor({key}).text("it read mnopqrstuvwx") == f"it read {HIDDEN}"


@pytest.mark.parametrize("text", ["a1b2 " * 13000, "a-" * 32000, "password=" * 7000, "password='" + "\\'" * 30000, "a..." * 16000, "Basic" + " " * 60000])
def test_a_long_text_is_searched_in_a_moment(text: str) -> None:
    redactor = Redactor({f"secret number {number}" for number in range(200)})
    began = time.process_time()
    redactor.text(text)
    assert time.process_time() - began < 5


def test_many_secrets_cost_no_more_than_few() -> None:
    message = "http://127.0.0.1:8000/health: status 500 Internal Server Error, wanted 200; see the log of shop-api"
    many = Redactor({f"{number:x}-of-many-secrets-{number}" for number in range(2000)})
    began = time.process_time()
    for _time in range(200):
        many.text(message)
    assert time.process_time() - began < 1
