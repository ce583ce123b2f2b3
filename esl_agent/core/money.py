"""Money: decimal amounts of one currency, four decimals, rounded half up.

An *amount* is a `Decimal` with exactly 4 decimals (1.2500 dollars); a *rate*
is a `Decimal` per minute with at most 6.  Binary floats are refused at the
door: they can't hold 0.1, and a ledger that is off by a rounding error is off.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final

AMOUNT_QUANTUM: Final = Decimal("0.0001")
RATE_QUANTUM: Final = Decimal("0.000001")
ZERO: Final = Decimal("0.0000")

#: Larger than any sum the ledger can hold (numeric(18,4)); input beyond it is a typing error.
AMOUNT_MAX: Final = Decimal("99999999999999.9999")
#: Larger than any rate a deck can hold (numeric(12,6)).
RATE_MAX: Final = Decimal("999999.999999")


class MoneyError(ValueError):
    """A text or number that isn't an amount or a rate; the message says why."""


def amount(value: str | int | Decimal) -> Decimal:
    """The exact amount that `value` says, at 4 decimals.

    Raises MoneyError where that would need rounding, for floats, for NaN and
    infinities, and beyond AMOUNT_MAX.
    """
    return _exact(value, AMOUNT_QUANTUM, AMOUNT_MAX, "an amount")


def rate(value: str | int | Decimal) -> Decimal:
    """The exact rate per minute that `value` says, at 6 decimals; raises MoneyError as `amount` does."""
    return _exact(value, RATE_QUANTUM, RATE_MAX, "a rate")


def round_amount(value: Decimal) -> Decimal:
    """`value` rounded half up to an amount (terms, reading notes: each ledger line on its own)."""
    return value.quantize(AMOUNT_QUANTUM, ROUND_HALF_UP)


def _exact(value: object, quantum: Decimal, largest: Decimal, what: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise MoneyError(f"{value!r} is not {what}: give text, a whole number or a Decimal")
    try:
        number = Decimal(value)
        if not number.is_finite() or abs(number) > largest:
            raise MoneyError(f"{value!r} is not {what} between -{largest} and {largest}")
        exact = number.quantize(quantum)
    except InvalidOperation:
        raise MoneyError(f"{value!r} is not {what}: write it like 12.5") from None
    if exact != number:
        raise MoneyError(f"{value!r} has more than {-int(quantum.as_tuple().exponent)} decimals")
    return exact
