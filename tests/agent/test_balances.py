"""Balances near the end: whose, in which order, and how often they are looked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

import pytest

from esl_agent.agent.book import Book
from esl_agent.agent.database import Database
from esl_agent.agent.web.balances import GOOD_FOR_US, SHOWN_MAX, Balances
from esl_agent.config import Config, numbering_of
from esl_agent.store.accounts import NewAccount, add_account, suspend, top_up
from esl_agent.store.pool import Connection, open_pool

LOW = Decimal("5.00")


class Clock:
    us = 0

    def __call__(self) -> int:
        return self.us


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(conn: Connection, database_url: str) -> Iterator[Book]:
    pool = open_pool(database_url, 1)
    yield Book(numbering_of(Config()), Database(pool, database_url, lambda word, **fields: None))
    pool.close()


def furnish(conn: Connection, account_id: int, amount: str) -> None:
    add_account(
        conn, NewAccount(account_id=account_id, name="", plan="standard", by="test", terms_version="1")
    )
    top_up(conn, account_id, Decimal(amount), "first")


def asked(book: Book, account_ids: Iterable[int]) -> None:
    """Calls of these were asked about."""
    for account_id in account_ids:
        book.payer(account_id)


def test_active_accounts_below_the_mark_the_poorest_first(conn: Connection, book: Book, clock: Clock) -> None:
    for account_id, amount in (
        (1001, "4.99"),
        (1002, "5.00"),
        (1003, "0.01"),
        (1004, "1.00"),
        (1005, "0.02"),
    ):
        furnish(conn, account_id, amount)
    suspend(conn, 1004, "unpaid", "test")
    asked(book, (1001, 1002, 1003, 1004, 4711))  # 1005 never called, and there is no 4711
    assert list(Balances(book, LOW, clock).near_end()) == ["1003", "1001"]


def test_those_with_calls_up_come_first(conn: Connection, book: Book, clock: Clock) -> None:
    for account_id, amount in ((1001, "0.01"), (1002, "3.00")):
        furnish(conn, account_id, amount)
    conn.execute("UPDATE accounts SET calls_up = 1 WHERE account_id = 1002")
    asked(book, (1001, 1002))
    assert list(Balances(book, LOW, clock).near_end()) == ["1002", "1001"]


def test_so_many_are_shown_and_what_was_found_is_good_for_a_while(
    conn: Connection, book: Book, clock: Clock
) -> None:
    for account_id in range(1_001, 1_002 + SHOWN_MAX):
        furnish(conn, account_id, "1.00")
    asked(book, range(1_001, 1_002 + SHOWN_MAX))
    balances = Balances(book, LOW, clock)
    assert len(balances.near_end()) == SHOWN_MAX
    top_up(conn, 1001, Decimal("10.00"), "second")
    book.refresh()
    clock.us = GOOD_FOR_US - 1
    assert "1001" in balances.near_end()
    clock.us = GOOD_FOR_US
    assert "1001" not in balances.near_end()
