"""A call that is up, what every log line about it begins with, and what is kept with its hold."""

from __future__ import annotations

from dataclasses import dataclass

from esl_agent.agent.calls.known import remember
from esl_agent.agent.pricing import Priced
from esl_agent.core.call import Call, Phase
from esl_agent.core.leg import Product
from esl_agent.store.cdrs import Source


@dataclass(slots=True)
class LiveCall:
    """A call that is up, and how it was priced."""

    call: Call
    priced: Priced
    source: Source = Source.LIVE  # how its end is known
    is_answer_kept: bool = False


def who(live: LiveCall) -> dict[str, object]:
    """The first fields of a log line."""
    priced = live.priced
    return {
        "leg": priced.leg.leg_uuid,
        "account": priced.account_id,
        "product": priced.leg.product,
        "caller": priced.leg.caller_number,
        "to": priced.number.digits or priced.leg.priced_number,
        "rate": None if priced.price.is_free else priced.price.rate_per_minute,
    }


def is_newly_answered(live: LiveCall) -> bool:
    """Whether that it was answered has to be kept now: the end of one that is over tells it too."""
    call = live.call
    return call.answered_us is not None and not live.is_answer_kept and call.phase is not Phase.ENDED


def known_of(live: LiveCall, now_us: int) -> str:
    """What is to be kept with the hold of a leg that is up, and of its answer."""
    leg = live.call.leg
    is_callers = live.priced.leg.product is Product.INBOUND
    return remember(
        live.priced,
        leg.leg_uuid if is_callers else leg.other_leg_uuid or "",
        [(leg.leg_uuid, leg.carrier)],
        as_of_us=now_us,
        answered_us=live.call.answered_us,
        is_up=True,
    )
