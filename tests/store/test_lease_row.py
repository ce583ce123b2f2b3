"""The lease of a switch on a real Postgres: one holder, whoever comes when, and however late."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import gevent
import psycopg
import pytest

from esl_agent.core.lease import Row
from esl_agent.store import lease
from esl_agent.store.pool import Connection

LEASE_US = 1_500_000
SWITCH = "montreal"
PATIENCE_S = 15.0


@pytest.fixture
def session(database_url: str) -> Iterator[Callable[[], Connection]]:
    """Makes sessions as daemons have them."""
    made: list[Connection] = []

    def connect() -> Connection:
        made.append(lease.connect_to_lease(database_url))
        return made[-1]

    yield connect
    for conn in made:
        conn.close()


def wanted(holder: str, epoch: int) -> Row:
    return Row(holder, epoch, 0, LEASE_US)


def take_in_the_end(conn: Connection, seen: Row | None, row: Row) -> None:
    """The session that is ended goes when it hears of it."""
    with gevent.Timeout(PATIENCE_S):
        while not lease.take(conn, SWITCH, seen, row):
            gevent.sleep(0.01)


def test_the_first_to_come_has_it_and_the_second_does_not(session: Callable[[], Connection]) -> None:
    a, b = session(), session()
    assert lease.read(a, SWITCH) is None
    assert lease.take(a, SWITCH, None, wanted("a", 1))
    assert lease.take(b, SWITCH, None, wanted("b", 1)) is False
    assert lease.read(b, SWITCH) == Row("a", 1, 1, LEASE_US)


def test_each_renewal_can_be_seen(session: Callable[[], Connection]) -> None:
    a = session()
    lease.take(a, SWITCH, None, wanted("a", 1))
    assert lease.renew(a, SWITCH, "a", 1)
    assert lease.renew(a, SWITCH, "a", 1)
    assert lease.read(a, SWITCH) == Row("a", 1, 3, LEASE_US)


def test_who_takes_over_ends_the_session_of_the_old_holder(session: Callable[[], Connection]) -> None:
    frozen, other = session(), session()
    lease.take(frozen, SWITCH, None, wanted("frozen", 1))
    seen = lease.read(other, SWITCH)
    take_in_the_end(other, seen, wanted("other", 2))
    assert lease.lock(other, SWITCH) is None
    with pytest.raises(psycopg.OperationalError):
        lease.renew(frozen, SWITCH, "frozen", 1)
    assert lease.renew(session(), SWITCH, "frozen", 1) is False


def test_a_row_that_was_renewed_meanwhile_is_not_taken_and_nobody_is_ended(
    session: Callable[[], Connection],
) -> None:
    a, b = session(), session()
    lease.take(a, SWITCH, None, wanted("a", 1))
    seen = lease.read(b, SWITCH)
    lease.renew(a, SWITCH, "a", 1)
    assert lease.take(b, SWITCH, seen, wanted("b", 2)) is False
    assert lease.renew(a, SWITCH, "a", 1)
    assert lease.lock(a, SWITCH) is None


def test_of_two_who_would_take_over_one_does(session: Callable[[], Connection]) -> None:
    old, a, b = session(), session(), session()
    lease.take(old, SWITCH, None, wanted("old", 1))
    seen = lease.read(a, SWITCH)
    old.close()
    take_in_the_end(a, seen, wanted("a", 2))
    assert lease.take(b, SWITCH, seen, wanted("b", 2)) is False
    a.close()
    with gevent.Timeout(PATIENCE_S):
        while lease.lock(b, SWITCH) is not None:
            gevent.sleep(0.01)
    assert lease.take(b, SWITCH, seen, wanted("b", 2)) is False, "the row is no more as it was read"


def test_who_could_not_take_the_row_keeps_no_lock(session: Callable[[], Connection]) -> None:
    a, b = session(), session()
    assert lease.take(a, SWITCH, Row("nobody", 1, 1, LEASE_US), wanted("a", 2)) is False
    assert lease.lock(b, SWITCH) is None


def test_an_epoch_never_goes_back(session: Callable[[], Connection]) -> None:
    a = session()
    lease.take(a, SWITCH, None, wanted("a", 5))
    assert lease.take(a, SWITCH, lease.read(a, SWITCH), wanted("a", 5)) is False


def test_a_row_that_is_given_back_has_no_holder(session: Callable[[], Connection]) -> None:
    a, b = session(), session()
    lease.take(a, SWITCH, None, wanted("a", 1))
    lease.give_back(a, SWITCH, "b", 1)
    assert lease.read(b, SWITCH) == Row("a", 1, 1, LEASE_US)
    lease.give_back(a, SWITCH, "a", 1)
    a.close()
    given_back = lease.read(b, SWITCH)
    assert given_back == Row("", 1, 2, LEASE_US)
    take_in_the_end(b, given_back, wanted("b", 2))
    assert lease.renew(b, SWITCH, "a", 1) is False


def test_the_lock_of_a_daemon_without_a_twin_is_respected(session: Callable[[], Connection]) -> None:
    alone, twin = session(), session()
    assert lease.lock(alone, SWITCH) is None
    assert lease.lock(alone, SWITCH) is None, "asking twice is as good as asking once"
    assert lease.lock(twin, SWITCH) == alone.info.backend_pid
    assert lease.take(twin, SWITCH, None, wanted("twin", 1)) is False
    assert lease.read(twin, SWITCH) is None
    old = Row("long gone", 1, 1, LEASE_US)
    assert lease.take(twin, SWITCH, old, wanted("twin", 2)) is False
    assert alone.execute("SELECT 1").fetchone() == (1,)


def test_every_switch_has_a_lease_of_its_own(session: Callable[[], Connection]) -> None:
    a, b = session(), session()
    assert lease.take(a, "montreal", None, wanted("a", 1))
    assert lease.take(b, "quebec", None, wanted("b", 1))
    assert len({lease.lock_key(name) for name in ("montreal", "quebec", "montreal:8021")}) == 3


def test_a_role_with_no_more_rights_than_a_daemon_has_can_take_over(
    conn: Connection, database_url: str
) -> None:
    conn.execute("CREATE ROLE lease_test LOGIN")
    try:
        conn.execute("GRANT SELECT, INSERT, UPDATE ON leases TO lease_test")
        url = database_url.replace("postgres@", "lease_test@")
        with lease.connect_to_lease(url) as old, lease.connect_to_lease(url) as new:
            assert lease.take(old, SWITCH, None, wanted("old", 1))
            take_in_the_end(new, lease.read(new, SWITCH), wanted("new", 2))
            assert lease.who_has(new, SWITCH).holder == "new"
            with pytest.raises(psycopg.OperationalError):
                old.execute("SELECT 1")
    finally:
        conn.execute("DROP OWNED BY lease_test")
        conn.execute("DROP ROLE lease_test")


def test_a_person_is_told_who_has_the_switch(session: Callable[[], Connection], conn: Connection) -> None:
    assert lease.who_has(conn, SWITCH) == lease.Who(None, None, None, None, None, None, None)
    a = session()
    lease.lock(a, SWITCH)
    alone = lease.who_has(conn, SWITCH)
    assert (alone.lock_pid, alone.holder, alone.is_twin) == (a.info.backend_pid, None, False)
    lease.take(a, SWITCH, None, replace(wanted("a", 3)))
    twin = lease.who_has(conn, SWITCH)
    assert (twin.lock_pid, twin.holder, twin.epoch, twin.is_twin) == (a.info.backend_pid, "a", 3, True)
    assert twin.renewed_s is not None
    lease.give_back(a, SWITCH, "a", 3)
    assert lease.who_has(conn, SWITCH).holder is None
