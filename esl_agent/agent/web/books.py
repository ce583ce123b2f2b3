"""The HTTP server's own ways to Postgres: small pools, so that a slow search keeps no call waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import psycopg

from esl_agent.agent.database import OUTAGE, Database, Result
from esl_agent.config import Config
from esl_agent.noc.log import Log
from esl_agent.store.pool import Connection, open_pool
from esl_agent.web.ports import DatabaseAwayError, DatabaseRefusedError, TooSlowError

#: A privilege or a migration is missing.
MISFIT: Final = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
)


class PooledBooks:
    """See web.ports.Books.  No connection is made before one is wanted."""

    def __init__(self, url: str, config: Config, log: Log) -> None:
        self._log = log
        self._pool = open_pool(
            url,
            config.web.pool_max,
            min_size=0,
            name="esl-agent web",
            connect_timeout_s=config.database.connect_timeout_s,
            statement_timeout_ms=config.web.statement_timeout_ms,
        )
        self._database = Database(self._pool, url, _say_nothing)

    def work(self, work: Callable[[Connection], Result]) -> Result:
        def in_time(conn: Connection) -> Result:
            try:
                return work(conn)
            except psycopg.errors.QueryCanceled:  # else it would pass for an outage, and be tried again
                raise TooSlowError("the database took too long over it") from None
            except MISFIT as error:
                self._log("DB_REFUSED", statement="web", error=" ".join(str(error).split()))
                raise DatabaseRefusedError("the database refuses this to the daemon's login") from None

        try:
            return self._database.work(in_time)
        except OUTAGE:
            raise DatabaseAwayError("the database does not answer") from None

    def close(self) -> None:
        self._pool.close()


def _say_nothing(word: str, /, **fields: object) -> None:
    """The daemon's own pool tells that Postgres is away, and when it is back."""
