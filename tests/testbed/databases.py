# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Throw-away PostgreSQL and MariaDB servers: started in seconds on a free port of loopback, killed and started again by fault tests."""

from __future__ import annotations

import re
import secrets
import signal
from typing import Any

from tests.testbed.database_server import Server
from tests.testbed.packages import find
from tests.testbed.process import TestbedError

__all__ = ["MariadbServer", "PostgresqlServer", "Server", "fresh_name"]


def _program(command: str) -> str:
    path = find(command)
    if path is None:
        raise TestbedError(f"{command}: no such command")
    return path


class PostgresqlServer(Server):
    """PostgreSQL of the machine. What was committed survives :meth:`kill`; only a crash of the kernel would lose it (fsync is off)."""

    scheme = "postgresql"
    account = "postgres"
    commands = ("initdb", "postgres")
    death_signal = signal.SIGQUIT

    def _create_cluster(self) -> None:
        secret = self.folder / "password"
        secret.write_text(self.password, encoding="ascii")
        self._prepare(
            [_program("initdb"), "-D", str(self.data), "-U", self.user, "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C", "--no-sync"]
        )

    def _command(self) -> list[str]:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",  # no socket, so no limit on the length of the path
            "fsync": "off",
            "max_connections": 60,
            "shared_buffers": "32MB",
        }
        return [_program("postgres"), "-D", str(self.data), *(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))]

    def connect(self, database: str | None = None) -> Any:
        import psycopg  # here: only tests that use this server need the driver

        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=self.user, password=self.password, dbname=database or "postgres", autocommit=True, connect_timeout=5
        )

    def create_database(self, name: str) -> str:
        self.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


class MariadbServer(Server):
    """MariaDB of the machine. What was committed survives :meth:`kill`; only a crash of the kernel would lose it."""

    scheme = "mariadb"
    account = "mysql"
    commands = ("mariadbd", "mariadb-install-db")
    death_signal = signal.SIGKILL

    def _create_cluster(self) -> None:
        install = [_program("mariadb-install-db"), "--no-defaults", f"--datadir={self.data}", "--auth-root-authentication-method=normal", "--skip-test-db"]
        self._prepare([*install, "--innodb-flush-log-at-trx-commit=0"])
        account = f"'{self.user}'@'%'"
        statements = [
            "USE mysql",
            "FLUSH PRIVILEGES",
            f"CREATE USER {account} IDENTIFIED BY '{self.password}'",
            f"GRANT ALL ON *.* TO {account} WITH GRANT OPTION",
            "DROP USER root@localhost",
        ]
        bootstrap = [_program("mariadbd"), "--no-defaults", f"--datadir={self.data}", "--bootstrap", "--innodb-flush-log-at-trx-commit=0"]
        self._prepare(bootstrap, input="".join(f"{statement};\n" for statement in statements))

    def _command(self) -> list[str]:
        return [
            _program("mariadbd"), "--no-defaults", f"--datadir={self.data}", "--socket=socket", "--pid-file=pid", f"--port={self.port}",
            "--bind-address=127.0.0.1", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=32M",
            "--lock-wait-timeout=20", "--performance-schema=off",
        ]  # fmt: skip

    def connect(self, database: str | None = None) -> Any:
        import pymysql  # here: only tests that use this server need the driver

        return pymysql.connect(host="127.0.0.1", port=self.port, user=self.user, password=self.password, database=database, autocommit=True, connect_timeout=5)

    def create_database(self, name: str) -> str:
        self.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_]+", name):
            raise TestbedError(f"odd name of a database: {name!r}")
        for (number,) in self.execute(f"SELECT id FROM information_schema.processlist WHERE db = '{name}'"):
            try:
                self.execute(f"KILL {number}")
            except Exception as error:  # the driver's own kind; the connection ended by itself meanwhile
                if "Unknown thread id" not in str(error):
                    raise
        self.execute(f"DROP DATABASE IF EXISTS `{name}`")


def fresh_name() -> str:
    """A name for a database that no other test has."""
    return f"fraisier_{secrets.token_hex(6)}"
