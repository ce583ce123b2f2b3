"""Sales taxes (terms 9): each on the sum before taxes, by the rate of the day, half up to the cent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from esl_agent.core.office.recurring import to_cents


@dataclass(frozen=True, slots=True)
class TaxRate:
    """`rate` is a fraction: 0.05 is 5 %."""

    tax: str  # as it is printed: GST, QST
    effective_from: date
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Tax:
    tax: str
    rate: Decimal
    amount: Decimal


def rates_on(rates: Iterable[TaxRate], day: date) -> tuple[TaxRate, ...]:
    """The rate of each tax on that day, by the name of the tax; one whose rate is 0 is abolished."""
    in_force: dict[str, TaxRate] = {}
    for rate in sorted(rates, key=lambda rate: rate.effective_from):
        if rate.effective_from <= day:
            in_force[rate.tax] = rate
    return tuple(in_force[tax] for tax in sorted(in_force) if in_force[tax].rate)


def taxes_on(before_taxes: Decimal, rates: Iterable[TaxRate], day: date) -> tuple[Tax, ...]:
    """What each tax adds to a sum; no tax is charged on another."""
    return tuple(
        Tax(rate.tax, rate.rate, to_cents(before_taxes * rate.rate)) for rate in rates_on(rates, day)
    )
