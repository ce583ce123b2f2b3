"""A leg that took place is billed by what held when it began, whatever has changed since."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import pytest

from esl_agent.agent.book import Book
from esl_agent.agent.pricing import Pricing
from esl_agent.core.admission.limits import TollFree
from esl_agent.core.deck_file import parse_deck
from esl_agent.core.leg import Direction, Leg, Product
from esl_agent.core.numbering import Numbering
from esl_agent.core.traffic.restriction import Restriction
from esl_agent.core.traffic.verdict import Action
from esl_agent.store.accounts import suspend
from esl_agent.store.cdrs import to_us
from esl_agent.store.decks import DeckImport, import_deck
from esl_agent.store.numbers import remove_number
from esl_agent.store.pool import Connection
from esl_agent.store.restrictions import restrict

LAST_YEAR = datetime(2025, 6, 1, tzinfo=UTC)
LEG = Leg(
    "leg", Direction.OUTBOUND, to_us(LAST_YEAR), 1001, Product.TERMINATION, "442079460000", "442079460000",
    "15145550100", "caller", "alpha", None, is_loopback=False,
)  # fmt: skip


class OneConnection:
    """The way to a database that may be away."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self.is_away = False

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        if self.is_away:
            raise psycopg.OperationalError("the database is away")
        yield self._conn


@pytest.fixture
def database(conn: Connection, customers: None) -> OneConnection:
    return OneConnection(conn)


@pytest.fixture
def pricing(database: OneConnection) -> Pricing:
    pricing = Pricing(Book(Numbering("CA", "514"), database))
    pricing.book.load()
    return pricing


def rate_of(pricing: Pricing, leg: Leg) -> str | None:
    priced = pricing.price_over(leg)
    return None if priced is None or priced.refused else str(priced.price.rate_per_minute)


def put_deck(conn: Connection, rate: str, effective_from: datetime) -> None:
    rows = parse_deck(["prefix,destination,rate,increments", f"44,United Kingdom,{rate},6/6"]).rows
    deck = DeckImport(
        deck="standard", rows=rows, effective_from=effective_from, currency="CAD", source="test", by="test"
    )
    import_deck(conn, deck)


def test_by_the_deck_of_the_time_though_another_is_in_effect(conn: Connection, pricing: Pricing) -> None:
    put_deck(conn, "0.0999", datetime(2026, 1, 1, tzinfo=UTC))
    pricing.book.load()
    assert rate_of(pricing, LEG) == "0.012500"
    after = replace(LEG, created_us=to_us(datetime(2026, 1, 2, tzinfo=UTC)))
    assert rate_of(pricing, after) == "0.099900"


def test_a_time_before_any_deck_has_no_rate(pricing: Pricing) -> None:
    before = replace(LEG, created_us=to_us(datetime(2019, 1, 1, tzinfo=UTC)))
    priced = pricing.price_over(before)
    assert priced is not None
    assert priced.refused == "no_rate"


def test_a_restriction_of_today_is_not_felt_by_what_was_called_before(
    conn: Connection, database: OneConnection
) -> None:
    for action in (Action.SUSPEND_ACCOUNT, Action.TOLL_FREE_OFF):
        restrict(conn, Restriction(account_id=1001, rule="x", action=action, since_us=to_us(LAST_YEAR) + 1))
    pricing = Pricing(Book(Numbering("CA", "514"), database, toll_free_when_off=TollFree.RATED))
    pricing.book.load()
    assert rate_of(pricing, LEG) == "0.012500"
    toll_free = replace(LEG, priced_number="18005550123", destination="18005550123")
    before, after = (
        pricing.price_over(replace(toll_free, created_us=toll_free.created_us + us)) for us in (0, 1)
    )
    assert before is not None
    assert after is not None
    assert (before.price.is_free, after.price.is_free) == (True, False)
    asked_for_by_nobody = pricing.price(replace(LEG, created_us=LEG.created_us + 1))
    assert asked_for_by_nobody is not None
    assert asked_for_by_nobody.refused == "traffic_suspended"


def test_an_account_that_may_call_no_more_pays_for_what_it_called(conn: Connection, pricing: Pricing) -> None:
    suspend(conn, 1001, "unpaid", "test")
    now = pricing.price(LEG)
    assert now is not None
    assert now.refused == "account_suspended"
    assert rate_of(pricing, LEG) == "0.012500"


def test_nobody_is_billed_by_guess_while_the_database_is_away(
    pricing: Pricing, database: OneConnection
) -> None:
    database.is_away = True
    with pytest.raises(psycopg.OperationalError):
        pricing.price_over(LEG)
    database.is_away = False
    assert rate_of(pricing, LEG) == "0.012500"


def test_a_call_to_a_number_that_is_nobodys_is_not_ours(conn: Connection, pricing: Pricing) -> None:
    inbound = replace(
        LEG, direction=Direction.INBOUND, account_id=None, product=None, destination="15145550199"
    )
    priced = pricing.price_over(inbound)
    assert priced is not None
    assert (priced.account_id, priced.price.rate_per_minute) == (1002, Decimal(0))
    remove_number(conn, "15145550199")
    pricing.book.load()
    assert pricing.price_over(inbound) is None
