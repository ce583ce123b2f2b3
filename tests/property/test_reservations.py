"""In whatever order two daemons hear of calls, and however often: no money is held twice, or for ever.

The database itself watches at every statement: constraints that only these
tests add refuse a hold of more than is free, and a call too many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Final

import gevent
import pytest
from fixtures.records import a_cdr, an_account
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from esl_agent.core.money import ZERO
from esl_agent.store import ledger
from esl_agent.store.accounts import get_account
from esl_agent.store.cdrs import CdrFilter, iterate_cdrs
from esl_agent.store.holds import HoldRequest, hold_many
from esl_agent.store.limits import change_limits
from esl_agent.store.pool import Connection, Pool, connected, open_pool
from esl_agent.store.release import release_many
from esl_agent.store.settle import settle_many

TODAY: Final = date(2026, 3, 1)
PAYERS: Final = (1001, 1002)
PAID_IN: Final = Decimal("0.80")
CALLS_MAX: Final = 2
CARRIERS: Final = ("alpha", "bravo", "charlie")
GREENLETS: Final = 10

#: Two daemons never do the same twice in the same order.
NO_SHRINKING: Final = (Phase.explicit, Phase.reuse, Phase.generate)

GUARD: Final = f"""
    ALTER TABLE accounts
        ADD CONSTRAINT holds_no_more_than_is_free CHECK (balance + credit_limit >= reserved),
        ADD CONSTRAINT has_no_call_too_many CHECK (calls_up <= {CALLS_MAX})
"""


@dataclass(frozen=True)
class Call:
    """A call that tries carriers in order; the leg to the last one it reaches may cost something."""

    name: str
    payer: int
    least: Decimal
    want: Decimal
    reached: int  # how many carriers' legs were made; the others are planned and never made
    cost: Decimal

    def leg(self, number: int) -> str:
        return f"{self.name}-{CARRIERS[number]}"

    def jobs(self) -> Iterator[Job]:
        """What a daemon has to do for the call."""
        yield Job(self, "hold", 0)
        for number in range(len(CARRIERS)):
            yield Job(self, "settle" if number < self.reached else "release", number)


@dataclass(frozen=True)
class Job:
    """One thing to do for one leg."""

    call: Call
    kind: str
    number: int

    @property
    def leg(self) -> str:
        return self.call.leg(self.number)


def work_off(conn: Connection, kind: str, jobs: Sequence[Job]) -> None:
    """Jobs of one kind, as a daemon does them: all in one transaction."""
    if kind == "hold":
        requests = [HoldRequest(job.call.payer, job.leg, job.call.least, job.call.want) for job in jobs]
        hold_many(conn, requests, TODAY)
    elif kind == "release":
        release_many(conn, [(job.call.payer, job.leg) for job in jobs])
    else:
        rows = [
            a_cdr(job.call.payer, job.leg, str(job.call.cost if job.number + 1 == job.call.reached else ZERO))
            for job in jobs
        ]
        hand_to = {job.leg: job.call.leg(job.number + 1) for job in jobs if job.number + 1 < len(CARRIERS)}
        settle_many(conn, rows, hand_to=hand_to, today=TODAY)


@pytest.fixture(scope="module")
def guarded_url(new_database: Callable[[], str]) -> str:
    """A database that refuses what must never be."""
    url = new_database()
    with connected(url) as conn:
        conn.execute(GUARD)
    return url


@pytest.fixture(scope="module")
def pools(guarded_url: str) -> Iterator[tuple[Pool, Pool]]:
    """The connections of two daemons."""
    both = open_pool(guarded_url, 5, name="first"), open_pool(guarded_url, 5, name="second")
    yield both
    for pool in both:
        pool.close()


CENTS = st.integers(0, 40).map(lambda cents: Decimal(cents) / 100)


@st.composite
def news_of_calls(draw: st.DrawFn) -> tuple[list[Call], list[Job]]:
    """Calls, and everything that is to be done for them: some of it twice, in any order."""
    calls = [
        Call(f"call{number}", draw(st.sampled_from(PAYERS)), *draw(st.tuples(CENTS, CENTS)), reached, cost)
        for number, (reached, cost) in enumerate(
            draw(st.lists(st.tuples(st.integers(0, len(CARRIERS)), CENTS), min_size=1, max_size=16))
        )
    ]
    jobs = [job for call in calls for job in call.jobs()]
    return calls, draw(st.permutations(jobs + draw(st.lists(st.sampled_from(jobs), max_size=10))))


@settings(max_examples=30, deadline=None, phases=NO_SHRINKING)
@given(news=news_of_calls())
def test_nothing_is_held_twice_or_for_ever(
    guarded_url: str, pools: tuple[Pool, Pool], news: tuple[list[Call], list[Job]]
) -> None:
    calls, jobs = news
    with connected(guarded_url) as conn:
        conn.execute("TRUNCATE accounts, account_limits, reservations, ledger, cdrs")
        for payer in PAYERS:
            an_account(conn, payer, str(PAID_IN))
            change_limits(conn, payer, lambda limits: replace(limits, max_calls=CALLS_MAX))

    def daemon_hears(number: int) -> None:
        for kind, some in groupby(jobs[number::GREENLETS], key=lambda job: job.kind):
            with pools[number % 2].connection() as own:
                work_off(own, kind, list(some))

    gevent.joinall([gevent.spawn(daemon_hears, number) for number in range(GREENLETS)], raise_error=True)

    with connected(guarded_url) as conn:
        assert ledger.check(conn) == []
        rows = list(iterate_cdrs(conn, CdrFilter()))
        made = [call.leg(number) for call in calls for number in range(call.reached)]
        assert sorted(row.leg_uuid for row in rows) == sorted(made), "each leg that was made has one CDR"
        for payer in PAYERS:
            account = get_account(conn, payer)
            assert (account.reserved, account.calls_up) == (ZERO, 0), "every leg is settled or given up"
            charged = sum((row.charged for row in rows if row.account_id == payer), ZERO)
            assert (account.balance, account.day_spent) == (PAID_IN - charged, charged)
