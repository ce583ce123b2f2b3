"""Calls that ask while the database or the daemon is away, or that are gone before they are answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
from fixtures.verdicts import a_verdict

from esl_agent.agent.clock import wall_us
from esl_agent.agent.daemon import Daemon
from esl_agent.lab.child import wait_until
from esl_agent.lab.ports import free_port
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.simulator import Simulator
from esl_agent.store.accounts import get_account
from esl_agent.store.embedded import EmbeddedPostgres
from esl_agent.store.migrations import migrate
from esl_agent.store.pool import Connection, connected
from esl_agent.store.restrictions import list_restrictions

from .conftest import PATIENCE_S, Journal
from .exchange import Exchange, put_carriers

numbers = count(1)
FIRST_CHARGE = Decimal("0.0013")
Start = Callable[..., Exchange]
Outage = AbstractContextManager[None]


@pytest.fixture(scope="module")
def own_server(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    """A server that these tests alone stop and start."""
    server = EmbeddedPostgres(server_folder / "outages", fsync=False)
    try:
        server.start()
        with connected(server.ensure_database("migrated")) as conn:
            migrate(conn)
        yield server
    finally:
        server.remove()


@pytest.fixture
def database_url(own_server: EmbeddedPostgres) -> str:
    """In place of the common server's: everything of these tests is on their own."""
    own_server.start()
    return own_server.ensure_database(f"test_{next(numbers)}", template="migrated")


@pytest.fixture
def start(
    conn: Connection, customers: None, start_daemon: Callable[..., Daemon], journal: Journal
) -> Iterator[Start]:
    """Starts a switch and its daemon, with these settings."""
    put_carriers(conn)
    log = journal
    switches: list[Simulator] = []

    def begin(
        journal: dict[str, object] | None = None, budget: dict[str, object] | None = None, **admission: object
    ) -> Exchange:
        port = free_port()
        switches.append(Simulator(SimulatorConfig(port=0, admission=f"127.0.0.1:{port}")).start())
        daemon = start_daemon(
            switches[0].port,
            admission={"outbound_port": port, **admission},
            journal=journal or {},
            budget=budget or {},
        )
        return Exchange(switches[0], daemon, log, conn)

    yield begin
    for switch in switches:
        switch.stop()


@pytest.fixture
def outage(own_server: EmbeddedPostgres, journal: Journal) -> Iterator[Callable[[Exchange], Outage]]:
    """The database is away; afterwards it is back, and the daemon knows."""
    connections = ExitStack()

    @contextmanager
    def away(exchange: Exchange) -> Iterator[None]:
        url = own_server.url(exchange.conn.info.dbname)
        own_server.stop()
        yield
        own_server.start()
        journal.wait_for("DB_UP")
        exchange.conn = connections.enter_context(connected(url))

    with connections:
        yield away


def causes(exchange: Exchange) -> list[str]:
    """Why the switch's legs ended, in that order."""
    return [leg.cause for leg in exchange.simulator.legs_ended()]


def wait_until_nothing_is_held(exchange: Exchange) -> None:
    wait_until(exchange.nothing_is_reserved, "nothing is reserved", PATIENCE_S)


@contextmanager
def locked(url: str, account_id: int = 1001) -> Iterator[None]:
    """Somebody else is at the account: no hold on it gets on."""
    with connected(url) as other, other.transaction():
        other.execute("SELECT FROM accounts WHERE account_id = %s FOR UPDATE", [account_id])
        yield


def wait_for_waiters(conn: Connection, statements: int = 1) -> None:
    """Until so many statements wait for somebody's lock."""
    waiting = """SELECT count(*) FROM pg_stat_activity
                 WHERE wait_event_type = 'Lock' AND datname = current_database()"""

    def are_waiting() -> bool:
        row = conn.execute(waiting).fetchone()
        return row is not None and row[0] >= statements

    wait_until(are_waiting, "somebody waits for the account", PATIENCE_S)


# The database is away.


