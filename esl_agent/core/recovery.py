"""Recovery: what to do about each leg when events may have been missed, or nobody was there to hear them.

Theory of operation
-------------------
Three know of legs: the switch, which lists and is asked for each; the agent,
which has legs on its desk and legs whose coming it awaits; and the store, whose
open reservations make the agent await legs that it has forgotten.  The switch's
list is late (switch/channels.py), so it only says which legs to ask for.  What a
leg is, the switch's answer about itself decides:

    the switch says   the agent        verdict
    ----------------  ---------------  ------------------------------------------------
    nothing           any              look again: a lack of answer is no answer
    it is ending      any              look again: its last event is on the way
    it is up          any              take up; the desk knows whether it has it already
    it is gone        does not know    leave
    it is gone        any, first time  look again: its last event may be on the way
    it is gone        any, has a file  settle by the switch's own file
    it is gone        has it           settle as known, after the patience
    it is gone        awaits it, and   settle as known, after the patience
                      it was there
    it is gone        awaits it, the   leave: it may come yet
                      caller is up
    it is gone        awaits it, the   release after the patience; where no files would
                      caller is gone   tell, it is taken to have been there

A leg that was there is one that was answered, that came in, that nobody asked
for before it was there, or that left a file which can't be read.
"""

from __future__ import annotations

from collections.abc import Collection, Set
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto
from typing import Final

from esl_agent.core import budget
from esl_agent.core.call_state import US_PER_MS, US_PER_S
from esl_agent.core.leg import Leg, LegEnd, Quality
from esl_agent.core.price import Price

#: Of a leg of whose end nothing is known: the switch has no such cause.
CAUSE_UNKNOWN: Final = "UNKNOWN"
#: How long after the switch first said that a leg is gone it is asked again.
SECOND_LOOK_US: Final = 1_000_000


class Look(Enum):
    """What the switch says of a leg when it is asked."""

    UP = auto()
    ENDING = auto()
    GONE = auto()
    SILENT = auto()


class Standing(Enum):
    """What the agent knows of a leg."""

    UNKNOWN = auto()
    AWAITED = auto()  # money is held under it, and it is to come
    LIVE = auto()


class Verdict(Enum):
    TAKE_UP = auto()
    LEAVE = auto()
    LOOK_AGAIN = auto()
    SETTLE_BY_FILE = auto()
    SETTLE_AS_KNOWN = auto()
    RELEASE = auto()


@dataclass(frozen=True, slots=True)
class Case:
    """A leg that was asked for.  Of one that isn't awaited `caller` and `was_there` don't matter."""

    look: Look
    standing: Standing
    gone_for_us: int = 0  # since the switch first said so
    caller: Look = Look.SILENT
    was_there: bool = False
    has_file: bool = False


def decide(case: Case, patience_us: int, *, has_files: bool) -> Verdict:
    """`has_files` says whether the switch's CDR files can be read at all."""
    if case.look in (Look.SILENT, Look.ENDING):
        return Verdict.LOOK_AGAIN
    if case.look is Look.UP:
        return Verdict.TAKE_UP
    if case.standing is Standing.UNKNOWN:
        return Verdict.LEAVE
    if case.gone_for_us < SECOND_LOOK_US:
        return Verdict.LOOK_AGAIN
    if case.has_file:
        return Verdict.SETTLE_BY_FILE
    is_certain = case.standing is Standing.LIVE or case.was_there
    if not is_certain and case.caller is not Look.GONE:
        return Verdict.LEAVE if case.caller is Look.UP else Verdict.LOOK_AGAIN
    if case.gone_for_us < patience_us:
        return Verdict.LOOK_AGAIN
    return Verdict.SETTLE_AS_KNOWN if is_certain or not has_files else Verdict.RELEASE


def legs_to_ask_for(
    *,
    listed: Set[str],
    live: Collection[str],
    changing: Collection[str],
    awaited: Collection[str],
    passed_over: Set[str],
) -> list[str]:
    """The legs that the switch has to be asked for, each once.

    `live` are those on the desk, `changing` those of them that may have changed
    unheard, `passed_over` those that were asked for before and are none of ours.
    """
    unlisted = [leg_uuid for leg_uuid in live if leg_uuid not in listed]
    on_desk = set(live)
    unheard_of = [each for each in listed if each not in on_desk and each not in passed_over]
    return list(dict.fromkeys([*awaited, *unlisted, *changing, *unheard_of]))


def last_known_end(leg: Leg, price: Price, held: Decimal, seen_us: int) -> LegEnd:
    """The end of a leg of which nothing is known but that it was up at `seen_us`.

    A call that talked ends there, or where what is held for it was used up.
    """
    began_us = leg.created_us if leg.answered_us is None else leg.answered_us
    ended_us = max(seen_us, began_us)
    if leg.answered_us is not None and budget.is_metered(price):
        paid_us = budget.talk_s(price, budget.seconds_funded(price, held)) * US_PER_S
        ended_us = min(ended_us, leg.answered_us + (paid_us and paid_us + price.grace_ms * US_PER_MS))
    return LegEnd(
        leg=leg,
        ended_us=ended_us,
        duration_us=0 if leg.answered_us is None else ended_us - leg.answered_us,
        hangup_cause=CAUSE_UNKNOWN,
        sip_code=None,
        ended_by="unknown",
        quality=Quality(None, None, None),
        recording=None,
    )
