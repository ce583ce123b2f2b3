"""A batch settles in SQL as it would leg by leg in Python, to the last line of the ledger.

Legs that were answered are known of until they are settled, and never again.

What a leg pays is `core.rating.collect`; the model around it is one purse for each account.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import pytest
from fixtures.records import a_cdr, an_account
from hypothesis import given, settings
from hypothesis import strategies as st

from esl_agent.core.money import AMOUNT_QUANTUM, ZERO
from esl_agent.core.price import Charge, ChargeLine, LineKind
from esl_agent.core.rating import collect
from esl_agent.store import ledger
from esl_agent.store.accounts import change_credit_limit, get_account
from esl_agent.store.answers import keep_answers
from esl_agent.store.cdrs import CdrFilter, CdrRow, iterate_cdrs
from esl_agent.store.holds import HoldRequest, hold_many
from esl_agent.store.journal_records import Answer
from esl_agent.store.ledger import last_entries
from esl_agent.store.pool import Connection, connected
from esl_agent.store.release import release_many
from esl_agent.store.settle import Settled, settle_many

PAYERS: Final = (1001, 1002)
STRANGER: Final = 4242
LEGS: Final = ("a", "b", "c", "d", "e")
LIMIT: Final = 1_000


@dataclass
class Purse:
    """An account, and what is held for its legs; None for one that was given up."""

    balance: Decimal
    credit: Decimal
    holds: dict[str, Decimal | None] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)
    entries: dict[tuple[str, str], Decimal] = field(default_factory=dict)

    @property
    def reserved(self) -> Decimal:
        return sum((held for held in self.holds.values() if held is not None), ZERO)

    def hand_over(self, leg: str, to: str) -> None:
        held = self.holds.get(leg)
        if held is None:
            return
        del self.holds[leg]
        before = self.holds.get(to, ZERO)
        if to not in self.over and before is not None:
            self.holds[to] = max(held, before)

    def settle(self, row: CdrRow) -> Settled:
        if row.leg_uuid in self.over:
            return Settled(row.leg_uuid, False, ZERO, ZERO, self.balance)
        self.over.add(row.leg_uuid)
        free = self.balance + self.credit - self.reserved
        held = self.holds.pop(row.leg_uuid, None)
        lines, uncollected = collect(row.charge, free if held is None else held)
        charged = row.charge.total - uncollected
        self.balance -= charged
        self.entries |= {(row.leg_uuid, line.kind): line.amount for line in lines if line.amount}
        return Settled(row.leg_uuid, True, charged, uncollected, self.balance)


def settle_in_model(purses: dict[int, Purse], rows: list[CdrRow], hand_to: dict[str, str]) -> list[Settled]:
    """All hand-overs, in order, before the first leg; a leg that comes again changes nothing."""
    seen: set[tuple[int, str]] = set()
    for row in rows:
        if (row.account_id, row.leg_uuid) in seen:
            continue
        seen.add((row.account_id, row.leg_uuid))
        to = hand_to.get(row.leg_uuid, row.leg_uuid)
        if to != row.leg_uuid and not row.charge.total:
            purses[row.account_id].hand_over(row.leg_uuid, to)
    return [purses[row.account_id].settle(row) for row in rows]


def amounts(up_to: int) -> st.SearchStrategy[Decimal]:
    return st.integers(0, up_to).map(lambda number: number * AMOUNT_QUANTUM)


@st.composite
def charges(draw: st.DrawFn) -> Charge:
    kinds = draw(st.lists(st.sampled_from(LineKind), unique=True, max_size=3))
    lines = tuple(ChargeLine(kind, Decimal("0.012500"), draw(amounts(400))) for kind in kinds)
    return Charge(60, draw(st.sampled_from([lines, ()])))


ROWS: Final = st.lists(
    st.builds(
        lambda payer, leg, charge: a_cdr(payer, leg, charge=charge),
        st.sampled_from((*PAYERS, STRANGER)),
        st.sampled_from(LEGS),
        charges(),
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def url(new_database: Callable[[], str]) -> str:
    """A database whose accounts each example makes anew."""
    return new_database()


def prepare(conn: Connection, purse: Purse, payer: int, given_up: set[str]) -> None:
    """The account of a purse, in the database."""
    conn.execute("DELETE FROM reservations WHERE account_id = %s", [payer])
    an_account(conn, payer, str(purse.balance), credit_limit=Decimal(1))
    holds = [(leg, held) for leg, held in purse.holds.items() if held is not None]
    hold_many(conn, [HoldRequest(payer, leg, held, held) for leg, held in holds])
    release_many(conn, [(payer, leg) for leg in given_up])
    change_credit_limit(conn, payer, purse.credit)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), batches=st.lists(ROWS, min_size=1, max_size=2))
def test_a_batch_settles_as_it_would_leg_by_leg(
    url: str, data: st.DataObject, batches: list[list[CdrRow]]
) -> None:
    answered: set[tuple[int, str]] = set()
    hand_to = data.draw(st.dictionaries(st.sampled_from(LEGS), st.sampled_from(LEGS), max_size=4))
    purses = {STRANGER: Purse(ZERO, ZERO)}
    with connected(url) as conn:
        conn.execute("TRUNCATE accounts, reservations, answers, ledger, cdrs")
        for payer in PAYERS:
            holds = data.draw(st.dictionaries(st.sampled_from(LEGS), st.none() | amounts(300), max_size=4))
            purse = Purse(data.draw(amounts(1_000)), data.draw(amounts(500)), holds)
            purses[payer] = purse
            prepare(conn, purse, payer, {leg for leg, held in holds.items() if held is None})

        for rows in batches:
            told = data.draw(st.lists(st.tuples(st.sampled_from(tuple(purses)), st.sampled_from(LEGS))))
            keep_answers(conn, [Answer(payer, leg, "montreal", "{}") for payer, leg in told])
            expected = settle_in_model(purses, rows, hand_to)
            assert settle_many(conn, rows, hand_to=hand_to) == expected
            answered = {(payer, leg) for payer, leg in {*answered, *told} if leg not in purses[payer].over}
            assert set(conn.execute("SELECT account_id, leg_uuid FROM answers")) == answered

        assert ledger.check(conn) == []
        written = {(row.account_id, row.leg_uuid): row for row in iterate_cdrs(conn, CdrFilter())}
        assert {leg for payer, leg in written if payer == STRANGER} == purses[STRANGER].over
        for payer in PAYERS:
            compare(conn, payer, purses[payer])
            charged = sum((row.charged for (by, _), row in written.items() if by == payer), ZERO)
            assert charged == sum(purses[payer].entries.values(), ZERO)


def compare(conn: Connection, payer: int, purse: Purse) -> None:
    account = get_account(conn, payer)
    calls = sum(held is not None for held in purse.holds.values())
    assert (account.balance, account.reserved, account.calls_up) == (purse.balance, purse.reserved, calls)
    entries = [each for each in last_entries(conn, payer, LIMIT) if each.kind != "top_up"]
    assert {(each.reference, each.kind): each.amount for each in entries} == purse.entries
