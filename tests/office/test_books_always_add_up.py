"""Whatever the office and calls do, in whatever order: debits are credits, and stored balances re-add."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Final

from fixtures.records import a_cdr, an_account
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esl_agent.core.money import amount as money
from esl_agent.core.office.dunning import DunningPolicy
from esl_agent.core.office.recurring import Recurring
from esl_agent.errors import EslAgentError
from esl_agent.office.arrears import charge_interest, invoices_on
from esl_agent.office.charges import Charge, RecurringCharge, add_recurring, add_single, run_monthly
from esl_agent.office.dunning import receive, take_steps
from esl_agent.office.invoices import InvoicePolicy, credit, issue, list_invoices
from esl_agent.office.payments import (
    Method,
    NewPayment,
    Return,
    ReturnFeePolicy,
    list_payments,
    return_payment,
)
from esl_agent.office.retention import RetentionPolicy
from esl_agent.office.retention import run as run_retention
from esl_agent.office.statements import statement_of
from esl_agent.store import ledger
from esl_agent.store.accounts import get_account
from esl_agent.store.holds import HoldRequest, hold_many
from esl_agent.store.pool import Connection, connected
from esl_agent.store.release import release_many
from esl_agent.store.settle import settle_many

PAYER: Final = 1001
ZONE: Final = "America/Toronto"
POLICY: Final = InvoicePolicy(10, datetime(2026, 1, 1, tzinfo=UTC))
DUNNING: Final = DunningPolicy((1,), 20, None)
BEGAN: Final = date(2026, 1, 1)


class Office:
    """Does one thing after the other, as days go by."""

    def __init__(self, conn: Connection) -> None:
        self.conn, self.today, self._numbers = conn, BEGAN, count(1)

    def pay(self, cents: int) -> None:
        new = NewPayment(
            account_id=PAYER, amount=money(Decimal(cents) / 100), reference=f"check {next(self._numbers)}",
            method=Method.CHECK, received_on=self.today, by="office",
        )  # fmt: skip
        receive(self.conn, new, self.today, ZONE, DUNNING)

    def bounce(self, which: int) -> None:
        payments = list_payments(self.conn, PAYER)
        what = Return(
            account_id=PAYER, reference=payments[which % len(payments)].reference, reason="no funds",
            returned_on=self.today, by="office",
        )  # fmt: skip
        return_payment(self.conn, what, ReturnFeePolicy())

    def charge(self, cents: int) -> None:
        reference = f"work {next(self._numbers)}"
        amount = money(Decimal(cents) / 100)
        add_single(self.conn, Charge(PAYER, reference, "Work", amount, True, self.today, None, "office"))

    def charge_monthly(self, cents: int) -> None:
        terms = Recurring(money(Decimal(cents) / 100), 1 + cents % 31, self.today, prorated=bool(cents % 2))
        word = f"line-{next(self._numbers)}"
        add_recurring(self.conn, RecurringCharge(PAYER, word, "Line", True, None, "office", terms))

    def invoice(self, _: int) -> None:
        list(run_monthly(self.conn, self.today, ZONE))
        issue(self.conn, PAYER, self.today, POLICY, "office")

    def credit(self, which: int) -> None:
        issued = list_invoices(self.conn, PAYER)
        number = issued[which % len(issued)].invoice_number
        credit(self.conn, number, [], "a mistake", "office", self.today)

    def dun(self, _: int) -> None:
        list(charge_interest(self.conn, self.today, ZONE, Decimal("0.02")))
        list(take_steps(self.conn, self.today, ZONE, DUNNING))

    def call(self, cents: int) -> None:
        leg = f"leg {next(self._numbers)}"
        amount = money(Decimal(cents) / 100)
        hold_many(self.conn, [HoldRequest(PAYER, leg, amount, amount)])
        if cents % 3:
            settle_many(self.conn, [a_cdr(PAYER, leg, str(amount))])
        else:
            release_many(self.conn, [(PAYER, leg)])

    def wait(self, days: int) -> None:
        self.today += timedelta(days=days % 60)

    def clear_away(self, _: int) -> None:
        list(run_retention(self.conn, RetentionPolicy(1, 3, 1), self.today, "office"))


DEEDS: Final = [getattr(Office, name) for name in vars(Office) if not name.startswith("_")]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(1, 5_000)), max_size=20))
def test_the_books_always_add_up(
    new_database: Callable[[], str], deeds: list[tuple[Callable[[Office, int], None], int]]
) -> None:
    with connected(new_database()) as conn:
        an_account(conn, PAYER, "10")
        office = Office(conn)
        for deed, figure in deeds:
            # What can't be done is refused: no such invoice, a suspended account, nothing to bounce.
            with suppress(EslAgentError, ZeroDivisionError):
                deed(office, figure)
            assert not ledger.check(conn), deed.__name__
        _check(conn, office.today)


def _check(conn: Connection, today: date) -> None:
    account = get_account(conn, PAYER)
    far = datetime.now(UTC).date() + timedelta(days=10_000)
    statement = statement_of(conn, PAYER, BEGAN, far, ZONE)
    moved = sum((line.change for line in statement.lines), Decimal(0))
    moved -= sum((line.amount for line in statement.calls), Decimal(0))
    assert statement.opening + moved == statement.closing == account.balance

    owed = max(Decimal(0), -account.balance)
    still_open = sum((each.open_amount for each in invoices_on(conn, PAYER, far, ZONE)), Decimal(0))
    assert still_open <= owed + Decimal("0.01") * len(list_invoices(conn, PAYER))
    sides: list[tuple[Decimal]] = conn.execute(
        "SELECT sum(CASE side WHEN debit THEN amount ELSE -amount END)"
        " FROM ledger CROSS JOIN LATERAL (VALUES (debit), (credit)) AS both_sides (side)"
    ).fetchall()  # type: ignore[assignment]
    assert sides == [(Decimal(0),)]
