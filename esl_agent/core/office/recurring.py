"""Monthly charges (terms 9): which are due on a day, and how much each is.

A charge is due on the first day of its period, in advance.  Periods run from
the anchor day of one month to that of the next.  What lies before the first
anchor day, and what is left of the last period when a charge ends, is charged
by its days with `prorated`, and not at all without: nobody pays twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
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
    for period, whole_days in _parts(charge, on):
        is_whole = period.days == whole_days
        if is_whole:
            yield Due(period, charge.amount)
        elif charge.prorated and period.days > 0:
            yield Due(period, to_cents(charge.amount * period.days / whole_days))


def to_cents(amount: Decimal) -> Decimal:
    """Half up, at the 4 decimals of an amount."""
    return amount.quantize(CENT, ROUND_HALF_UP).quantize(Decimal("0.0001"))


def _parts(charge: Recurring, on: date) -> Iterator[tuple[Period, int]]:
    """Each period, cut to the life of the charge, with the days that it has when it is whole."""
    first = first_anchor(charge.starts_on, charge.anchor_day)
    before = Period(months_after(first, -1, charge.anchor_day), first)
    if charge.starts_on < first and charge.starts_on <= on:
        yield _cut(before, charge), before.days
    for period in periods(first, charge.anchor_day):
        if period.begins > on or (charge.ends_on is not None and period.begins >= charge.ends_on):
            return
        yield _cut(period, charge), period.days


def _cut(period: Period, charge: Recurring) -> Period:
    ends = period.ends if charge.ends_on is None else min(period.ends, charge.ends_on)
    return Period(max(period.begins, charge.starts_on), ends)
