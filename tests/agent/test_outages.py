"""Postgres not well, in each way for real: the settler waits, loses nothing and needs no restart."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import psycopg
import pytest
from fixtures.journals import a_journal
from fixtures.records import a_cdr, an_account, money

from esl_agent.agent.database import OUTAGE, Database
from esl_agent.agent.money.settler import Settler
from esl_agent.store.pool import Connection, connected, open_pool

from .conftest import PATIENCE_S, Journal

Start = Callable[..., Settler]
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
POOL = "of the test"


@pytest.fixture
def start(database_url: str, journal: Journal, tmp_path: Path, conn: Connection) -> Iterator[Start]:
    """Starts a settler with a pool of its own; account 1001 has 5.0000."""
    an_account(conn, 1001, "5")
    ends: list[Callable[[], None]] = []

    def begin(
        url: str = database_url, *, silence_max_s: float = 30, statement_timeout_ms: int = 10_000
    ) -> Settler:
        pool = open_pool(url, 2, name=POOL, statement_timeout_ms=statement_timeout_ms, connect_timeout_s=2)
        database = Database(pool, url, journal, silence_max_s)
        settler = Settler(
            database, a_journal(tmp_path), lambda: None,  # type: ignore[arg-type, return-value]
            journal, queue_max=100, batch_max=10, retry_max_s=1,
        )  # fmt: skip
        settler.open()
        running = gevent.spawn(settler.run)
        ends.extend((pool.close, settler.close, running.kill))
        return settler

    yield begin
    for end in reversed(ends):
        end()


def settle(settler: Settler, leg: str) -> None:
    settler.settle(a_cdr(1001, leg, "1.0000"))


def assert_settled(settler: Settler, conn: Connection, *legs: str) -> None:
    """Each of these once, and nothing else."""
    assert settler.wait_empty(PATIENCE_S)
    written = conn.execute("SELECT leg_uuid FROM cdrs ORDER BY leg_uuid").fetchall()
    assert [leg for (leg,) in written] == sorted(legs)
    assert money(conn, 1001) == (f"{5 - len(legs)}.0000", "0.0000")


def backends(conn: Connection) -> list[int]:
    return [pid for (pid,) in conn.execute(BACKENDS, [POOL]).fetchall()]


#: SQLSTATEs of a server that is not well; `%s` says in which way (appendix A of its manual).
@pytest.mark.parametrize(
    ("state", "what"),
    [
        ("08006", "connection failure"),
        ("08003", "connection does not exist"),
        ("25006", "read-only transaction"),
        ("25P03", "idle in transaction for too long"),
        ("25P04", "transaction for too long"),
        ("28P01", "wrong password, as while it is changed"),
        ("40001", "serialization failure"),
        ("40P01", "deadlock"),
        ("53100", "disk full"),
        ("53200", "out of memory"),
        ("53300", "too many connections"),
        ("55P03", "lock not available in time"),
        ("57014", "statement timeout"),
        ("57P01", "shut down by the administrator"),
        ("57P02", "crash of another backend"),
        ("57P03", "starting or stopping"),
        ("57P05", "idle for too long"),
        ("58030", "I/O error"),
    ],
)
def test_what_counts_as_an_outage(state: str, what: str) -> None:
    assert issubclass(psycopg.errors.lookup(state), OUTAGE), what


@pytest.mark.parametrize("state", ["22003", "23505", "23514", "42P01", "42501", "P0001", "21000"])
def test_what_is_an_answer(state: str) -> None:
    assert not issubclass(psycopg.errors.lookup(state), OUTAGE)


def test_connections_that_are_ended_by_the_administrator(
    start: Start, conn: Connection, journal: Journal
) -> None:
    settler = start()
    settle(settler, "before")
    assert_settled(settler, conn, "before")
    for pid in backends(conn):
        conn.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    settle(settler, "after")
    assert_settled(settler, conn, "before", "after")
    assert len(journal.of("DB_DOWN")) == len(journal.of("DB_UP")) == 1


def test_a_server_that_is_read_only_and_another_that_takes_over(
    start: Start, conn: Connection, journal: Journal
) -> None:
    name = conn.info.dbname
    conn.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    settler = start()
    settle(settler, "one")
    assert "read-only" in str(journal.wait_for("DB_DOWN")[0]["error"])
    # Sessions keep what they began with, as they keep a server that was demoted: only a new one can write.
    conn.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    assert_settled(settler, conn, "one")


def test_a_statement_that_takes_too_long(
    start: Start, conn: Connection, database_url: str, journal: Journal
) -> None:
    settler = start(statement_timeout_ms=200)
    with connected(database_url) as other, other.transaction():
        other.execute("SELECT FROM accounts WHERE account_id = 1001 FOR UPDATE")
        settle(settler, "one")
        assert "statement timeout" in str(journal.wait_for("DB_DOWN")[0]["error"])
    assert_settled(settler, conn, "one")


@contextmanager
def somebody(conn: Connection) -> Iterator[str]:
    """A role that may have one connection, and do all that the daemon does."""
    role = f"narrow_{conn.info.dbname}"
    conn.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1")
    conn.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    yield role
    conn.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s", [role])
    conn.execute(f"DROP OWNED BY {role}")
    conn.execute(f"DROP ROLE {role}")


def test_a_server_that_has_no_connection_left(
    start: Start, conn: Connection, database_url: str, journal: Journal
) -> None:
    with somebody(conn) as role:
        url = database_url.replace("postgres@", f"{role}@")
        with connected(url):
            settler = start(url)
            settle(settler, "one")
            journal.wait_for("DB_DOWN")
        assert_settled(settler, conn, "one")


def test_a_server_that_is_frozen_is_hung_up_on(start: Start, conn: Connection, journal: Journal) -> None:
    settler = start(silence_max_s=0.5)
    settle(settler, "before")
    assert_settled(settler, conn, "before")
    frozen = backends(conn)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        settle(settler, "after")
        journal.wait_for("DB_DOWN")
        assert_settled(settler, conn, "before", "after")  # by another connection
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)


def test_nobody_waits_for_the_idle_connections_of_a_server_that_is_frozen(
    database_url: str, conn: Connection, journal: Journal
) -> None:
    """Two of them: one is hung up on, and the other is not asked whether it still lives."""
    with open_pool(database_url, 3, min_size=2, name=POOL, connect_timeout_s=2) as pool:
        pool.wait()
        database = Database(pool, database_url, journal, silence_max_s=0.5)
        frozen = backends(conn)
        assert len(frozen) == 2
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            with gevent.Timeout(PATIENCE_S, AssertionError("it waits for the frozen server")):
                assert database.work(_one) == 1  # by a new connection
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)


def _one(conn: Connection) -> int:
    row = conn.execute("SELECT 1").fetchone()
    return row[0] if row else 0
