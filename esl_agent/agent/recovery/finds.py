"""Finds: what recovery found of a leg, told to the desk.

All of it runs where events are worked on, so that no step of a call overlaps
another, and a leg that has ended meanwhile is seen to have ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from esl_agent.agent.calls.desk import Desk
from esl_agent.agent.calls.itinerary import Heard, Itinerary
from esl_agent.agent.calls.known import Known, KnownError, newest, priced_of
from esl_agent.agent.calls.live_call import LiveCall
from esl_agent.agent.database import OUTAGE
from esl_agent.agent.pricing import Pricing
from esl_agent.core.call import Phase
from esl_agent.core.leg import Direction, Leg, LegEnd, Product
from esl_agent.core.money import ZERO
from esl_agent.core.recovery import Standing, last_known_end
from esl_agent.noc.log import Log
from esl_agent.store.cdrs import Source
from esl_agent.store.open_holds import OpenHold

#: A leg that was there is not given up for being late: it is settled when the switch says that it is gone.
NEVER_LATE_US: Final = 366 * 86_400_000_000


class Finds:
    def __init__(self, desk: Desk, pricing: Pricing, now_us: Callable[[], int], log: Log) -> None:
        self._desk = desk
        self._pricing = pricing
        self._now_us = now_us
        self._log = log

    def standing(self, leg_uuid: str) -> Standing:
        if leg_uuid in self._desk.live:
            return Standing.LIVE
        itinerary = self._desk.itineraries.of_leg(leg_uuid)
        is_awaited = itinerary is not None and itinerary.awaited == leg_uuid
        return Standing.AWAITED if is_awaited else Standing.UNKNOWN

    def awaited(self) -> list[str]:
        """The legs that money is held under and that have not come."""
        return [itinerary.awaited for itinerary in self._desk.itineraries.all() if itinerary.awaited]

    def was_there(self, leg_uuid: str) -> bool:
        """Whether a leg that is awaited is known to have been up."""
        itinerary = self._desk.itineraries.of_leg(leg_uuid)
        if itinerary is None:
            return False
        # The caller's was up when it asked.
        return leg_uuid == itinerary.caller_leg_uuid or itinerary.was_up(leg_uuid)

    def last_known_us(self, leg_uuid: str) -> int | None:
        """Until when a leg that is awaited, or its caller's, is known to have been up: the switch's time."""
        itinerary = self._desk.itineraries.of_leg(leg_uuid)
        return itinerary.last_seen_us(leg_uuid) if itinerary else None

    def caller_of(self, leg_uuid: str) -> str:
        """The caller's leg of one that is awaited; "" where it isn't known."""
        itinerary = self._desk.itineraries.of_leg(leg_uuid)
        return itinerary.caller_leg_uuid if itinerary else ""

    # What the store has.

    def await_again(self, holds: Iterable[OpenHold]) -> int:
        """Have the desk await the legs that are open and that it knows nothing of; how many.

        A leg that nothing is held for may be one that a hold before it in `holds` names: of the same call.
        """
        unknown = {hold.leg_uuid: hold for hold in holds if self._is_forgotten(hold.leg_uuid)}
        known = {leg_uuid: best for leg_uuid, hold in unknown.items() if (best := self._best_known(hold))}
        heard = {
            leg_uuid: Heard(best.answered_us, best.as_of_us)
            for leg_uuid, best in known.items()
            if best.answered_us is not None
        }
        count = 0
        for leg_uuid, best in known.items():
            hold = unknown[leg_uuid]
            if hold.is_held or self._desk.itineraries.of_leg(leg_uuid) is None:
                self._desk.expect(_itinerary_of(best, hold, heard, self._now_us()))
                count += 1
        return count

    def _best_known(self, hold: OpenHold) -> Known | None:
        try:
            return newest([hold.known, hold.answer])
        except KnownError as error:
            self._log("HOLD_UNREADABLE", leg=hold.leg_uuid, account=hold.account_id, held=hold.held,
                      error=str(error))  # fmt: skip
            return None

    def _is_forgotten(self, leg_uuid: str) -> bool:
        is_planned = self._desk.itineraries.of_leg(leg_uuid) is not None
        return not (is_planned or leg_uuid in self._desk.live or self._desk.has_ended(leg_uuid))

    # What the switch said.

    def up(self, leg: Leg) -> bool | None:
        """Whether it is one of ours, and on the desk now; None where that can't be told yet."""
        leg_uuid = leg.leg_uuid
        if leg_uuid in self._desk.live:
            self._desk.found_up(leg)
            return True
        if self._desk.has_ended(leg_uuid):
            return True
        itinerary = self._desk.itineraries.of_leg(leg_uuid)
        if itinerary is not None:
            # One that came in was created before the answer could be set on it.
            own = replace(leg, product=itinerary.priced.leg.product)
            self._desk.begin_again(replace(itinerary.priced, leg=own), itinerary.held)
            return True
        return self._begin_unasked(leg)

    def _begin_unasked(self, leg: Leg) -> bool | None:
        """A leg that nothing is known to be held for, whatever has become of its account since it began."""
        try:
            priced = self._pricing.price_over(leg)
        except OUTAGE:
            return None
        if priced is None:
            return False
        if priced.refused:
            self._desk.leg_created(leg)
        else:
            self._desk.begin_again(priced, ZERO)
        return True

    def ended(self, end: LegEnd) -> None:
        """The switch's own file says how it ended."""
        self._say_gone(end, "its CDR file")
        self._desk.leg_ended(end, Source.SWITCH_FILE)

    def vanished(self, leg_uuid: str, seen_us: int, *, is_caller_gone: bool) -> None:
        """It is gone, and nothing says how: `seen_us` is when it was last known to be up, if it was live."""
        live = self._desk.live.get(leg_uuid)
        if live is not None:
            end = _end_of_live(live, seen_us)
            self._say_gone(end, "what was last known")
            self._desk.leg_ended(end, Source.RECOVERED)
            return
        itinerary = self._desk.itineraries.of_leg(leg_uuid)
        if itinerary is None:
            return
        leg = _leg_of(itinerary, leg_uuid)
        end = last_known_end(leg, itinerary.priced.price, itinerary.held, itinerary.last_seen_us(leg_uuid))
        self._say_gone(end, "what was last known")
        self._desk.leg_ended(end, Source.RECOVERED)
        if (
            is_caller_gone and leg_uuid != itinerary.caller_leg_uuid
        ):  # what else a caller was to bring is looked for
            self._desk.caller_gone(itinerary.caller_leg_uuid)

    def never_came(self, leg_uuid: str) -> None:
        """Neither the leg nor its caller is there, and no file tells of it: what is held for it is free."""
        itinerary = self._desk.itineraries.of_leg(leg_uuid)
        if itinerary is not None:
            self._log("CALL_NEVER_CAME", leg=leg_uuid, account=itinerary.priced.account_id)
            self._desk.caller_gone(itinerary.caller_leg_uuid)

    def _say_gone(self, end: LegEnd, by: str) -> None:
        self._log("CALL_GONE", leg=end.leg.leg_uuid, by=by, talk_s=f"{end.duration_us / 1_000_000:.3f}")


