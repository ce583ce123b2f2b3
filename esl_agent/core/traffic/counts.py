"""What is counted of calls, many counts in one whole number: to add a call to a bucket is one addition.

Each count has bits of its own, so wide that no account of one operator fills
them within 30 days: 32 for calls (a thousand a second), 64 for amounts and talk.
No bucket's count is ever below zero.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from esl_agent.core.traffic.call import TrafficCall

CALL_BITS: Final = 32
SUM_BITS: Final = 64
#: Answered calls this short are what dialers leave behind.
SHORT_US: Final = 6_000_000
#: Answered, and over within the first second: a CDR in whole seconds says 0.
ZERO_US: Final = 1_000_000

_CALL_MASK: Final = (1 << CALL_BITS) - 1
_SUM_MASK: Final = (1 << SUM_BITS) - 1


class Count(IntEnum):
    """Where each count begins, in bits; sums come after calls."""

    ATTEMPTS = 0
    ANSWERED = 32
    SHORT = 64  # answered for SHORT_US at the most
    ZERO = 96
    ABANDONED = 128  # by the caller, before an answer
    REFUSED = 160  # by us: no attempt
    TOLL_FREE = 192  # answered ones
    CELLS = 224  # numbers called, as distinct.py tells them apart
    TALK_US = 256
    TOLL_FREE_TALK_US = 320
    SPENT = 384  # in ten-thousandths


_FIRST_SUM: Final = int(Count.TALK_US)
_REFUSED: Final = 1 << Count.REFUSED
_ATTEMPT: Final = 1 << Count.ATTEMPTS
_ANSWERED: Final = _ATTEMPT | 1 << Count.ANSWERED
_ABANDONED: Final = _ATTEMPT | 1 << Count.ABANDONED
_SHORT: Final = 1 << Count.SHORT
_ZERO: Final = 1 << Count.ZERO
_TOLL_FREE: Final = 1 << Count.TOLL_FREE
_TALK_AT: Final = int(Count.TALK_US)
_TOLL_FREE_TALK_AT: Final = int(Count.TOLL_FREE_TALK_US)
_SPENT_AT: Final = int(Count.SPENT)
CELL: Final = 1 << Count.CELLS


def counts_of(call: TrafficCall) -> int:
    """What one call adds."""
    if call.is_refused:
        return _REFUSED
    talk_us = call.talk_us
    if talk_us is None:
        return _ABANDONED if call.is_abandoned else _ATTEMPT
    counts = _ANSWERED | talk_us << _TALK_AT | call.spent << _SPENT_AT
    if talk_us <= SHORT_US:
        counts |= _SHORT
        if talk_us < ZERO_US:
            counts |= _ZERO
    if call.is_toll_free:
        counts |= _TOLL_FREE | talk_us << _TOLL_FREE_TALK_AT
    return counts


def read(counts: int, which: Count) -> int:
    """One of the counts."""
    return counts >> which & (_SUM_MASK if which >= _FIRST_SUM else _CALL_MASK)
