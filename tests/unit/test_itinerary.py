"""Which leg the money of a call is held under, and which may take it (agent/calls/itinerary.py)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from fixtures.records import NOON_US, S, a_price

from esl_agent.agent.calls.itinerary import (
    AWAITED_MAX_US,
    RACE_MAX_US,
    AfterEnd,
    Answer,
    Heard,
    Itineraries,
    Itinerary,
)
from esl_agent.agent.pricing import NOT_UNDERSTOOD, Priced
from esl_agent.core.leg import Direction, Leg, LegEnd, Product, Quality
from esl_agent.core.price import Price

LEG = Leg(
    "caller", Direction.OUTBOUND, NOON_US, 1001, Product.TERMINATION, "44", "44", "15145550100",
    "caller", None, None, is_loopback=False,
)  # fmt: skip
OVER = AfterEnd()


def priced(leg_uuid: str = "caller", price: Price | None = None, account_id: int = 1001) -> Priced:
    return Priced(replace(LEG, leg_uuid=leg_uuid), account_id, NOT_UNDERSTOOD, price or a_price(), "CAD")


def admitted(*leg_uuids: str) -> Itineraries:
    itineraries = Itineraries()
    itineraries.add(Itinerary(priced(), "caller", leg_uuids, Decimal(1), NOON_US))
    return itineraries


def ringing(*leg_uuids: str) -> Itineraries:
    """Legs that nobody asked for."""
    itineraries = Itineraries()
    for leg_uuid in leg_uuids:
        itineraries.join(priced(leg_uuid), NOON_US)
        itineraries.leg_began(leg_uuid)
    return itineraries


def end(leg_uuid: str, cause: str = "LOSE_RACE", talk_us: int = 20_000) -> LegEnd:
    leg = replace(LEG, leg_uuid=leg_uuid)
    return LegEnd(leg, NOON_US, talk_us, cause, 200, "switch", Quality(None, None, None), None)


def test_a_leg_that_was_heard_to_talk_is_not_given_up_when_its_caller_is_gone() -> None:
    itineraries = Itineraries()
    heard = {"second": Heard(NOON_US + S, NOON_US + 2 * S)}
    made = Itinerary(
        priced(), "caller", ("first", "second", "third"), Decimal(1), NOON_US, was_there=True, heard=heard
    )
    itineraries.add(made)
    assert [made.was_up(leg) for leg in made.leg_uuids] == [True, True, False]
    assert [made.last_seen_us(leg) for leg in made.leg_uuids] == [NOON_US, NOON_US + 2 * S, NOON_US]

    itineraries.leg_began("first")
    assert itineraries.leg_ended("first", was_answered=False) == AfterEnd("second")
    assert itineraries.caller_ended("caller") == []
    itineraries.leg_began("second")
    assert itineraries.leg_ended("second", was_answered=True) == OVER
    assert len(itineraries) == 0


def test_an_itinerary_that_is_over_leaves_the_leg_that_another_one_has() -> None:
    itineraries = admitted("first", "second")
    itineraries.add(Itinerary(priced(), "another caller", ("second",), Decimal(1), NOON_US))
    itineraries.caller_ended("caller")
    assert itineraries.of_leg("first") is None
    assert itineraries.of_leg("second") is not None


def test_when_the_caller_leaves_the_leg_that_was_to_come_is_given_up() -> None:
    itineraries = admitted("first", "second")
    itineraries.leg_began("first")
    assert itineraries.leg_ended("first", was_answered=False) == AfterEnd("second")
    assert itineraries.caller_ended("caller") == [(1001, "second")]
    assert len(itineraries) == 0


def test_a_leg_that_is_up_is_not_given_up_when_the_end_of_the_one_before_is_heard_late() -> None:
    itineraries = admitted("first", "second")
    itineraries.leg_began("first")
    itineraries.leg_began("second")
    assert itineraries.leg_ended("first", was_answered=False) == AfterEnd("second")
    assert itineraries.caller_ended("caller") == []
    assert itineraries.leg_ended("second", was_answered=True) == OVER
    assert len(itineraries) == 0


def test_a_carrier_that_could_not_be_called_leaves_its_hold_to_the_next() -> None:
    itineraries = admitted("never", "second")
    itineraries.leg_began("second")
    assert itineraries.takes_from("second") == ("never",)
    assert itineraries.leg_answered("second") is Answer.TAKES
    assert itineraries.leg_ended("second", was_answered=True) == AfterEnd(None, ((1001, "never"),))


def test_a_leg_that_never_comes_is_given_up_in_the_end() -> None:
    itineraries = admitted("first")
    assert itineraries.overdue(NOON_US + AWAITED_MAX_US) == []
    assert itineraries.overdue(NOON_US + AWAITED_MAX_US + 1) == [(1001, "first")]


def test_legs_that_ring_at_once_share_and_the_one_that_is_answered_takes() -> None:
    itineraries = ringing("a", "b", "c")
    assert itineraries.sharing("a") == ("a", "b", "c")
    assert itineraries.leg_answered("b") is Answer.TAKES
    assert itineraries.takes_from("b") == ("a", "c")
    assert itineraries.leg_answered("b") is Answer.ITS_OWN, "it was said already"
    assert itineraries.leg_ended("a", was_answered=False).heir == "b"
    assert itineraries.leg_ended("c", was_answered=False).heir == "b"
    assert itineraries.leg_ended("b", was_answered=True) == OVER
    assert len(itineraries) == 0


def test_one_that_stops_ringing_leaves_the_hold_to_another_that_rings() -> None:
    itineraries = ringing("a", "b")
    assert itineraries.leg_ended("a", was_answered=False) == AfterEnd("b")
    assert itineraries.leg_answered("b") is Answer.ITS_OWN


def test_of_two_that_are_answered_nothing_is_taken_until_one_has_lost() -> None:
    itineraries = ringing("a", "b")
    assert itineraries.leg_answered("a") is Answer.ITS_OWN
    assert itineraries.leg_answered("b") is Answer.TOO
    assert itineraries.takes_from("b") == ()
    assert itineraries.has_lost(end("a"))
    assert itineraries.leg_ended("a", was_answered=False) == AfterEnd("b")
    assert itineraries.takes_from("b") == ("a",)


def test_nothing_is_taken_from_a_leg_that_was_talked_on_and_is_over() -> None:
    itineraries = ringing("a", "b")
    itineraries.leg_answered("a")
    itineraries.leg_ended("a", was_answered=True)
    assert itineraries.leg_answered("b") is Answer.TOO
    assert itineraries.takes_from("b") == ()


def test_a_cause_alone_makes_no_loser() -> None:
    """A phone may name any cause when it hangs up."""
    assert not ringing("a").has_lost(end("a")), "it rang alone"
    assert not ringing("a", "b").has_lost(end("a", talk_us=RACE_MAX_US))
    assert not ringing("a", "b").has_lost(end("a", "NORMAL_CLEARING"))
    assert not ringing("a", "b").has_lost(end("stranger"))


def test_the_next_leg_of_a_call_that_nobody_planned_may_take_what_the_failed_one_held() -> None:
    itineraries = ringing("a")
    assert itineraries.leg_ended("a", was_answered=False) == OVER
    itineraries.join(priced("b"), NOON_US + S)
    itineraries.leg_began("b")
    assert itineraries.takes_from("b") == ("a",)
    assert itineraries.sharing("b") == ("b",)
    assert itineraries.leg_ended("b", was_answered=False) == OVER
    assert itineraries.caller_ended("caller") == []
    assert len(itineraries) == 0


def test_who_does_not_share() -> None:
    dear = a_price(rate_per_minute=Decimal(9))
    for stranger in (priced("b", dear), priced("b", account_id=1002)):
        itineraries = ringing("a")
        itineraries.join(stranger, NOON_US)
        assert itineraries.takes_from("b") == ()
    talking = ringing("a")
    talking.leg_answered("a")
    talking.join(priced("b"), NOON_US)  # a transfer: both are paid while they talk
    assert talking.takes_from("b") == ()
    incoming = replace(LEG, leg_uuid="in", direction=Direction.INBOUND)
    assert Itineraries().join(replace(priced(), leg=incoming), NOON_US) is None
    assert Itineraries().join(priced("b", a_price(is_free=True)), NOON_US) is None


def test_a_leg_that_was_there_before_the_agent_forgot_it_is_not_given_up_with_its_caller() -> None:
    itineraries = Itineraries()
    known = Itinerary(priced(), "caller", ("a", "b"), Decimal(1), NOON_US, was_there=True)
    itineraries.add(known)
    assert itineraries.caller_ended("caller") == []
    assert itineraries.of_leg("a") is known
    itineraries.leg_began("a")
    assert (
        itineraries.leg_ended("a", was_answered=False) == OVER
    )  # and the caller is gone: no leg comes after it
    assert itineraries.of_leg("a") is None