def _itinerary_of(known: Known, hold: OpenHold, heard: Mapping[str, Heard], now_us: int) -> Itinerary:
    """The legs of the call from the one on that the hold is under."""
    legs = [each.leg_uuid for each in known.legs]
    position = legs.index(hold.leg_uuid) if hold.leg_uuid in legs else None
    own = tuple(legs[position:]) if position is not None else (hold.leg_uuid,)
    priced = priced_of(known, hold.account_id, hold.leg_uuid)
    own_heard = {leg_uuid: heard[leg_uuid] for leg_uuid in own if leg_uuid in heard}
    # What was tried before a leg that was answered was there as well.
    was_there = bool(own_heard) or known.is_up or known.product is Product.INBOUND or known.rule is None
    return Itinerary(
        priced=priced,
        caller_leg_uuid=known.caller_leg_uuid,
        leg_uuids=own,
        held=hold.held,
        since_us=now_us + NEVER_LATE_US if was_there else now_us,
        carriers={each.leg_uuid: each.carrier for each in known.legs},
        was_there=was_there,
        seen_us=known.as_of_us,
        heard=own_heard,
    )


def _leg_of(itinerary: Itinerary, leg_uuid: str) -> Leg:
    """A planned leg as far as it is known."""
    is_callers = leg_uuid == itinerary.caller_leg_uuid
    leg, heard = itinerary.priced.leg, itinerary.heard.get(leg_uuid)
    return replace(
        leg,
        leg_uuid=leg_uuid,
        direction=Direction.INBOUND if is_callers else Direction.OUTBOUND,
        other_leg_uuid=leg.other_leg_uuid if is_callers else itinerary.caller_leg_uuid or None,
        carrier=itinerary.carriers.get(leg_uuid),
        answered_us=heard.answered_us if heard else None,
    )


def _end_of_live(live: LiveCall, seen_us: int) -> LegEnd:
    call = live.call
    leg = replace(call.leg, answered_us=call.answered_us)
    end = last_known_end(leg, call.price, call.held, seen_us)
    if call.phase is Phase.ENDING:
        return replace(end, hangup_cause=call.kill_cause, ended_by="agent")
    return end
