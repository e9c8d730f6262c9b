# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the database's own programs (pg_dump, mysqldump, ...): no password in a command line or an environment, a time limit on each call."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from ansible_collections.fraisier.deploy.plugins.module_utils.commands import run_command
from ansible_collections.fraisier.deploy.plugins.module_utils.errors import (
    ConfigurationError,
    DatabaseConnectionError,
    DatabaseError,
    DeploymentTimeoutError,
    ProviderError,
)
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.urls import describe
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.values import bounded

CONNECT_SECONDS = 10
PACKAGES = {
    "pg_dump": "postgresql-client",
    "pg_restore": "postgresql-client",
    "psql": "postgresql-client",
    "mariadb-dump": "mariadb-client",
    "mariadb": "mariadb-client",
    "mysqldump": "default-mysql-client",
    "mysql": "default-mysql-client",
}
"""Program to the package of Debian that brings it."""
PSYCOPG_ONLY = ("prepare_threshold", "autocommit", "row_factory", "cursor_factory", "context")
"""Arguments of psycopg that libpq does not know."""


def tool(*names: str) -> str:
    """Path of the first of these programs that is there; ConfigurationError names the package that brings the first one."""
    for name in names:
        path = shutil.which(name)
        if path is not None:
            return path
    hint = f"Install it beside Ansible: apt-get install {PACKAGES[names[0]]}"
    raise ConfigurationError(f"The program {' or '.join(names)} is not on this machine", hint=hint, context={"program": names[0]})


def run_tool(argv: Sequence[str], url: URL, timeout: float, environment: Mapping[str, str], folder: Path, name: str = "") -> str:
    """Run a program to its end in ``folder`` and return what it printed; a failure becomes a DatabaseError with its last words."""
    name = name or Path(argv[0]).name
    try:
        ended = run_command(list(argv), timeout=timeout, cwd=str(folder), env={"LC_ALL": "C.UTF-8", **environment})
    except DeploymentTimeoutError as error:
        hint = "Give it more time with -e time_limit=7200 (seconds), or look for what keeps the database busy"
        raise DatabaseConnectionError(f"{name} did not end within {timeout:g} s and was killed", category="TIMEOUT", hint=hint, cause=error) from None
    except ProviderError as error:
        raise DatabaseError(f"{name} could not be run: {error.message}", hint="Look at the installation of the database's client", cause=error) from None
    if ended.rc != 0:
        raise DatabaseError(f"{name} failed at {describe(url)}: {_words(ended.output, url)}", hint=_hint(ended.output), context={"program": name})
    return str(ended.stdout)


def _words(output: str, url: URL) -> str:
    """What the program said, without the password."""
    text = " ".join(line.strip() for line in output.splitlines() if line.strip()) or "it said nothing"
    secret = password(url)
    return bounded(text.replace(secret, "***") if secret else text, 800)


def _hint(output: str) -> str:
    if "version mismatch" in output:
        return "Install the client programs of the server's version, or a newer one"
    if "does not exist" in output and "role" in output:
        return "Create that role in the server first: the backup holds grants for it"
    return "Nothing was changed; remove the cause and run it again"


def password(url: URL) -> str:
    """The password that the URL holds, in its front part or among its options."""
    return str(url.password or url.query.get("password") or url.query.get("passwd") or "")


@contextmanager
def private_folder(parent: Path | None = None) -> Iterator[Path]:
    """A folder that only this user can enter (0700), removed with all in it at the end."""
    with tempfile.TemporaryDirectory(prefix=".fraisier-", dir=parent) as name:
        yield Path(name)


def write_private(path: Path, text: str) -> Path:
    """A new file that only this user can read (0600)."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    return path


def postgresql_access(url: URL, folder: Path) -> tuple[str, dict[str, str]]:
    """(conninfo without any secret, environment) for the programs of PostgreSQL. The password goes to a file that PGPASSFILE names."""
    from psycopg.conninfo import make_conninfo

    _positional, given = url.get_dialect()().create_connect_args(url)
    known: dict[str, Any] = {name: value for name, value in given.items() if name not in PSYCOPG_ONLY}
    if known.pop("sslpassword", None):
        hint = "Use a key file without a passphrase that only this user can read"
        raise ConfigurationError("The store's URL has an sslpassword, which the programs of PostgreSQL take on their command line only", hint=hint)
    secret = known.pop("password", None)
    environment = {"PGAPPNAME": "fraisier"}
    if secret:
        escaped = str(secret).replace("\\", "\\\\").replace(":", "\\:")
        environment["PGPASSFILE"] = str(write_private(folder / "pgpass", f"*:*:*:*:{escaped}\n"))
    return make_conninfo(**{"connect_timeout": CONNECT_SECONDS, **known}), environment


def mysql_access(url: URL, folder: Path) -> list[str]:
    """The first words of a command line of MySQL's and MariaDB's programs: a file of options that holds all of the way to the server."""
    _positional, given = url.get_dialect()().create_connect_args(url)
    options: dict[str, Any] = {
        "host": given.get("host"),
        "port": given.get("port"),
        "user": given.get("user"),
        "password": given.get("password") or given.get("passwd"),
        "socket": given.get("unix_socket"),
        "loose-connect-timeout": CONNECT_SECONDS,
        "default-character-set": "utf8mb4",
        **_mysql_tls(given),
    }
    lines = ["[client]", *(f"{name}={_quoted(value)}" for name, value in options.items() if value not in (None, ""))]
    # "loose-": not every one of these programs knows all of them.
    lines += ["[mysqldump]", "loose-set-gtid-purged=OFF", "loose-column-statistics=0"]
    path = write_private(folder / "client.cnf", "\n".join(lines) + "\n")
    return [f"--defaults-file={path}"]


def _mysql_tls(given: Mapping[str, Any]) -> dict[str, Any]:
    """PyMySQL's TLS options as the programs spell them; MariaDB and MySQL have different words for how strict to be."""
    tls = given.get("ssl") if isinstance(given.get("ssl"), Mapping) else {}
    named = {name: (tls or {}).get(name) or given.get(f"ssl_{name}") for name in ("ca", "capath", "cert", "key", "cipher")}
    options: dict[str, Any] = {f"ssl-{name}": value for name, value in named.items() if value}
    if not options:
        # As PyMySQL does it: what encrypts is welcome, nobody is asked for a certificate.
        return {"loose-ssl-verify-server-cert": "0"}
    trusted = bool(named["ca"] or named["capath"])
    unchecked = str((tls or {}).get("check_hostname", given.get("ssl_verify_identity", True))).lower() in ("false", "0", "no")
    options["loose-ssl"] = "1"
    options["loose-ssl-verify-server-cert"] = "1" if trusted and not unchecked else "0"
    options["loose-ssl-mode"] = "REQUIRED" if not trusted else "VERIFY_CA" if unchecked else "VERIFY_IDENTITY"
    return options


def _quoted(value: object) -> str:
    """A value as a file of options has it."""
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return f'"{text}"'
