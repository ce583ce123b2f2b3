"""What is spent in a day is counted by the operator's date, whatever the database's is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import gevent
import pytest
from fixtures.journals import a_journal
from fixtures.records import a_cdr, an_account
from gevent.event import AsyncResult

from esl_agent.agent.clock import calendar
from esl_agent.agent.database import Database
from esl_agent.agent.money.holder import Holder
from esl_agent.agent.money.settler import Settler
from esl_agent.core.call_signals import Event, Held, HoldMoney, HoldRefused
from esl_agent.store.accounts import get_account
from esl_agent.store.limits import change_limits
from esl_agent.store.pool import Connection, open_pool

from .conftest import PATIENCE_S, Journal

LIMITS = {"queue_max": 100, "batch_max": 10}
CENT = Decimal("0.0100")
#: Midnight in Montreal, in winter.
MIDNIGHT = datetime(2026, 3, 1, 5, tzinfo=UTC)


class Clock:
    """Wall-clock time that a test sets."""

    def __init__(self, time: datetime) -> None:
        self.time = time

    def now_us(self) -> int:
        return int(self.time.timestamp()) * 1_000_000


class Till:
    """Holds for calls and settles them, one after the other."""

    def __init__(self, holder: Holder, settler: Settler) -> None:
        self._holder = holder
        self._settler = settler

    def hold(self, leg_uuid: str) -> Event:
        answer: AsyncResult[Event] = AsyncResult()
        self._holder.ask(1001, leg_uuid, HoldMoney(CENT, CENT, Decimal(0)), answer.set)
        return answer.get(timeout=PATIENCE_S)

    def settle(self, leg_uuid: str) -> None:
        self._settler.settle(a_cdr(1001, leg_uuid, str(CENT)))
        assert self._settler.wait_empty(PATIENCE_S)


@pytest.fixture
def clock() -> Clock:
    return Clock(MIDNIGHT.replace(hour=4, minute=59, second=59))


@pytest.fixture
def till(database_url: str, clock: Clock, journal: Journal, tmp_path: Path) -> Iterator[Till]:
    today = calendar("America/Toronto", clock.now_us)
    with open_pool(database_url, 2) as pool:
        database = Database(pool, database_url, journal)
        holder = Holder(database, today, journal, **LIMITS)
        settler = Settler(database, a_journal(tmp_path), today, journal, retry_max_s=1, **LIMITS)
        settler.open()
        running = [gevent.spawn(holder.run), gevent.spawn(settler.run)]
        yield Till(holder, settler)
        gevent.killall(running)
        settler.close()


@pytest.fixture
def a_cent_a_day(conn: Connection) -> None:
    an_account(conn, 1001, "5")
    change_limits(conn, 1001, lambda limits: replace(limits, spend_per_day=CENT))


@pytest.mark.parametrize(
    ("zone", "expected"), [("UTC", (1, 1)), ("America/Toronto", (28, 1)), ("Asia/Tokyo", (1, 1))]
)
def test_the_date_is_that_of_the_operators_time_zone(zone: str, expected: tuple[int, int]) -> None:
    clock = Clock(MIDNIGHT.replace(hour=4, minute=59, second=59))
    today: Callable[[], date] = calendar(zone, clock.now_us)
    before = today().day
    clock.time = MIDNIGHT
    assert (before, today().day) == expected


def test_a_day_that_is_spent_is_over_at_the_operators_midnight(
    till: Till, clock: Clock, conn: Connection, a_cent_a_day: None
) -> None:
    assert isinstance(till.hold("late"), Held)
    till.settle("late")
    assert till.hold("too late") == HoldRefused("day_spend")
    assert get_account(conn, 1001).spent_on == date(2026, 2, 28)

    clock.time = MIDNIGHT
    assert isinstance(till.hold("early"), Held)
    till.settle("early")
    assert till.hold("too early") == HoldRefused("day_spend")
    account = get_account(conn, 1001)
    assert (account.spent_on, account.day_spent) == (date(2026, 3, 1), CENT)


def test_a_call_over_midnight_is_spent_on_the_day_it_ends(
    till: Till, clock: Clock, conn: Connection, a_cent_a_day: None
) -> None:
    assert isinstance(till.hold("long"), Held)
    clock.time = MIDNIGHT
    till.settle("long")
    account = get_account(conn, 1001)
    assert (account.spent_on, account.day_spent) == (date(2026, 3, 1), CENT)
