"""A call whose first carrier fails, on the real store, while what is settled is long in coming.

Nothing of it is held twice, and it is refused nothing that it has already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import cast

import gevent
import pytest
from fixtures.records import NOON_US, S, a_price, an_account, money

from esl_agent.agent.calls.desk import Desk
from esl_agent.agent.calls.itinerary import Itinerary
from esl_agent.agent.clock import calendar
from esl_agent.agent.database import Database
from esl_agent.agent.money.holder import Holder
from esl_agent.agent.pricing import NOT_UNDERSTOOD, Priced, Pricing
from esl_agent.core.call_signals import ArmSwitchCut, Timer
from esl_agent.core.call_state import CallPolicy
from esl_agent.core.leg import Direction, Leg, LegEnd, Product, Quality
from esl_agent.store.cdrs import CdrRow
from esl_agent.store.holds import HoldRequest, hold_many
from esl_agent.store.pool import Connection, open_pool
from esl_agent.store.settle import settle_many

from .conftest import PATIENCE_S, Journal

PAYER = 1001
STEP = Decimal("0.0600")
#: Six cents for each six seconds.
PRICE = a_price(rate_per_minute=Decimal("0.60"))
LEG = Leg(
    "caller", Direction.OUTBOUND, NOON_US, PAYER, Product.TERMINATION, "44", "44", "15145550100",
    "caller", None, None, is_loopback=False,
)  # fmt: skip


class Quiet:
    """A switch and timers that are told, and do nothing."""

    round_trip_us = late_us = 0
    command_us = 0.0

    def __init__(self) -> None:
        self.killed: list[str] = []

    def kill(self, leg_uuid: str, cause: str) -> None:
        self.killed.append(cause)

    def arm_cut(self, leg_uuid: str, arm: ArmSwitchCut) -> None: ...
    def disarm_cut(self, leg_uuid: str) -> None: ...
    def set(self, owner: str, timer: Timer, at_us: int) -> None: ...
    def drop(self, owner: str) -> None: ...
    def cuts_near(self, at_us: int) -> int:
        return 0


class Counter:
    """A desk and its holder; settlements wait until they are let through."""

    def __init__(self, holder: Holder, conn: Connection, journal: Journal) -> None:
        self.quiet = Quiet()
        self.now_us = NOON_US
        self.waiting: list[tuple[CdrRow, str | None]] = []
        self._holder, self._conn = holder, conn
        self._desk = Desk(
            policy=CallPolicy(warn_at_s=()), pricing=cast(Pricing, None), now_us=lambda: self.now_us,
            timers=self.quiet, ask_hold=holder.ask, settle=lambda row, to: self.waiting.append((row, to)),
            release=lambda account_id, leg_uuid: None, switchboard=self.quiet, log=journal, live_max=10,
        )  # fmt: skip

    def admit(self, *leg_uuids: str) -> None:
        hold_many(self._conn, [HoldRequest(PAYER, leg_uuids[0], STEP, STEP)])
        priced = Priced(LEG, PAYER, NOT_UNDERSTOOD, PRICE, "CAD")
        self._desk.expect(Itinerary(priced, "caller", leg_uuids, STEP, NOON_US))

    def rings(self, leg_uuid: str) -> None:
        self._desk.leg_created(replace(LEG, leg_uuid=leg_uuid))

    def answers(self, leg_uuid: str) -> None:
        self._desk.leg_answered(replace(LEG, leg_uuid=leg_uuid, answered_us=self.now_us))

    def ends(self, leg_uuid: str, cause: str, talk_us: int = 0) -> None:
        leg = replace(LEG, leg_uuid=leg_uuid, answered_us=NOON_US if talk_us else None)
        end = LegEnd(leg, NOON_US + talk_us, talk_us, cause, 200, "callee", Quality(None, None, None), None)
        self._desk.leg_ended(end)

    def asks(self, leg_uuid: str) -> None:
        """As its timer says, and the store has answered."""
        self.now_us += 2 * S
        self._desk.timer_rang(leg_uuid, Timer.ASK)
        assert self._holder.wait_empty(PATIENCE_S)

    def settle(self) -> list[tuple[str, str, str]]:
        """Let them through: (leg, charged, uncollected)."""
        rows = [row for row, _ in self.waiting]
        hand_to = {row.leg_uuid: to for row, to in self.waiting if to}
        settled = settle_many(self._conn, rows, hand_to=hand_to)
        return [(each.leg_uuid, str(each.charged), str(each.uncollected)) for each in settled]


@pytest.fixture
def counter(database_url: str, conn: Connection, journal: Journal) -> Iterator[Counter]:
    with open_pool(database_url, 2) as pool:
        database = Database(pool, database_url, journal)
        holder = Holder(database, calendar("UTC"), journal, queue_max=100, batch_max=10)
        running = gevent.spawn(holder.run)
        yield Counter(holder, conn, journal)
        running.kill()


def reserved(conn: Connection) -> str:
    return money(conn, PAYER)[1]


@pytest.mark.parametrize("balance", ["0.06", "0.12"], ids=["one step's money", "two steps' money"])
def test_a_call_that_fails_over_holds_once_and_talks_on_what_it_has(
    counter: Counter, conn: Connection, balance: str
) -> None:
    an_account(conn, PAYER, balance)
    counter.admit("alpha", "bravo")
    counter.rings("alpha")
    counter.ends("alpha", "NORMAL_TEMPORARY_FAILURE")
    counter.rings("bravo")
    counter.answers("bravo")
    assert reserved(conn) == "0.0600"

    counter.asks("bravo")

    assert reserved(conn) == f"{balance}00"
    assert counter.quiet.killed == []
    counter.ends("bravo", "NORMAL_CLEARING", talk_us=int(Decimal(balance) * 100) * S - 1)
    charged = f"{balance}00"
    assert counter.settle() == [("alpha", "0.0000", "0.0000"), ("bravo", charged, "0.0000")]
    assert money(conn, PAYER) == ("0.0000", "0.0000")


def test_a_carrier_that_could_not_be_called_holds_nothing_back(counter: Counter, conn: Connection) -> None:
    """It made no leg, so no event ever tells of it."""
    an_account(conn, PAYER, "0.06")
    counter.admit("never", "bravo")
    counter.rings("bravo")
    counter.answers("bravo")
    counter.asks("bravo")
    assert reserved(conn) == "0.0600"
    counter.ends("bravo", "NORMAL_CLEARING", talk_us=6 * S - 1)
    assert counter.settle() == [("bravo", "0.0600", "0.0000")]
    assert money(conn, PAYER) == ("0.0000", "0.0000")
