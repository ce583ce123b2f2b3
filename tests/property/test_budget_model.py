"""Calls that share an account's money, whatever happens: never a cent too much, none cut too soon.

The desk and the machine are the real ones; the switch and the clock are played
(fixtures/budget_world.py), and the store is its own oracle, told in the
plainest way (fixtures/budget_purse.py).  A smaller run holds the store itself
against the oracle, move by move.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final
from uuid import uuid4

from fixtures.budget_purse import Purse
from fixtures.budget_world import MS, World
from fixtures.records import a_price, an_account
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from esl_agent.core.call_signals import HoldMoney
from esl_agent.core.money import ZERO
from esl_agent.store import accounts, ledger
from esl_agent.store.cdrs import CdrRow
from esl_agent.store.holds import HoldRequest, hold_many
from esl_agent.store.pool import Connection
from esl_agent.store.release import release_many
from esl_agent.store.settle import settle_many

ACCOUNTS: Final = (1001, 1002)
CENTS: Final = st.integers(0, 300).map(lambda cents: Decimal(cents) / 100)


def price(minimum_s: int, step_s: int, **more: object) -> object:
    return a_price(rate_per_minute=Decimal("0.60"), minimum_s=minimum_s, step_s=step_s, **more)


PRICES: Final = (
    price(60, 60),
    price(6, 6),
    price(1, 1),
    price(30, 6),
    price(30, 18),
    price(6, 6, connection_fee=Decimal("0.0500")),
    price(6, 6, forwarding_rate_per_minute=Decimal("0.015000")),
    price(6, 6, grace_ms=700),
)


class Budgets(RuleBasedStateMachine):
    """What customers, callers, operators and bad luck do."""

    def make_purse(self) -> Purse:
        return Purse()

    @initialize(
        seed=st.integers(0, 2**32), balances=st.tuples(CENTS, CENTS), credit=st.sampled_from((0, 0, 1))
    )
    def begin(self, seed: int, balances: tuple[Decimal, Decimal], credit: int) -> None:
        self.purse = self.make_purse()
        self.world = World(self.purse, seed)
        self.paid_in = dict(zip(ACCOUNTS, balances, strict=True))
        for account_id, balance in self.paid_in.items():
            self.purse.open(account_id, balance, Decimal(credit))

    @rule(
        account_id=st.sampled_from(ACCOUNTS),
        price=st.sampled_from(PRICES),
        talk_ms=st.integers(0, 90_000),
        ring_ms=st.sampled_from((0, 5, 1_000)),
        carriers=st.integers(1, 2),
        is_admitted=st.booleans(),
        calls=st.integers(1, 4),
    )
    def place(self, calls: int, **call: object) -> None:
        for _ in range(calls):
            self.world.place(**call)  # type: ignore[arg-type]

    @rule(
        account_id=st.sampled_from(ACCOUNTS),
        price=st.sampled_from(PRICES),
        talk_ms=st.integers(100, 40_000),
        legs_answers=st.sampled_from(((2, 1), (2, 2), (3, 1), (3, 2), (2, 0))),
        is_admitted=st.booleans(),
    )
    def ring_at_once(self, legs_answers: tuple[int, int], **call: object) -> None:
        legs, answers = legs_answers
        self.world.ring_at_once(legs=legs, answers=answers, **call)  # type: ignore[arg-type]

    @rule(ms=st.sampled_from((20, 300, 1_000, 5_500, 6_000, 20_000)))
    def wait(self, ms: int) -> None:
        self.world.run(self.world.now_us + ms * MS)

    @rule(which=st.integers(0, 30))
    def hang_up(self, which: int) -> None:
        up = self.world.talking()
        if up:
            self.world.hang_up(up[which % len(up)])

    @rule(account_id=st.sampled_from(ACCOUNTS), amount=CENTS)
    def top_up(self, account_id: int, amount: Decimal) -> None:
        self.paid_in[account_id] += amount
        self.purse.top_up(account_id, amount, self.world.now_us)
        self.world.account_changed(account_id)

    @rule(account_id=st.sampled_from(ACCOUNTS), is_active=st.booleans())
    def suspend_or_resume(self, account_id: int, is_active: bool) -> None:
        self.purse.set_active(account_id, is_active, self.world.now_us)
        self.world.account_changed(account_id)

    @rule(kills=st.integers(1, 3))
    def lose_kills(self, kills: int) -> None:
        self.world.kills_to_lose += kills

    @rule(holds=st.integers(1, 3))
    def fail_holds(self, holds: int) -> None:
        self.world.holds_to_fail += holds

    @invariant()
    def nothing_is_spent_twice(self) -> None:
        for account_id, account in self.purse.accounts.items():
            assert account.available >= 0
            assert account.balance == self.paid_in[account_id] - self.world.charged.get(account_id, ZERO)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.run()
        self.nothing_is_spent_twice()
        assert not self.world.desk.live, "every call has ended"
        for account in self.purse.accounts.values():
            assert account.reserved == 0, "nothing is reserved for a call that is over"


class PostgresPurse(Purse):
    """The oracle and the store side by side: whatever one says, the other has to say."""

    def __init__(self, conn: Connection) -> None:
        super().__init__()
        self._conn = conn
        conn.execute("TRUNCATE accounts, account_limits, reservations, ledger, cdrs")

    def open(self, account_id: int, balance: Decimal, credit: Decimal) -> None:
        super().open(account_id, balance, credit)
        an_account(self._conn, account_id, str(balance), credit_limit=credit)

    def top_up(self, account_id: int, amount: Decimal, now_us: int) -> None:
        super().top_up(account_id, amount, now_us)
        if amount:
            accounts.top_up(self._conn, account_id, amount, str(uuid4()))

    def set_active(self, account_id: int, is_active: bool, now_us: int) -> None:
        if is_active and not self.accounts[account_id].is_active:
            accounts.resume(self._conn, account_id, "paid", "test")
        elif not is_active and self.accounts[account_id].is_active:
            accounts.suspend(self._conn, account_id, "unpaid", "test")
        super().set_active(account_id, is_active, now_us)

    def hold(
        self, account_id: int, leg_uuid: str, ask: HoldMoney, takes_from: tuple[str, ...] = ()
    ) -> tuple[str, Decimal, Decimal]:
        expected = super().hold(account_id, leg_uuid, ask, takes_from)
        request = HoldRequest(account_id, leg_uuid, ask.least, ask.want, ask.spare, takes_from=takes_from)
        [result] = hold_many(self._conn, [request])
        assert (result.outcome.value, result.held, result.available) == expected
        return expected

    def settle(self, row: CdrRow, hand_to: str | None, now_us: int) -> tuple[bool, Decimal, Decimal]:
        expected: tuple[bool, Decimal, Decimal] = super().settle(row, hand_to, now_us)
        [result] = settle_many(self._conn, [row], hand_to={row.leg_uuid: hand_to} if hand_to else {})
        assert (result.settled, result.charged, result.uncollected) == expected
        account = accounts.get_account(self._conn, row.account_id)
        mine = self.accounts[row.account_id]
        assert (account.balance, account.reserved) == (mine.balance, mine.reserved)
        return expected

    def release(self, account_id: int, leg_uuid: str, now_us: int) -> None:
        super().release(account_id, leg_uuid, now_us)
        release_many(self._conn, [(account_id, leg_uuid)])


TestBudgets = Budgets.TestCase
TestBudgets.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_the_store_does_as_the_oracle_says(conn: Connection) -> None:
    class OnPostgres(Budgets):
        def make_purse(self) -> Purse:
            return PostgresPurse(conn)

        def teardown(self) -> None:
            super().teardown()
            assert ledger.check(conn) == []

    few = settings(max_examples=8, stateful_step_count=30, deadline=None, phases=[Phase.generate])
    run_state_machine_as_test(OnPostgres, settings=few)
