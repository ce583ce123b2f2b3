"""Whoever changes what daemons keep in mind tells them, with the commit and not before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from fixtures.records import an_account
from fixtures.verdicts import a_restriction

from esl_agent.core.admission.carriers import Carrier
from esl_agent.core.admission.route_file import Route
from esl_agent.core.deck_file import parse_deck
from esl_agent.core.tariff import Plan
from esl_agent.store import accounts, sip_users
from esl_agent.store.carriers import enable_carrier, put_carrier
from esl_agent.store.changes import Change, Changed, announce, announce_account, change_of, listen
from esl_agent.store.decks import DeckImport, import_deck
from esl_agent.store.departments import Department, put_department, remove_department
from esl_agent.store.limits import change_limits
from esl_agent.store.numbers import OwnedNumber, add_number, remove_number
from esl_agent.store.plans import add_plan, set_deck
from esl_agent.store.pool import Connection, connected
from esl_agent.store.restrictions import clear, restrict
from esl_agent.store.routes import put_routes, remove_route
from esl_agent.store.sip_users import NewSipUser

PATIENCE_S = 10.0
PAYER, OTHER = 1001, 1002
OF_PAYER = Change(Changed.ACCOUNT, PAYER)
NUMBERS, ROUTES, TARIFFS = (Change(what) for what in (Changed.NUMBERS, Changed.ROUTES, Changed.TARIFFS))
DEPARTMENTS = Change(Changed.DEPARTMENTS)

Act = Callable[[Connection], object]


@pytest.fixture
def daemon(conn: Connection, database_url: str) -> Iterator[Connection]:
    """A connection that listens, beside accounts, a plan, a number, a carrier and a route."""
    for account_id in (PAYER, OTHER):
        an_account(conn, account_id, "5")
    add_plan(conn, Plan("gold", "gold"))
    add_number(conn, OwnedNumber("15145550100", PAYER))
    put_department(conn, Department("15145550198", "sales"), "noc")
    put_carrier(conn, Carrier(name="alpha", dial_template="sofia/gateway/alpha/{number}"))
    put_routes(conn, [Route("44", "alpha")])
    with connected(database_url) as listening:
        listen(listening)
        yield listening


def heard(daemon: Connection) -> list[Change]:
    """The notices up to and including the first, with what came along."""
    changes = [change_of(notice.payload) for notice in daemon.notifies(timeout=PATIENCE_S, stop_after=1)]
    assert changes, "nothing was announced"
    return changes


def import_gold(conn: Connection) -> None:
    rows = parse_deck(["prefix,destination,rate", "44,United Kingdom,0.02"]).rows
    began = datetime(2026, 1, 1, tzinfo=UTC)
    order = DeckImport(deck="gold", rows=rows, effective_from=began, currency="CAD", source="x", by="x")
    import_deck(conn, order)


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda conn: accounts.top_up(conn, PAYER, Decimal(1), "by hand"), OF_PAYER),
        (lambda conn: accounts.suspend(conn, PAYER, "unpaid", "noc"), OF_PAYER),
        (lambda conn: accounts.close(conn, PAYER, "left", "noc"), OF_PAYER),
        (lambda conn: accounts.change_plan(conn, PAYER, "gold"), OF_PAYER),
        (lambda conn: accounts.change_credit_limit(conn, PAYER, Decimal(9)), OF_PAYER),
        (lambda conn: accounts.accept_terms(conn, PAYER, "2027-01", "noc"), OF_PAYER),
        (lambda conn: change_limits(conn, PAYER, lambda limits: replace(limits, max_calls=1)), OF_PAYER),
        (lambda conn: an_account(conn, 1003, "0"), Change(Changed.ACCOUNT, 1003)),
        (lambda conn: add_number(conn, OwnedNumber("15145550101", PAYER)), NUMBERS),
        (lambda conn: remove_number(conn, "15145550100"), NUMBERS),
        (lambda conn: put_department(conn, Department("15145550199", "support"), "noc"), DEPARTMENTS),
        (lambda conn: remove_department(conn, "15145550198"), DEPARTMENTS),
        (lambda conn: put_carrier(conn, Carrier(name="b", dial_template="sofia/x/{number}")), ROUTES),
        (lambda conn: enable_carrier(conn, "alpha", False), ROUTES),
        (lambda conn: put_routes(conn, [Route("1", "alpha")]), ROUTES),
        (lambda conn: remove_route(conn, "44", "alpha"), ROUTES),
        (lambda conn: add_plan(conn, Plan("silver", "gold")), TARIFFS),
        (lambda conn: set_deck(conn, "gold", "standard"), TARIFFS),
        (import_gold, TARIFFS),
        (lambda conn: restrict(conn, a_restriction()), Change(Changed.RESTRICTION, PAYER, 1)),
    ],
)
def test_a_change_is_told(conn: Connection, daemon: Connection, act: Act, told: Change) -> None:
    act(conn)
    assert heard(daemon) == [told]


def test_a_changed_phone_is_told(conn: Connection, daemon: Connection) -> None:
    phone = ("garage", "sip.example.com")
    digest = "0" * 32
    new = NewSipUser(
        user=phone[0],
        domain=phone[1],
        account_id=PAYER,
        a1_hash=digest,
        password_by="noc",
    )
    sip_users.add_sip_user(conn, new)
    change = Change(Changed.PHONE, phone=phone)
    sip_users.replace_a1_hash(conn, *phone, digest, "noc")
    assert heard(daemon) == [change]
    sip_users.change_callers(conn, *phone, lambda row: replace(row, caller_number="15145550100"))
    assert heard(daemon) == [change]
    sip_users.remove_sip_user(conn, *phone)
    assert heard(daemon) == [change]


def test_a_restriction_that_is_cleared_is_told_and_one_that_is_there_already_is_not(
    conn: Connection, daemon: Connection
) -> None:
    restrict(conn, a_restriction())
    assert heard(daemon) == [Change(Changed.RESTRICTION, PAYER, 1)]
    assert restrict(conn, a_restriction()) is None
    clear(conn, 1, "asked", "noc")
    assert heard(daemon) == [Change(Changed.RESTRICTION, PAYER, 1)]


def test_a_suspension_that_is_lifted_is_told(conn: Connection, daemon: Connection) -> None:
    accounts.suspend(conn, PAYER, "unpaid", "noc")
    assert heard(daemon) == [OF_PAYER]
    accounts.resume(conn, PAYER, "paid", "noc")
    assert heard(daemon) == [OF_PAYER]


def test_what_is_not_committed_is_not_told_and_what_changed_nothing_neither(
    conn: Connection, daemon: Connection
) -> None:
    with conn.transaction(force_rollback=True):
        accounts.top_up(conn, PAYER, Decimal(1), "undone")
    accounts.top_up(conn, PAYER, Decimal(1), "once")
    accounts.top_up(conn, PAYER, Decimal(1), "once")
    accounts.top_up(conn, OTHER, Decimal(1), "once")
    told = heard(daemon)
    while Change(Changed.ACCOUNT, OTHER) not in told:
        told += heard(daemon)
    assert told == [OF_PAYER, Change(Changed.ACCOUNT, OTHER)]


def test_a_notice_is_told_once_a_transaction(conn: Connection, daemon: Connection) -> None:
    with conn.transaction():
        for _ in range(3):
            announce(conn, Changed.NUMBERS)
            announce_account(conn, PAYER)
    told = heard(daemon)
    while len(told) < 2:
        told += heard(daemon)
    assert told == [NUMBERS, OF_PAYER]


@pytest.mark.parametrize(
    "payload",
    [
        *("", "account", "account x", "account -1", "account ١", "numbers 3", "taxes"),
        *("restriction", "restriction 1001", "restriction 1001 x", "restriction 1001 1 1"),
        *("phone", "phone 1001", "phone 1001 ", "phone 1001 sip.example.com now"),
    ],
)
def test_a_notice_that_is_not_understood_means_that_anything_may_have_changed(payload: str) -> None:
    assert change_of(payload) == Change(Changed.EVERYTHING)
