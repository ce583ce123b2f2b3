"""A call as traffic sees it: taken from what stands on its CDR, and from nothing else.

So live or read again years later, by this daemon or another, a call counts the
same.  Times are microseconds since 1970, money is in ten-thousandths of the
account's currency, rates are in millionths a minute.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from esl_agent.core.leg import Product
from esl_agent.core.numbering import NumberClass
from esl_agent.core.tariff import NEVER_CHARGED

AMOUNT_UNITS: Final = 10_000
RATE_UNITS: Final = 1_000_000

#: A leg that lasted longer than this, ringing and all, is no call to learn from: a channel hung.  With that
#: bound, what ended within a window began at most so long before it, and can be found by its beginning.
CALL_US_MAX: Final = timedelta(days=1) // timedelta(microseconds=1)

#: The carrier could not take the leg, and the next carrier's leg is the attempt (dialplan/config/vars.xml).
CARRIER_FAILURES: Final = frozenset(
    """
    NORMAL_TEMPORARY_FAILURE NETWORK_OUT_OF_ORDER DESTINATION_OUT_OF_ORDER NO_ROUTE_DESTINATION
    NORMAL_CIRCUIT_CONGESTION SWITCH_CONGESTION REQUESTED_CHAN_UNAVAIL SERVICE_UNAVAILABLE
    SERVICE_NOT_IMPLEMENTED RECOVERY_ON_TIMER_EXPIRE PROGRESS_TIMEOUT GATEWAY_DOWN INVALID_GATEWAY
    REDIRECTION_TO_NEW_DESTINATION LOSE_RACE
    """.split()  # noqa: SIM905 (a cause a line would be a screenful)
)
ABANDONED: Final = "ORIGINATOR_CANCEL"

#: E.164: no number is longer.
DIGITS_MAX: Final = 15
NATIONAL_DIGITS: Final = 10

_INBOUND: Final = Product.INBOUND.value
_TOLL_FREE: Final = NumberClass.TOLL_FREE.value
_NEVER_COUNTED: Final = frozenset(str(number_class) for number_class in NEVER_CHARGED)


class CdrFacts(NamedTuple):
    """What of a CDR says how its call counts; the fields are the table's columns."""

    account_id: int
    leg_uuid: str
    product: str
    caller: str
    number: str
    number_class: str
    country: str
    created_us: int
    answered_us: int | None
    ended_us: int
    recorded_us: int
    duration_us: int
    total: Decimal
    rate_per_minute: Decimal
    forwarded_from: str | None
    refused: str | None
    hangup_cause: str


class TrafficCall(NamedTuple):
    """One call of an account, in one direction; of a forwarded one there are two."""

    account_id: int
    leg_uuid: str
    did: str  # the account's number: that was called, shows as caller ID or forwards; "" where there is none
    is_outbound: bool
    number: str  # the other end
    country: str
    created_us: int
    at_us: int  # from when on it counts: its end
    talk_us: int | None  # None: never answered
    spent: int
    rate: int
    is_toll_free: bool
    is_refused: bool
    is_abandoned: bool


def counted(cdr: CdrFacts) -> TrafficCall | None:
    """The call of a CDR; None where it doesn't count.

    Emergency and crisis calls don't, nor what nobody pays for, nor a leg that
    a carrier could not take.  A call counts from its end, by the switch's
    clock, but never before the database had it written: a switch whose clock is
    fast sends no calls from the future.
    """
    if not cdr.account_id or cdr.number_class in _NEVER_COUNTED:
        return None
    is_answered = cdr.answered_us is not None
    is_outbound = cdr.product != _INBOUND
    if not is_answered and is_outbound and not cdr.refused and cdr.hangup_cause in CARRIER_FAILURES:
        return None
    at_us = min(cdr.ended_us, cdr.recorded_us)
    if at_us - cdr.created_us > CALL_US_MAX:
        return None
    # One that was ended for a reason after it was answered did take place.
    is_refused = cdr.refused is not None and not is_answered
    return TrafficCall(
        account_id=cdr.account_id,
        leg_uuid=cdr.leg_uuid,
        did=_own_number(cdr, is_refused=is_refused) if is_outbound else cdr.number,
        is_outbound=is_outbound,
        number=cdr.number if is_outbound else _digits(cdr.caller),
        country=cdr.country,
        created_us=cdr.created_us,
        at_us=at_us,
        talk_us=cdr.duration_us if is_answered else None,
        spent=int(cdr.total * AMOUNT_UNITS),
        rate=int(cdr.rate_per_minute * RATE_UNITS),
        is_toll_free=is_outbound and cdr.number_class == _TOLL_FREE,
        is_refused=is_refused,
        is_abandoned=not is_answered and not cdr.refused and cdr.hangup_cause == ABANDONED,
    )


def _own_number(cdr: CdrFacts, *, is_refused: bool) -> str:
    """Of a call out; what a phone sent and admission refused may be any number."""
    return "" if is_refused else _digits(cdr.forwarded_from or cdr.caller)


def _digits(text: str) -> str:
    """A number as the table of numbers has it; "" where it is none: caller IDs are what somebody sent.

    A carrier may be shown ten digits, as they are dialled in North America.
    """
    digits = text.removeprefix("+")
    if not digits.isascii() or not digits.isdecimal() or len(digits) > DIGITS_MAX:
        return ""
    return f"1{digits}" if len(digits) == NATIONAL_DIGITS and digits == text else digits
