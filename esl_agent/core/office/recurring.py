"""Monthly charges (terms 9): which are due on a day, and how much each is.

A charge is due on the first day of its period, in advance.  Periods run from
the anchor day of one month to that of the next.  The days before the first
anchor day are charged by their share of a month with `prorated`, and not at all
without.  A period that has begun is charged whole: a run that comes after the
charge has ended must find what a run in time would have found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from itertools import takewhile
from typing import Final

from esl_agent.core.office.months import Period, first_anchor, months_after, periods

CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Recurring:
    """`amount` a month, before taxes, from `starts_on` until the day before `ends_on`."""

    amount: Decimal
    anchor_day: int  # 1 to 31
    starts_on: date
    ends_on: date | None = None
    prorated: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """A charge that is due on the day its period begins."""

    period: Period
    amount: Decimal


def due(charge: Recurring, on: date) -> Iterator[Due]:
    """Everything that has been due up to and including day `on`, the oldest first."""
    first = first_anchor(charge.starts_on, charge.anchor_day)
    if charge.prorated and charge.starts_on < first and _is_due(charge, charge.starts_on, on):
        part = Period(charge.starts_on, first)
        whole = Period(months_after(first, -1, charge.anchor_day), first)
        yield Due(part, to_cents(charge.amount * part.days / whole.days))
    for period in takewhile(
        lambda period: _is_due(charge, period.begins, on), periods(first, charge.anchor_day)
    ):
        yield Due(period, charge.amount)


def to_cents(amount: Decimal) -> Decimal:
    """Half up, at the 4 decimals of an amount."""
    return amount.quantize(CENT, ROUND_HALF_UP).quantize(Decimal("0.0001"))


def _is_due(charge: Recurring, begins: date, on: date) -> bool:
    return begins <= on and (charge.ends_on is None or begins < charge.ends_on)
