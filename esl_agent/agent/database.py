"""The daemon's way to Postgres: a pool, and a log line when it goes and when it is back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout, TooManyRequests

from esl_agent.noc.log import Log
from esl_agent.store.pool import Connection, Pool, without_password

#: What an outage looks like; anything else that Postgres says is an answer.
OUTAGE: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,  # a standby that is not promoted yet
    PoolTimeout,
    TooManyRequests,
)


class Database:
    def __init__(self, pool: Pool, url: str, log: Log) -> None:
        self._pool = pool
        self._where = without_password(url)
        self._log = log
        self.is_up = True

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection for one piece of work; raises one of OUTAGE where Postgres does not answer."""
        try:
            with self._pool.connection() as conn:
                yield conn
        except OUTAGE as error:
            if self.is_up:
                self.is_up = False
                self._log("DB_DOWN", database=self._where, error=" ".join(str(error).split()))
            raise
        if not self.is_up:
            self.is_up = True
            self._log("DB_UP", database=self._where)
