"""What is open of each invoice, and the interest on it (terms 7).

An account has one balance.  What it is below zero is owed; what of that was not
yet invoiced is not due.  Payments pay the oldest first, so what is open lies on
the newest invoices: nothing has to be allocated by hand, and a payment that is
returned opens again what it had paid.

Interest is 2 % of what is open of an invoice, interest included, on each day
that completes a month past its due date: 26.82 % a year.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from esl_agent.core.money import ZERO
from esl_agent.core.office.months import completed_months, months_after
from esl_agent.core.office.recurring import to_cents

MONTHLY_RATE: Final = Decimal("0.02")


@dataclass(frozen=True, slots=True)
class Owed:
    """An invoice: what it came to, with the interest that was charged on it."""

    number: str
    total: Decimal


def open_amounts(invoices: Sequence[Owed], balance: Decimal, not_invoiced: Decimal) -> dict[str, Decimal]:
    """What is open of each invoice, given oldest first; `not_invoiced` was taken from the balance, too."""
    left = max(ZERO, -balance - not_invoiced)
    amounts: dict[str, Decimal] = {}
    for invoice in reversed(invoices):
        amounts[invoice.number] = to_cents(min(invoice.total, left))
        left = max(ZERO, left - invoice.total)
    return dict(reversed(amounts.items()))


def interest_days(due_on: date, on: date) -> list[date]:
    """The days up to `on` that complete a month past the due date."""
    return [months_after(due_on, month) for month in range(1, completed_months(due_on, on) + 1)]


def interest_on(open_amount: Decimal, monthly_rate: Decimal = MONTHLY_RATE) -> Decimal:
    """For one completed month, half up to the cent."""
    return to_cents(open_amount * monthly_rate)


def yearly_rate(monthly_rate: Decimal = MONTHLY_RATE) -> Decimal:
    """What a monthly rate, compounded, comes to in a year, as the law wants it printed."""
    return ((1 + monthly_rate) ** 12 - 1).quantize(Decimal("0.0001"))
