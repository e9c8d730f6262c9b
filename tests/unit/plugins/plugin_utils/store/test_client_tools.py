# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the database's own programs are called: nothing secret in their command line, an end to their time, a name for what is missing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ansible_collections.fraisier.deploy.plugins.module_utils.errors import ConfigurationError, DatabaseConnectionError, DatabaseError
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.client_tools import mysql_access, postgresql_access, private_folder, run_tool, tool
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.urls import parse_url

SECRET = "p:a\\ss\"w'o#rd"
QUOTED = "p%3Aa%5Css%22w%27o%23rd"


@pytest.mark.parametrize(("program", "package"), [("pg_dump", "postgresql-client"), ("mariadb-dump", "mariadb-client"), ("mysqldump", "default-mysql-client")])
def test_a_missing_program_is_named_with_its_package(program: str, package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match=program) as caught:
        tool(program)
    assert f"apt-get install {package}" in caught.value.hint


def test_the_password_for_postgresql_lies_in_a_file_and_its_tls_options_are_carried_over(tmp_path: Path) -> None:
    url = parse_url(f"postgresql://ann:{QUOTED}@db1:5433/shop?sslmode=verify-full&sslrootcert=/etc/ca.pem&prepare_threshold=0")
    conninfo, environment = postgresql_access(url, tmp_path)
    assert SECRET not in conninfo + str({name: value for name, value in environment.items() if name != "PGPASSFILE"})
    assert {"host=db1", "port=5433", "user=ann", "dbname=shop", "sslmode=verify-full", "sslrootcert=/etc/ca.pem"} <= set(conninfo.split())
    assert "prepare_threshold" not in conninfo
    kept = Path(environment["PGPASSFILE"])
    assert kept.read_text(encoding="utf-8") == "*:*:*:*:p\\:a\\\\ss\"w'o#rd\n"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_password_among_the_options_of_the_url_is_no_less_secret(tmp_path: Path) -> None:
    conninfo, environment = postgresql_access(parse_url("postgresql://db1/shop?user=ann&password=hidden-word"), tmp_path)
    assert "hidden-word" not in conninfo
    assert "hidden-word" in Path(environment["PGPASSFILE"]).read_text(encoding="utf-8")
    with pytest.raises(ConfigurationError, match="sslpassword"):
        postgresql_access(parse_url("postgresql://db1/shop?sslpassword=hidden-word"), tmp_path)


def test_the_way_to_mysql_lies_in_a_file_of_options(tmp_path: Path) -> None:
    words = mysql_access(parse_url(f"mysql://ann:{QUOTED}@db1:3307/shop?ssl_ca=/etc/ca.pem&ssl_cert=/etc/me.pem&ssl_key=/etc/me.key"), tmp_path)
    (word,) = words
    assert SECRET not in word
    kept = Path(word.removeprefix("--defaults-file="))
    lines = kept.read_text(encoding="utf-8").splitlines()
    wanted = {
        'host="db1"',
        'port="3307"',
        'user="ann"',
        'password="p:a\\\\ss\\"w\'o#rd"',
        'ssl-ca="/etc/ca.pem"',
        'ssl-cert="/etc/me.pem"',
        'ssl-key="/etc/me.key"',
        'loose-ssl-verify-server-cert="1"',
        'loose-ssl-mode="VERIFY_IDENTITY"',
    }
    assert wanted <= set(lines)
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("query", "mode"),
    [("", None), ("?ssl_ca=/ca.pem&ssl_check_hostname=false", '"VERIFY_CA"'), ("?ssl_cert=/me.pem&ssl_key=/me.key", '"REQUIRED"')],
)
def test_a_server_is_asked_for_its_name_only_when_the_url_asks_for_it(query: str, mode: str | None, tmp_path: Path) -> None:
    (word,) = mysql_access(parse_url(f"mysql://ann@db1/shop{query}"), tmp_path)
    lines = Path(word.removeprefix("--defaults-file=")).read_text(encoding="utf-8").splitlines()
    assert 'loose-ssl-verify-server-cert="0"' in lines
    assert [line.partition("=")[2] for line in lines if line.startswith("loose-ssl-mode")] == ([mode] if mode else [])


def test_the_folder_of_secrets_is_private_and_goes() -> None:
    with private_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_a_program_that_does_not_end_is_killed(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(DatabaseConnectionError, match=r"sleep did not end within 0\.3 s and was killed") as caught:
        run_tool(["sleep", "60"], parse_url("postgresql://ann@db1/shop"), 0.3, {}, tmp_path)
    assert time.monotonic() - started < 30
    assert "time_limit" in caught.value.hint


def test_what_a_failing_program_says_is_told_without_the_password(tmp_path: Path) -> None:
    url = parse_url("postgresql://ann:hidden-word@db1/shop")
    with pytest.raises(DatabaseError) as caught:
        run_tool(["sh", "-c", "echo 'no entry with hidden-word' >&2; exit 3"], url, 10, {}, tmp_path)
    assert caught.value.message == "sh failed at PostgreSQL ann@db1/shop: no entry with ***"
