"""The daemon's way to Postgres: a pool, and a log line when it goes and when it is back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Final, Protocol, TypeVar

import psycopg
from psycopg_pool import PoolTimeout, TooManyRequests

from esl_agent.noc.log import Log
from esl_agent.store.pool import WAIT_S, Connection, Pool, without_password

#: What an outage looks like; anything else that Postgres says is an answer.
OUTAGE: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,  # a standby that is not promoted yet
    PoolTimeout,
    TooManyRequests,
)

#: How long the second try waits for a connection: a call waits for what comes of it.
AGAIN_WAIT_S: Final = 1.0
#: While Postgres is known to be away nobody waits for it longer: a call is to be refused, not kept waiting.
DOWN_WAIT_S: Final = 0.2

Result = TypeVar("Result")


class Connects(Protocol):
    """Where a connection for one piece of work comes from; it raises one of OUTAGE."""

    def connection(self) -> AbstractContextManager[Connection]: ...


class Database:
    def __init__(self, pool: Pool, url: str, log: Log) -> None:
        self._pool = pool
        self._where = without_password(url)
        self._log = log
        self.is_up = True

    def work(self, work: Callable[[Connection], Result]) -> Result:
        """What `work`, which may be repeated, returns; tried twice where the first connection proves dead."""
        if self.is_up:
            with suppress(*OUTAGE), self._pool.connection() as conn:
                return work(conn)
            self._pool.check()
        with self.connection(AGAIN_WAIT_S) as conn:
            return work(conn)

    @contextmanager
    def connection(self, wait_s: float = WAIT_S) -> Iterator[Connection]:
        """A connection for one piece of work; raises one of OUTAGE where Postgres does not answer."""
        try:
            with self._pool.connection(wait_s if self.is_up else DOWN_WAIT_S) as conn:
                yield conn
        except OUTAGE as error:
            if self.is_up:
                self.is_up = False
                self._log("DB_DOWN", database=self._where, error=" ".join(str(error).split()))
            raise
        if not self.is_up:
            self.is_up = True
            self._log("DB_UP", database=self._where)