@pytest.mark.parametrize("is_known", [False, True], ids=["first call", "known account"])
def test_without_a_database_calls_are_refused_and_emergencies_go_out(
    start: Start, outage: Callable[[Exchange], Outage], is_known: bool
) -> None:
    exchange = start()
    if is_known:
        exchange.call()
        exchange.cdrs(1)
    before = len(causes(exchange))
    with outage(exchange):
        exchange.call()
        assert causes(exchange)[before:] == ["NORMAL_TEMPORARY_FAILURE"]
        (refusal,) = exchange.journal.of("CALL_REFUSED")
        assert (refusal["reason"], refusal["rule"]) == ("no_decision", "facts_known")
        emergency = exchange.call(number="911")
        assert emergency.outbound_uuids
    rows = exchange.cdrs(2 + is_known)
    assert [(row.refused, row.sip_code) for row in rows if row.refused] == [("no_decision", 503)]
    (answered,) = [row for row in rows if row.number == "911"]
    assert answered.answered_us is not None
    assert exchange.nothing_is_reserved()


def test_a_verdict_on_traffic_holds_though_the_database_is_away_and_is_written_when_it_is_back(
    start: Start, outage: Callable[[Exchange], Outage]
) -> None:
    exchange = start(database_down="cached")
    exchange.call()
    exchange.cdrs(1)
    with outage(exchange):
        exchange.call()
        exchange.journal.wait_for("DB_DOWN")
        exchange.daemon.parts.traffic.enforcer.enforce(a_verdict(at_us=wall_us()))
        exchange.call()
        exchange.call(number="911")
        (told,) = exchange.journal.wait_for("TRAFFIC_RESTRICTED")
        assert (told["restriction"], told["stored"]) == (None, "no")
        assert [line["reason"] for line in exchange.journal.of("CALL_REFUSED")] == ["outbound_suspended"]
    wait_until(lambda: list_restrictions(exchange.conn) != [], "it is written", PATIENCE_S)
    kept = list_restrictions(exchange.conn)
    exchange.call()
    assert [line["reason"] for line in exchange.journal.of("CALL_REFUSED")] == ["outbound_suspended"] * 2
    assert kept[0].figures == a_verdict().figures
    assert len(exchange.journal.of("TRAFFIC_RESTRICTED")) == 1


def test_calls_on_the_last_known_balance_within_a_cap_are_settled_when_the_database_is_back(
    start: Start, outage: Callable[[Exchange], Outage]
) -> None:
    exchange = start(database_down="cached", cached_call_max="0.0025", cached_account_max="0.0025")
    exchange.call()
    exchange.cdrs(1)
    with outage(exchange):
        exchange.call()
        (_, cached) = exchange.journal.of("CALL_ADMITTED")
        assert cached["held"] == Decimal("0.0025")  # two increments: all that a call may cost now
        exchange.call()  # and all that the account may
        assert [line["reason"] for line in exchange.journal.of("CALL_REFUSED")] == ["outage_limit"]
    rows = exchange.cdrs(3)
    assert [(row.charged, row.uncollected) for row in rows if not row.refused] == [(FIRST_CHARGE, 0)] * 2
    assert get_account(exchange.conn, 1001).balance == 10 - 2 * FIRST_CHARGE
    assert exchange.nothing_is_reserved()


def test_a_call_on_trust_holds_its_money_when_the_database_is_back(
    start: Start, outage: Callable[[Exchange], Outage]
) -> None:
    """It was granted two increments, asked the store for nothing so far, and talks on."""
    exchange = start(database_down="cached", cached_call_max="0.0025")
    exchange.call()
    exchange.cdrs(1)
    with outage(exchange):
        call = exchange.place(talk_ms=60_000)
        exchange.journal.wait_for("CALL_ANSWERED", 2)
    (extended,) = exchange.journal.wait_for("CALL_EXTENDED")
    assert (extended["leg"], exchange.journal.of("CALL_LOW_BALANCE")) == (call.outbound_uuids[0], [])
    exchange.simulator.core.api("uuid_kill", call.caller_uuid)
    assert [row.uncollected for row in exchange.cdrs(2)] == [0, 0]
    wait_until_nothing_is_held(exchange)


def test_an_account_that_nothing_is_known_of_gets_nothing(
    start: Start, outage: Callable[[Exchange], Outage]
) -> None:
    exchange = start(database_down="cached")
    with outage(exchange):
        exchange.call()
        (refusal,) = exchange.journal.of("CALL_REFUSED")
        assert refusal["reason"] == "no_decision"


