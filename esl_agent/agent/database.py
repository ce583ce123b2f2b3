"""Postgres, as the daemon sees it: it may be away, and then its absence is told once, and when it is back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from socket import SHUT_RDWR
from typing import Final, Protocol, TypeVar

import gevent
import psycopg
from gevent.monkey import get_original
from psycopg_pool import PoolTimeout, TooManyRequests

from esl_agent.noc.log import Log
from esl_agent.store.pool import WAIT_S, Connection, Pool, without_password

#: What an outage looks like; anything else that Postgres says is an answer.
OUTAGE: Final = (
    psycopg.OperationalError,  # gone, starting, stopping, out of disk, memory or connections, timed out
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,  # a standby that is not promoted yet
    psycopg.errors.IdleInTransactionSessionTimeout,  # we were frozen, and Postgres hung up
    psycopg.errors.TransactionTimeout,
    PoolTimeout,
    TooManyRequests,
)

#: How long the second try waits for a connection: a call waits for what comes of it.
AGAIN_WAIT_S: Final = 1.0
#: While Postgres is known to be away nobody waits for it longer: a call is to be refused, not kept waiting.
DOWN_WAIT_S: Final = 0.2
#: A server that is frozen, or behind a network that swallows everything, never says so: after
#: this long we hang up.  Postgres itself ends what takes long before (see store/pool.py).
SILENCE_MAX_S: Final = 30.0

Result = TypeVar("Result")

_unpatched_socket = get_original("socket", "socket")


class Connects(Protocol):
    """Where a connection for one piece of work comes from; it raises one of OUTAGE."""

    def connection(self) -> AbstractContextManager[Connection]: ...


class Database:
    def __init__(self, pool: Pool, url: str, log: Log, silence_max_s: float = SILENCE_MAX_S) -> None:
        self._pool = pool
        self._where = without_password(url)
        self._log = log
        self._silence_max_s = silence_max_s
        self.is_up = True
        #: How often somebody was told that Postgres does not answer.
        self.outages = 0

    @property
    def waiting(self) -> int:
        """Who waits for a connection of the pool."""
        return self._pool.get_stats()["requests_waiting"]

    def connections(self) -> dict[str, int]:
        """How many the pool has, in use and idle."""
        stats = self._pool.get_stats()
        idle = stats["pool_available"]
        return {"in use": stats["pool_size"] - idle, "idle": idle}

    def work(self, work: Callable[[Connection], Result]) -> Result:
        """What `work`, which may be repeated, returns; tried twice where the first connection proves dead."""
        if self.is_up:
            try:
                with self._pooled(WAIT_S) as conn:
                    return work(conn)
            except (PoolTimeout, TooManyRequests):
                pass  # all are in use: none of them is known to be dead
            except OUTAGE:
                # The others may be as dead; to ask each of them could take as long as its server is frozen.
                self._pool.drain()
        with self.connection(AGAIN_WAIT_S) as conn:
            return work(conn)

    @contextmanager
    def connection(self, wait_s: float = WAIT_S) -> Iterator[Connection]:
        """A connection for one piece of work; raises one of OUTAGE where Postgres does not answer."""
        try:
            with self._pooled(wait_s if self.is_up else DOWN_WAIT_S) as conn:
                yield conn
        except OUTAGE as error:
            self.outages += 1
            if self.is_up:
                self.is_up = False
                self._log("DB_DOWN", database=self._where, error=" ".join(str(error).split()))
            raise
        if not self.is_up:
            self.is_up = True
            self._log("DB_UP", database=self._where)

    @contextmanager
    def _pooled(self, wait_s: float) -> Iterator[Connection]:
        with self._pool.connection(wait_s) as conn:
            # A callback of the hub's, not a greenlet: each piece of work has one, and it hardly ever rings.
            silence = gevent.get_hub().loop.timer(self._silence_max_s)
            silence.start(_hang_up, conn)
            try:
                yield conn
            except psycopg.errors.ReadOnlySqlTransaction:
                conn.close()  # another server may have taken over: a new connection finds it
                raise
            finally:
                silence.stop()
                silence.close()


def _hang_up(conn: Connection) -> None:
    """Whoever waits on the connection is told that the server has gone; the descriptor stays as it is."""
    with suppress(OSError, psycopg.Error), _unpatched_socket(fileno=os.dup(conn.fileno())) as end:
        end.shutdown(SHUT_RDWR)
