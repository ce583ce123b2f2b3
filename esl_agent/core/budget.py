"""How much talk an amount buys, and what the next piece of talk costs (terms 1).

Billed seconds come in a ladder: the *first* rung is the minimum, or one step
where that is more; the others are the whole steps above it.
"""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal
from typing import Final

from esl_agent.core.money import AMOUNT_QUANTUM, ZERO
from esl_agent.core.price import Price
from esl_agent.core.rating import timed_amount

#: The most talk that is ever paid for, and so the longest that a metered call may last: a day.
SECONDS_FUNDED_MAX: Final = 86_400


def is_metered(price: Price) -> bool:
    """Whether money has to be held for a leg: not if it is free, or costs nothing however long it lasts."""
    timed = price.rate_per_minute or price.forwarding_rate_per_minute
    return not price.is_free and bool(timed or price.connection_fee or price.payphone_surcharge)


def first_billed_s(price: Price) -> int:
    """The fewest seconds that an answered leg is billed for."""
    return max(price.minimum_s, price.step_s)


def next_billed_s(price: Price, billed_s: int) -> int:
    """The rung above `billed_s`."""
    return billed_at_least(price, billed_s + 1)


def billed_at_least(price: Price, seconds: int) -> int:
    """The lowest rung of `seconds` or more."""
    first_s = first_billed_s(price)
    return first_s if seconds <= first_s else -(-seconds // price.step_s) * price.step_s


def talk_s(price: Price, billed_s: int) -> int:
    """How long a leg may talk before it is billed for more than `billed_s`.

    Less than billed where the minimum isn't a whole number of steps: under
    30/18 a talk of 19 s is billed 36 s, so the first 30 s pay for 18.
    """
    return billed_s // price.step_s * price.step_s


def cost_of(price: Price, billed_s: int) -> Decimal:
    """What `billed_s` seconds cost, fee and surcharges included: the total of `rating.charge_for`, sooner."""
    if not billed_s:
        return ZERO
    return (
        timed_amount(price.rate_per_minute, billed_s)
        + price.connection_fee
        + timed_amount(price.forwarding_rate_per_minute, billed_s)
        + price.payphone_surcharge
    )


def first_charge(price: Price) -> Decimal:
    """What must be free on the account before the call goes out: its first rung."""
    return cost_of(price, first_billed_s(price))


def seconds_funded(price: Price, amount: Decimal) -> int:
    """The most billed seconds that `amount` pays for; 0 if not even the first, a day at most."""
    if not is_metered(price):
        return SECONDS_FUNDED_MAX
    first_s, step_s = first_billed_s(price), price.step_s
    if cost_of(price, first_s) > amount:
        return 0
    low, high = _steps_between(price, amount)
    steps = bisect_right(range(high + 1), amount, low, key=lambda step: cost_of(price, step * step_s)) - 1
    return max(first_s, steps * step_s)


def _steps_between(price: Price, amount: Decimal) -> tuple[int, int]:
    """A number of steps that `amount` surely pays for, and one that it can't exceed.

    Two rounded lines are together within one quantum of the exact cost, so
    that only the few steps in between need counting out.
    """
    steps_max = SECONDS_FUNDED_MAX // price.step_s
    per_step = (price.rate_per_minute + price.forwarding_rate_per_minute) * price.step_s / 60
    if not per_step:
        return steps_max, steps_max
    spare = amount - price.connection_fee - price.payphone_surcharge
    low = int((spare - AMOUNT_QUANTUM) / per_step)
    high = int((spare + AMOUNT_QUANTUM) / per_step)
    return min(max(low, 0), steps_max), min(high, steps_max)
