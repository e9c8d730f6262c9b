# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases beside the store's own: one to try a backup in, made and dropped by a connection that runs no transaction."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import column, func, inspect, select, table
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.backup_files import Contents
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.engine import make_engine
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.failures import ACCESS, kind_of, translate
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.revisions import current_revision

STATEMENT_SECONDS = 120.0
NAME_LIMIT = 63


@contextmanager
def opened(url: URL) -> Iterator[Engine]:
    """An engine for work that takes longer than the statements of a deployment."""
    engine = make_engine(url, timeout=STATEMENT_SECONDS)
    try:
        yield engine
    finally:
        engine.dispose()


def contents_of(connection: Connection) -> Contents:
    """The revision and the rows of each table of a store, those of later revisions too."""
    names = sorted(name for name in inspect(connection).get_table_names() if name.startswith("tb_"))
    rows = {name: int(connection.execute(select(func.count()).select_from(table(name, column("id")))).scalar_one()) for name in names}
    return Contents(current_revision(connection), rows)


def run_alone(engine: Engine, *statements: str) -> None:
    """Run statements each by itself, outside of any transaction."""
    with engine.execution_options(isolation_level="AUTOCOMMIT", no_parameters=True).connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def scratch_name(url: URL) -> str:
    """A name for a database beside that of ``url`` which no other has."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", url.database or "store")
    return f"{plain[: NAME_LIMIT - 17]}_scratch_{secrets.token_hex(4)}"


@contextmanager
def scratch_database(url: URL, notes: list[str], fill: Callable[[URL], None] | None = None) -> Iterator[URL | None]:
    """A database beside that of ``url``, filled by ``fill``, dropped at the end (or named in ``notes``); nothing when this user may not create one."""
    postgresql = url.get_backend_name() == "postgresql"
    name = scratch_name(url)
    making = f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'" if postgresql else f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4"
    dropping = f'DROP DATABASE IF EXISTS "{name}"' if postgresql else f"DROP DATABASE IF EXISTS `{name}`"
    with opened(url) as engine:
        try:
            run_alone(engine, making)
        except SQLAlchemyError as error:
            if kind_of(error) != ACCESS:
                raise translate(error, url, "making a database to try the backup in") from None
            yield None
            return
        try:
            place = url.set(database=name)
            if fill is not None:
                fill(place)
            yield place
        finally:
            try:
                run_alone(engine, dropping)
            except SQLAlchemyError as error:
                notes.append(f"the scratch database {name} is left: {translate(error, url, 'dropping it').message}")