def test_calls_that_are_up_go_on_while_it_is_away_and_are_cut_when_what_they_hold_is_used_up(
    start: Start, outage: Callable[[Exchange], Outage]
) -> None:
    exchange = start(budget={"grant_s": 6, "rich_grants": 0})
    call = exchange.place(talk_ms=60_000)
    exchange.journal.wait_for("CALL_ANSWERED")
    with outage(exchange):
        exchange.journal.wait_for("DB_DOWN")
        assert exchange.simulator.core.api("uuid_exists", call.outbound_uuids[0]) == "true"
        exchange.journal.wait_for("CALL_CUT")
        assert call.wait_ended(PATIENCE_S)
    (row,) = exchange.cdrs(1)
    assert 0 < row.duration_us <= 6_000_000
    assert (row.charged, row.uncollected) == (FIRST_CHARGE, 0)
    assert exchange.nothing_is_reserved()


# The journal has no room.


def test_with_no_room_in_the_journal_calls_are_refused_and_emergencies_go_out(start: Start) -> None:
    exchange = start(journal={"free_min_mb": 1_000_000})
    exchange.journal.wait_for("JOURNAL_FULL")
    exchange.call()
    assert causes(exchange) == ["NORMAL_TEMPORARY_FAILURE"]
    (refusal,) = exchange.journal.of("CALL_REFUSED")
    assert (refusal["reason"], refusal["rule"]) == ("journal_full", "journal_room")
    emergency = exchange.call(number="911")
    assert emergency.outbound_uuids
    (row,) = exchange.cdrs(1)  # a refusal has none, where there is no room for it
    assert row.number == "911"


# The daemon is away.


def test_without_the_daemon_nothing_goes_out_and_nothing_is_held(start: Start) -> None:
    exchange = start()
    exchange.daemon.stop()
    exchange.journal.wait_for("AGENT_STOPPED")
    call = exchange.call()
    assert call.outbound_uuids == []
    assert causes(exchange) == ["NORMAL_TEMPORARY_FAILURE"]
    assert exchange.nothing_is_reserved()


# The caller, or the time, is gone before the answer.


def test_a_caller_who_is_gone_while_the_agent_decides_leaves_nothing_held(
    start: Start, database_url: str
) -> None:
    exchange = start()
    exchange.call()
    exchange.cdrs(1)
    with locked(database_url):
        call = exchange.place()
        wait_for_waiters(exchange.conn)
        exchange.simulator.core.api("uuid_kill", call.caller_uuid)
        assert call.wait_ended(PATIENCE_S)
    (trouble,) = exchange.journal.wait_for("DOOR_TROUBLE")
    assert trouble["kind"] == "undelivered"
    wait_until_nothing_is_held(exchange)
    assert call.outbound_uuids == []


def test_money_that_is_held_too_late_is_given_back(start: Start, database_url: str) -> None:
    exchange = start(deadline_ms=100)
    exchange.call()
    exchange.cdrs(1)
    with locked(database_url):
        call = exchange.call()
        (refusal,) = exchange.journal.of("CALL_REFUSED")
        assert (refusal["reason"], refusal["detail"]) == ("no_decision", "silent")
        wait_for_waiters(exchange.conn, 2)  # the hold, and its release behind it
    assert call.outbound_uuids == []
    exchange.cdrs(2)
    states = "SELECT state FROM reservations WHERE leg_uuid NOT IN (SELECT leg_uuid FROM cdrs)"
    wait_until(
        lambda: exchange.conn.execute(states).fetchall() == [("released",)], "the leg is given up", PATIENCE_S
    )
    assert exchange.nothing_is_reserved()


def test_an_answer_that_was_taken_though_nobody_said_so_keeps_its_money(
    start: Start, database_url: str
) -> None:
    exchange = start()
    exchange.call()
    exchange.cdrs(1)
    with locked(database_url):
        call = exchange.place(talk_ms=60_000)
        wait_for_waiters(exchange.conn)
        exchange.simulator.faults.lose_replies(2)  # to `multiset` and to `exit`
    assert call.wait_answered(PATIENCE_S)
    (trouble,) = exchange.journal.wait_for("DOOR_TROUBLE")
    assert trouble["kind"] == "undelivered"
    exchange.journal.wait_for("CALL_ANSWERED", 2)

    state = exchange.conn.execute("SELECT state FROM reservations WHERE leg_uuid = %s", call.outbound_uuids)
    assert state.fetchone() == ("held",)
    exchange.simulator.core.api("uuid_kill", call.caller_uuid)
    exchange.cdrs(2)
    wait_until_nothing_is_held(exchange)
