"""From talk to money: billed seconds, charge lines, and what of them a hold covers (terms, reading notes)."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from esl_agent.core.money import ZERO, round_amount
from esl_agent.core.price import Charge, ChargeLine, LineKind, Price

US_PER_MS: Final = 1_000
US_PER_S: Final = 1_000_000

_FLAT: Final = Decimal("0.000000")

# Named here for the hot path: to name a member of an enum costs 0.1 µs in Python 3.11.
_USAGE: Final = LineKind.USAGE
_CONNECTION: Final = LineKind.CONNECTION
_FORWARDING: Final = LineKind.FORWARDING
_PAYPHONE: Final = LineKind.PAYPHONE


def billed_seconds(duration_us: int, minimum_s: int, step_s: int, grace_ms: int = 0) -> int:
    """The seconds that an answered leg is billed for.

    max(minimum, whole steps that cover the duration); up to `grace_ms` past a
    step is forgiven.  A switch's clock that ran backwards counts as no time.
    """
    steps = -((grace_ms * US_PER_MS - duration_us) // (step_s * US_PER_S))  # rounded up
    return max(minimum_s, steps * step_s)


def rate_leg(price: Price, duration_us: int | None) -> Charge:
    """What a leg costs that was answered for `duration_us`, or never (None)."""
    if duration_us is None:
        return charge_for(price, 0)
    return charge_for(price, billed_seconds(duration_us, price.minimum_s, price.step_s, price.grace_ms))


def charge_for(price: Price, billed_s: int) -> Charge:
    """The lines for `billed_s` seconds; with 0, the zero lines of a leg that was never answered.

    Usage always stands first, for a CDR of nothing should say so too.
    """
    usage = _timed(_USAGE, price.rate_per_minute, billed_s)
    has_fee = price.connection_fee and billed_s
    has_payphone = price.payphone_surcharge and billed_s
    if not has_fee and not has_payphone and not price.forwarding_rate_per_minute:
        return Charge(billed_s, (usage,))
    lines = [usage]
    if has_fee:
        lines.append(ChargeLine(_CONNECTION, _FLAT, price.connection_fee))
    if price.forwarding_rate_per_minute:
        lines.append(_timed(_FORWARDING, price.forwarding_rate_per_minute, billed_s))
    if has_payphone:
        lines.append(ChargeLine(_PAYPHONE, _FLAT, price.payphone_surcharge))
    return Charge(billed_s, tuple(lines))


def timed_amount(rate_per_minute: Decimal, billed_s: int) -> Decimal:
    """What `billed_s` seconds come to at a rate, rounded as a ledger line is."""
    return round_amount(rate_per_minute * billed_s / 60)


def collect(charge: Charge, held: Decimal) -> tuple[tuple[ChargeLine, ...], Decimal]:
    """The charge's lines cut, in order, to what is held; and the amount that stays uncollected."""
    left = max(held, ZERO)
    lines = []
    for line in charge.lines:
        taken = min(line.amount, left)
        left -= taken
        lines.append(line._replace(amount=taken))
    return tuple(lines), charge.total - sum((line.amount for line in lines), ZERO)


def _timed(kind: LineKind, rate_per_minute: Decimal, billed_s: int) -> ChargeLine:
    return ChargeLine(kind, rate_per_minute, timed_amount(rate_per_minute, billed_s))
