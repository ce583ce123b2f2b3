"""Connections to Postgres: single ones for a command, a pool for the daemon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

from esl_agent.errors import EslAgentError
from esl_agent.store.green import GreenConnection

Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]
Pool = ConnectionPool[Connection]

CONNECT_TIMEOUT_S: Final = 5
STATEMENT_TIMEOUT_MS: Final = 10_000
#: How long a caller waits for a free connection before psycopg_pool.PoolTimeout.
#: Never wrap that wait in a gevent.Timeout or kill it: the connection would be lost to the pool.
WAIT_S: Final = 5.0
WAITING_MAX: Final = 1000
#: A lost connection is tried again for so long; after that, whenever somebody asks for one.
RECONNECT_S: Final = 5.0
#: The server ends what takes longer: a frozen daemon must not hold an account's lock.
SESSION_LIMITS_MS: Final = {
    "lock_timeout": 5_000,
    "statement_timeout": STATEMENT_TIMEOUT_MS,
    "idle_in_transaction_session_timeout": 10_000,
}
#: A server that is gone without a word is told from one that works long (libpq's parameters, seconds).
KEEPALIVES: Final = {"keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
#: … and so is one that does not even take what it is sent (milliseconds).
TAKEN_WITHIN_MS: Final = 25_000


class DatabaseError(EslAgentError):
    """The database can't be reached, or isn't ours; the text never has the password."""


def open_pool(
    url: str,
    max_size: int,
    *,
    min_size: int = 1,
    name: str = "esl-agent",
    connect_timeout_s: int = CONNECT_TIMEOUT_S,
    statement_timeout_ms: int = STATEMENT_TIMEOUT_MS,
) -> Pool:
    """A pool that heals by itself when the database goes and comes back; opening it doesn't wait for one.

    Connections are not tried before they are handed out, for that would cost
    every batch a round trip: the first use of each after an outage fails.
    """
    limits_ms = SESSION_LIMITS_MS | {"statement_timeout": statement_timeout_ms}
    return ConnectionPool(
        url,
        connection_class=GreenConnection,
        kwargs=_options(name) | {"connect_timeout": connect_timeout_s},
        configure=partial(_configure, limits_ms=limits_ms),
        min_size=min_size,
        max_size=max_size,
        max_waiting=WAITING_MAX,
        timeout=WAIT_S,
        reconnect_timeout=RECONNECT_S,
        name=name,
        open=True,
    )


#: What a statement of ours meets in a database of an older version, or of something else.
UNMIGRATED: Final = (
    psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedFunction,
)  # fmt: skip


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """One connection for one command; raises DatabaseError in words for what a person can put right."""
    try:
        conn = psycopg.connect(url, **_options("esl-agent command"))
    except psycopg.Error as error:
        raise DatabaseError(f"can't reach the database at {without_password(url)}: {error}") from None
    with conn:
        try:
            yield conn
        except UNMIGRATED:
            raise DatabaseError(
                f"the database at {without_password(url)} lacks tables of esl-agent: run `esl-agent migrate`"
            ) from None
        except (psycopg.OperationalError, psycopg.errors.InsufficientPrivilege) as error:
            raise DatabaseError(f"the database at {without_password(url)} says: {error}") from None


def connect_to_listen(url: str) -> Connection:
    """A connection that waits for notices, for long; if the server is gone it ends within half a minute."""
    return psycopg.connect(url, **_options("esl-agent listener"))


def as_columns(rows: Iterable[Sequence[object]]) -> list[list[object]]:
    """Rows (at least one) turned into columns, the way unnest() takes a batch in one statement."""
    return [list(column) for column in zip(*rows, strict=True)]


def without_password(url: str) -> str:
    """What may be shown of a connection URL."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        return "(a connection URL that can't be read)"
    shown = ("host", "port", "dbname", "user")
    return " ".join(f"{key}={parts[key]}" for key in shown if key in parts) or "the default host"


def _options(application_name: str) -> dict[str, Any]:
    return {
        "autocommit": True,  # every write opens its own transaction
        "prepare_threshold": None,  # a pooler may change the server under a connection
        "connect_timeout": CONNECT_TIMEOUT_S,
        "application_name": application_name,
        "tcp_user_timeout": TAKEN_WITHIN_MS,
        **KEEPALIVES,
    }


def _configure(conn: Connection, limits_ms: Mapping[str, int]) -> None:
    for setting, limit_ms in limits_ms.items():
        conn.execute("SELECT set_config(%s, %s, false)", [setting, str(limit_ms)])
