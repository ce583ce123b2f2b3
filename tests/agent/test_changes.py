"""What is changed from outside reaches the calls that are up: money, suspensions, numbers, rates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from esl_agent.agent.daemon import Daemon
from esl_agent.core.deck_file import parse_deck
from esl_agent.core.leg import Product
from esl_agent.lab.child import wait_until
from esl_agent.simulator.config import SimulatorConfig
from esl_agent.simulator.plan import CallPlan, Kind
from esl_agent.simulator.simulator import CallHandle, Simulator
from esl_agent.store import accounts
from esl_agent.store.cdrs import CdrFilter, CdrRow, iterate_cdrs
from esl_agent.store.decks import DeckImport, import_deck
from esl_agent.store.ledger import check
from esl_agent.store.limits import change_limits
from esl_agent.store.numbers import OwnedNumber, add_number
from esl_agent.store.pool import Connection

from .conftest import PATIENCE_S, Journal

UK = "442079460000"
#: One increment of 6 seconds, of which nothing is asked for again before the last half second.
ONE_INCREMENT = Decimal("0.0013")
#: The book is not read again by itself while a test lasts, and a call asks for more soon after its answer.
SLOW = {"limits": {"drain_s": 1, "account_cache_s": 3_600}, "budget": {"extend_lead_ms": 5_500}}
#: A call of one increment that lasts longer than this has been extended by its last asking.
BEFORE_LAST_ASKING_US = 5_000_000


class Exchange:
    """A switch and the daemon beside it; calls come unasked, as through somebody's own dialplan."""

    def __init__(self, simulator: Simulator, journal: Journal, conn: Connection) -> None:
        self.simulator, self.journal, self.conn = simulator, journal, conn

    def place(self, **plan: object) -> CallHandle:
        """A call that nobody ends."""
        defaults = {"number": UK, "ring_ms": 20, "talk_ms": 60_000}
        return self.simulator.place_call(CallPlan(**defaults | plan))  # type: ignore[arg-type]

    def hang_up(self, *handles: CallHandle) -> None:
        self.simulator.core.api("hupall", "NORMAL_CLEARING")
        assert all(handle.wait_ended(PATIENCE_S) for handle in handles)

    def cdrs(self, count: int) -> list[CdrRow]:
        self.journal.wait_for("CALL_RATED", count)
        return list(iterate_cdrs(self.conn, CdrFilter()))


@pytest.fixture
def start_exchange(
    conn: Connection, start_daemon: Callable[..., Daemon], journal: Journal
) -> Iterator[Callable[..., Exchange]]:
    simulator = Simulator(SimulatorConfig(port=0)).start()

    def start(**sections: dict[str, object]) -> Exchange:
        start_daemon(simulator.port, **SLOW, **sections)
        journal.wait_for("NOTICES_HEARD")
        return Exchange(simulator, journal, conn)

    yield start
    simulator.stop()


@pytest.fixture
def exchange(start_exchange: Callable[..., Exchange]) -> Exchange:
    return start_exchange()


def has_only(conn: Connection, balance: Decimal) -> None:
    conn.execute("UPDATE accounts SET balance = %s WHERE account_id = 1001", [balance])


@pytest.mark.parametrize(
    "give",
    [
        lambda conn: accounts.top_up(conn, 1001, Decimal(5), "by hand"),
        lambda conn: accounts.change_credit_limit(conn, 1001, Decimal(5)),
    ],
    ids=["top-up", "credit"],
)
def test_money_reaches_a_call_that_was_refused_more(
    exchange: Exchange, conn: Connection, give: Callable[[Connection], object]
) -> None:
    has_only(conn, ONE_INCREMENT)
    handle = exchange.place()
    exchange.journal.wait_for("CALL_LOW_BALANCE")
    give(conn)
    exchange.journal.wait_for("CALL_EXTENDED")
    exchange.hang_up(handle)
    (row,) = exchange.cdrs(1)
    assert row.duration_us < BEFORE_LAST_ASKING_US
    assert (row.hangup_cause, row.charged, row.uncollected) == ("NORMAL_CLEARING", ONE_INCREMENT, 0)


def test_a_higher_limit_of_spending_does_too(exchange: Exchange, conn: Connection) -> None:
    change_limits(conn, 1001, lambda limits: replace(limits, spend_per_day=ONE_INCREMENT))
    handle = exchange.place()
    (line,) = exchange.journal.wait_for("CALL_LOW_BALANCE")
    assert line["reason"] == "day_spend"
    change_limits(conn, 1001, lambda limits: replace(limits, spend_per_day=Decimal(5)))
    exchange.journal.wait_for("CALL_EXTENDED")
    exchange.hang_up(handle)
    (row,) = exchange.cdrs(1)
    assert row.duration_us < BEFORE_LAST_ASKING_US


@pytest.mark.parametrize(
    ("bar", "reason"), [(accounts.suspend, "account_suspended"), (accounts.close, "account_closed")]
)
def test_calls_of_an_account_that_may_make_none_end_at_once_all_but_those_for_help(
    exchange: Exchange, conn: Connection, bar: Callable[..., object], reason: str
) -> None:
    paid, free, others = (
        exchange.place(),
        exchange.place(number="18005550123"),
        exchange.place(account="1002"),
    )
    for_help = [exchange.place(number=number) for number in ("911", "988")]
    exchange.journal.wait_for("CALL_ANSWERED", 5)
    exchange.journal.wait_for("CALL_ADMITTED", 5)
    bar(conn, 1001, "unpaid", "noc")
    assert paid.wait_ended(PATIENCE_S)
    assert free.wait_ended(PATIENCE_S)
    ended = exchange.journal.of("CALL_ENDED")
    assert sorted((line["to"], line["reason"]) for line in ended) == [("18005550123", reason), (UK, reason)]
    rows = exchange.cdrs(2)
    assert {(row.hangup_cause, row.ended_by) for row in rows} == {("MANAGER_REQUEST", "agent")}
    assert sum(row.charged for row in rows) == ONE_INCREMENT
    exchange.hang_up(others, *for_help)
    assert [row.charged for row in exchange.cdrs(5) if row.number in ("911", "988")] == [0, 0]
    assert not check(conn)


