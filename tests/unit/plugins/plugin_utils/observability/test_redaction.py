# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability.redaction import HIDDEN, Redactor, is_secret_name, secret_values


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "db_password",
        "DB_PASSWORD",
        "apiKey",
        "api-key",
        "token",
        "gitlab_token",
        "client_secret",
        "Authorization",
        "auth",
        "private_key",
        "passphrase",
        "Cookie",
    ],
)
def test_names_that_hold_secrets_are_known(name):
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["author", "keyboard", "authority", "monkey", "passenger", "tokenizer", "version", "compass", "secretary", "token_path"])
def test_names_that_only_look_so_are_left_alone(name):
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "text",
    [
        "connect to postgresql://deploy:hunter2hunter2@db.example.org/store failed",
        "https://hunter2hunter2@git.example.org/a.git",
        "curl -H 'Authorization: Bearer hunter2hunter2'",
        "PASSWORD=hunter2hunter2 ./build",
        '{"api_key": "hunter2hunter2"}'.replace('"api_key"', "api_key"),
        "mysql --password=hunter2hunter2",
        "token: hunter2hunter2",
    ],
)
def test_the_shapes_that_carry_secrets_are_taken_out_of_texts(text):
    cleaned = Redactor().text(text)
    assert "hunter2" not in cleaned
    assert HIDDEN in cleaned


def test_values_known_to_be_secret_go_wherever_they_stand():
    redactor = Redactor({"s3cr3t-value"})
    cleaned = redactor.clean({"msg": "the build said s3cr3t-value", "lines": ["s3cr3t-value", 3], "s3cr3t-value": True})
    assert "s3cr3t-value" not in repr(cleaned)
    assert cleaned["lines"][1] == 3


def test_values_under_secret_names_go_but_numbers_and_flags_stay():
    cleaned = Redactor().clean({"password": "x", "nested": {"api_key": "y"}, "token": 7, "version": "1.4.2"})
    assert cleaned == {"password": HIDDEN, "nested": {"api_key": HIDDEN}, "token": 7, "version": "1.4.2"}


def test_secret_values_are_found_in_nested_variables_and_templates_are_not_taken_for_values():
    variables = {"db": {"password": "hunter22"}, "tokens": ["abcdef", "ghijkl"], "secret": "{{ vault_secret }}", "version": "1.4.2", "pwd": "abc"}
    assert secret_values(variables) == {"hunter22", "abcdef", "ghijkl"}


@given(st.text(alphabet=st.characters(categories=["L", "N"]), min_size=6, max_size=40), st.text(max_size=60), st.text(max_size=60))
def test_a_known_secret_survives_in_no_text(secret, before, after):
    cleaned = Redactor({secret}).text(before + secret + after)
    assert secret not in cleaned.replace(HIDDEN, "") or secret in (before + after)
