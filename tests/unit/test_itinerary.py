"""Which planned leg the money of a call is held under (agent/itinerary.py)."""

from __future__ import annotations

from decimal import Decimal

from fixtures.records import NOON_US, a_price

from esl_agent.agent.book import NOT_UNDERSTOOD, Priced
from esl_agent.agent.itinerary import Itineraries, Itinerary
from esl_agent.core.leg import Direction, Leg, Product


def admitted(*leg_uuids: str) -> Itineraries:
    leg = Leg(
        "caller", Direction.INBOUND, NOON_US, 1001, Product.TERMINATION, "44", "44", "15145550100",
        None, None, None, is_loopback=False,
    )  # fmt: skip
    priced = Priced(leg, 1001, NOT_UNDERSTOOD, a_price(), "CAD")
    itineraries = Itineraries()
    itineraries.add(Itinerary(priced, "caller", leg_uuids, Decimal(1), NOON_US))
    return itineraries


def test_when_the_caller_leaves_the_leg_that_was_to_come_is_given_up() -> None:
    itineraries = admitted("first", "second")
    itineraries.leg_began("first")
    assert itineraries.leg_ended("first", was_answered=False) == "second"
    assert itineraries.caller_ended("caller") == [(1001, "second")]
    assert len(itineraries) == 0


def test_a_leg_that_is_up_is_not_given_up_when_the_end_of_the_one_before_is_heard_late() -> None:
    itineraries = admitted("first", "second")
    itineraries.leg_began("first")
    itineraries.leg_began("second")
    assert itineraries.leg_ended("first", was_answered=False) == "second"
    assert itineraries.caller_ended("caller") == []
    assert itineraries.leg_ended("second", was_answered=True) is None
    assert len(itineraries) == 0
