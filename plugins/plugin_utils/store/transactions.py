# Copyright (c) 2026, fraisier.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a piece of work in one transaction: repeated a few times on conflicts, once more on a connection that had died unnoticed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from ansible_collections.fraisier.deploy.plugins.plugin_utils.store import chain
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.engine import WRITE
from ansible_collections.fraisier.deploy.plugins.plugin_utils.store.failures import AWAY, CONFLICT, kind_of, translate

Result = TypeVar("Result")
ATTEMPTS = 8


class _CommitLost(Exception):
    """The connection broke while committing: nobody knows whether it happened."""

    def __init__(self, error: SQLAlchemyError) -> None:
        super().__init__(str(error))
        self.error = error


class Transactions:
    """The only door to the engine. ``timeout``: no new attempt begins that many seconds after the first one."""

    def __init__(self, engine: Engine, url: URL, timeout: float) -> None:
        self._reading = engine
        self._writing = engine.execution_options(**{WRITE: True})
        self._url = url
        self._timeout = timeout

    def read(self, doing: str, work: Callable[[Connection], Result]) -> Result:
        """``work`` in one reading transaction."""
        return self._run(self._reading, doing, work)

    def write(self, doing: str, work: Callable[[Connection], Result]) -> Result:
        """``work`` in one writing transaction: all of it or nothing. It may be called several times, each time on a clean state."""
        return self._run(self._writing, doing, work)

    def _run(self, engine: Engine, doing: str, work: Callable[[Connection], Result]) -> Result:
        retrying = Retrying(
            retry=retry_if_exception(_worth_repeating),
            stop=self._stop,
            wait=wait_random_exponential(multiplier=0.005, max=0.2),
            sleep=time.sleep,
            reraise=True,
        )
        try:
            result: Result = retrying(_once, engine, work)
            return result
        except _CommitLost as lost:
            raise translate(lost.error, self._url, doing) from None
        except SQLAlchemyError as error:
            raise translate(error, self._url, doing) from None

    def _stop(self, state: RetryCallState) -> bool:
        elapsed = (state.outcome_timestamp or 0.0) - state.start_time
        error = state.outcome.exception() if state.outcome else None
        # A dead connection in the pool is noticed by its first use; a second failure means that the server is away.
        attempts = 2 if isinstance(error, SQLAlchemyError) and kind_of(error) == AWAY else ATTEMPTS
        return state.attempt_number >= attempts or elapsed >= self._timeout * 0.7


def _once(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    with engine.connect() as connection:
        transaction = connection.begin()
        chain.begin(connection)
        try:
            result = work(connection)
            chain.end(connection)
        except BaseException:
            transaction.rollback()
            raise
        try:
            transaction.commit()
        except DBAPIError as error:
            if kind_of(error) == CONFLICT:
                raise
            raise _CommitLost(error) from error
        return result


def _worth_repeating(error: BaseException) -> bool:
    return isinstance(error, SQLAlchemyError) and kind_of(error) in (CONFLICT, AWAY)