def test_a_call_to_a_did_of_a_suspended_account_ends_too(exchange: Exchange, conn: Connection) -> None:
    handle = exchange.place(
        kind=Kind.INBOUND, product=Product.INBOUND, account="1001", number="15145550100", did="15145550100",
        caller="14165550111",
    )  # fmt: skip
    exchange.journal.wait_for("CALL_ANSWERED")
    exchange.journal.wait_for("CALL_ADMITTED")
    accounts.suspend(conn, 1001, "unpaid", "noc")
    assert handle.wait_ended(PATIENCE_S)
    assert [line["product"] for line in exchange.journal.of("CALL_ENDED")] == ["inbound"]


def test_calls_may_be_let_finish_what_is_held_for_them(
    start_exchange: Callable[..., Exchange], conn: Connection
) -> None:
    exchange = start_exchange(admission={"suspended_calls": "finish"})
    has_only(conn, ONE_INCREMENT)
    handle = exchange.place()
    exchange.journal.wait_for("CALL_ANSWERED")
    exchange.journal.wait_for("CALL_ADMITTED")
    accounts.suspend(conn, 1001, "unpaid", "noc")
    assert handle.wait_ended(PATIENCE_S)
    (row,) = exchange.cdrs(1)
    assert (row.hangup_cause, row.charge.billed_seconds) == ("ALLOTTED_TIMEOUT", 6)
    assert not exchange.journal.of("CALL_ENDED")


def test_a_suspension_is_known_to_the_next_call_and_so_is_its_end(
    exchange: Exchange, conn: Connection
) -> None:
    exchange.hang_up(exchange.place())  # so the account is in the book
    exchange.cdrs(1)
    accounts.suspend(conn, 1001, "unpaid", "noc")
    wait_until(
        lambda: exchange.place().wait_ended(PATIENCE_S) and refusals(exchange) != [],
        "a call is refused",
        PATIENCE_S,
    )
    assert set(refusals(exchange)) == {
        "account_suspended"
    }  # whether the book has heard, or the store says it
    accounts.resume(conn, 1001, "paid", "noc")
    answered = len(exchange.journal.of("CALL_ANSWERED"))

    def is_let_through() -> bool:
        handle = exchange.place(talk_ms=50)
        assert handle.wait_ended(PATIENCE_S)
        return len(exchange.journal.of("CALL_ANSWERED")) > answered

    wait_until(is_let_through, "a call is let through", PATIENCE_S)


def refusals(exchange: Exchange) -> list[object]:
    return [line["reason"] for line in exchange.journal.of("CALL_REFUSED")]


def test_a_call_keeps_the_rate_that_it_started_with_and_the_next_has_the_new_one(
    exchange: Exchange, conn: Connection
) -> None:
    first = exchange.place()
    exchange.journal.wait_for("CALL_ANSWERED")
    rows = parse_deck(["prefix,destination,rate,increments", "44,United Kingdom,9.0000,6/6"]).rows
    began = datetime(2026, 1, 1, tzinfo=UTC)
    order = DeckImport(deck="standard", rows=rows, effective_from=began, currency="CAD", source="x", by="x")
    import_deck(conn, order)

    def costs_more() -> bool:
        assert exchange.place(talk_ms=20).wait_ended(PATIENCE_S)
        return exchange.journal.of("CALL_ANSWERED")[-1]["rate"] == Decimal("9.0000")

    wait_until(costs_more, "a call costs more", PATIENCE_S)
    exchange.hang_up(first)
    exchange.journal.wait_for("CALL_RATED", len(exchange.journal.of("CALL_ANSWERED")))
    rated = {row.leg_uuid: row.charged for row in iterate_cdrs(conn, CdrFilter())}
    assert rated[str(exchange.journal.of("CALL_ANSWERED")[0]["leg"])] == ONE_INCREMENT
    assert max(rated.values()) == Decimal("0.9000")


def test_a_new_did_takes_calls_at_once(exchange: Exchange, conn: Connection) -> None:
    add_number(conn, OwnedNumber("14165550100", 1002))

    def is_billed() -> bool:
        plan = {"kind": Kind.INBOUND, "product": Product.INBOUND, "account": "1002", "did": "14165550100",
                "number": "14165550100", "caller": "12125550147", "talk_ms": 20}  # fmt: skip
        assert exchange.place(**plan).wait_ended(PATIENCE_S)
        return any(line["to"] == "14165550100" for line in exchange.journal.of("CALL_ADMITTED"))

    wait_until(is_billed, "a call is billed", PATIENCE_S)


def test_what_changed_while_nobody_listened_is_found_afterwards(exchange: Exchange, conn: Connection) -> None:
    handle = exchange.place()
    exchange.journal.wait_for("CALL_ANSWERED")
    exchange.journal.wait_for("CALL_ADMITTED")
    with conn.transaction():
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'esl-agent listener' AND datname = current_database()"
        )
        exchange.journal.wait_for("NOTICES_LOST")
        conn.execute("UPDATE accounts SET state = 'suspended' WHERE account_id = 1001")
    assert handle.wait_ended(PATIENCE_S)
    assert len(exchange.journal.of("NOTICES_HEARD")) == 2
