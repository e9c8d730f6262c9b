# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names hold secrets."""

from __future__ import annotations

import pytest

from ansible_collections.fraisier.deploy.plugins.plugin_utils.observability.names import holds_secrets, is_fencing_token, is_secret_name


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "db_password",
        "DB_PASSWORD",
        "apiKey",
        "api-key",
        "X-Api-Key",
        "token",
        "gitlab_token",
        "client_secret",
        "Authorization",
        "auth",
        "basic_auth",
        "private_key",
        "signing_key",
        "passphrase",
        "Set-Cookie",
        "db.password",
        "MYSQL_PWD",
        "secrets",
        "secret_id",
    ],
)
def test_names_that_hold_secrets_are_known(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["author", "keyboard", "authority", "monkey", "passenger", "tokenizer", "version", "compass", "secretary", "auth_api", "auth-api-1", "keep"],
)
def test_names_that_only_look_so_are_left_alone(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize("name", ["token_path", "password_file", "token_url", "tokenTtl", "auth_method", "secret_name", "cookie_domain", "fence_token"])
def test_names_of_something_about_a_secret_are_left_alone(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("name", "inside", "secret"),
    [
        ("user", True, False),
        ("port", True, False),
        ("value", True, True),
        ("value", False, False),
        ("headers", False, True),
        ("request_headers", False, True),
        ("response_headers", False, False),
        ("Content-Type", True, False),
        ("X-Probe", True, True),
    ],
)
def test_what_stands_in_a_secret_mapping_is_secret_but_for_what_names_it(name: str, inside: bool, secret: bool) -> None:
    assert holds_secrets(name, inside) is secret


@pytest.mark.parametrize(("name", "value", "fencing"), [("token", 7, True), ("seen_token", 7, True), ("token", "7", False), ("password", 7, False)])
def test_a_fencing_token_is_a_number_under_its_own_name(name: str, value: object, fencing: bool) -> None:
    assert is_fencing_token(name, value) is fencing
