"""The calls that are up, as the HTTP server shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import nsmallest
from typing import Final

import gevent

from esl_agent.agent.calls.desk import Desk
from esl_agent.agent.calls.live_call import LiveCall
from esl_agent.core import budget
from esl_agent.core.call import paid_end_us
from esl_agent.core.rating import rate_leg
from esl_agent.web.ports import LiveFilter, LiveKey, LiveView

#: Calls looked at before those who meter calls get a turn: a fraction of a millisecond's work.
PER_TURN: Final = 500


class LiveCalls:
    """See web.ports.LiveCalls."""

    def __init__(self, desk: Desk, now_us: Callable[[], int]) -> None:
        self._desk = desk
        self._now_us = now_us

    def __len__(self) -> int:
        return len(self._desk.live)

    def page(self, which: LiveFilter, after: LiveKey | None, limit: int) -> list[LiveView]:
        first: list[LiveCall] = []
        for some in self._in_turns():
            meant = [live for live in some if _is_meant(live, which)]
            later = [live for live in meant if after is None or _key(live) > after]
            if later:
                first = nsmallest(limit, first + later, key=_key)
        return [view_of(live, self._now_us()) for live in first]

    def find(self, leg_uuid: str) -> LiveView | None:
        live = self._desk.live.get(leg_uuid)
        return view_of(live, self._now_us()) if live else None

    def _in_turns(self) -> Iterator[list[LiveCall]]:
        """All there were at the beginning, some at a time; others get a turn between."""
        everybody = list(self._desk.live.values())
        for start in range(0, len(everybody), PER_TURN):
            if start:
                gevent.sleep(0)
            yield everybody[start : start + PER_TURN]


def view_of(live: LiveCall, now_us: int) -> LiveView:
    call, priced = live.call, live.priced
    talked_us = max(now_us - call.answered_us, 0) if call.answered_us is not None else None
    return LiveView(
        leg_uuid=call.leg.leg_uuid,
        account_id=priced.account_id,
        product=str(priced.leg.product or ""),
        caller=priced.leg.caller_number,
        number=priced.number.digits or priced.leg.priced_number,
        number_class=priced.number.number_class,
        country=priced.number.country,
        destination=priced.price.destination,
        carrier=call.leg.carrier,
        phase=call.phase,
        created_us=call.leg.created_us,
        answered_us=call.answered_us,
        talked_us=talked_us,
        rate_per_minute=None if priced.price.is_free else priced.price.rate_per_minute,
        currency=priced.currency,
        cost=rate_leg(call.price, talked_us).total,
        held=call.held,
        funded_until_us=paid_end_us(call) if budget.is_metered(call.price) else None,
        is_low=call.is_last,
    )


def _key(live: LiveCall) -> LiveKey:
    leg = live.call.leg
    return leg.created_us, leg.leg_uuid


def _is_meant(live: LiveCall, which: LiveFilter) -> bool:
    priced = live.priced
    if which.account_id is not None and priced.account_id != which.account_id:
        return False
    return which.number is None or which.number in (priced.number.digits, priced.leg.caller_number)
