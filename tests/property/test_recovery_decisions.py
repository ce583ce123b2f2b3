"""What recovery may never do, whatever it is told (core/recovery.py)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from fixtures.records import NOON_US, S, a_price
from hypothesis import given
from hypothesis import strategies as st

from esl_agent.core.leg import Direction, Leg, Product
from esl_agent.core.rating import collect, rate_leg
from esl_agent.core.recovery import (
    SECOND_LOOK_US,
    Case,
    Look,
    Standing,
    Verdict,
    decide,
    last_known_end,
    legs_to_ask_for,
)

PATIENCE_US: Final = 10 * S
ENDS: Final = (Verdict.SETTLE_BY_FILE, Verdict.SETTLE_AS_KNOWN, Verdict.RELEASE)
LEG: Final = Leg(
    "leg", Direction.OUTBOUND, NOON_US, 1001, Product.TERMINATION, "44", "44", "15145550100",
    None, "alpha", None, is_loopback=False,
)  # fmt: skip

PRICES: Final = (
    a_price(), a_price(minimum_s=30, step_s=18), a_price(grace_ms=700), a_price(is_free=True),
)  # fmt: skip

looks = st.sampled_from(Look)
names = st.sets(st.sampled_from("abcdefgh"))
cases = st.builds(
    Case,
    look=looks,
    standing=st.sampled_from(Standing),
    gone_for_us=st.sampled_from((0, SECOND_LOOK_US - 1, SECOND_LOOK_US, PATIENCE_US - 1, PATIENCE_US, 10**9)),
    caller=looks,
    was_there=st.booleans(),
    has_file=st.booleans(),
)


@given(cases, st.booleans())
def test_nothing_ends_on_a_lack_of_answer_or_on_one_look(case: Case, has_files: bool) -> None:
    verdict = decide(case, PATIENCE_US, has_files=has_files)
    if verdict in ENDS:
        assert case.look is Look.GONE
        assert case.gone_for_us >= SECOND_LOOK_US
        assert case.standing is not Standing.UNKNOWN
    assert (verdict is Verdict.TAKE_UP) == (case.look is Look.UP)


@given(cases, st.booleans())
def test_money_is_freed_only_of_a_leg_that_is_not_known_to_have_been(case: Case, has_files: bool) -> None:
    if decide(case, PATIENCE_US, has_files=has_files) is Verdict.RELEASE:
        assert (case.standing, case.caller) == (Standing.AWAITED, Look.GONE)
        assert not case.was_there
        assert not case.has_file
        assert case.gone_for_us >= PATIENCE_US


@given(cases)
def test_what_the_switch_wrote_goes_before_what_was_last_known(case: Case) -> None:
    told = replace(case, has_file=True)
    assert decide(told, PATIENCE_US, has_files=True) not in (Verdict.SETTLE_AS_KNOWN, Verdict.RELEASE)


@given(cases, st.booleans())
def test_a_leg_that_is_gone_for_good_ends_unless_its_caller_is_up(case: Case, has_files: bool) -> None:
    case = replace(case, look=Look.GONE, gone_for_us=10**9)
    verdict = decide(case, PATIENCE_US, has_files=has_files)
    may_come = case.standing is Standing.AWAITED and case.caller is not Look.GONE and not case.was_there
    assert (verdict in ENDS) == (case.has_file or not may_come) or case.standing is Standing.UNKNOWN


@given(listed=names, live=names, changing=names, awaited=names, passed_over=names)
def test_whatever_may_have_changed_is_asked_for_once(
    listed: set[str], live: set[str], changing: set[str], awaited: set[str], passed_over: set[str]
) -> None:
    asked = legs_to_ask_for(
        listed=listed, live=live, changing=changing & live, awaited=awaited, passed_over=passed_over
    )
    assert len(set(asked)) == len(asked)
    assert set(asked) == awaited | (live - listed) | (changing & live) | (listed - live - passed_over)


@given(
    st.sampled_from(PRICES),
    st.integers(0, 2_000).map(lambda units: Decimal(units) / 10_000),
    st.integers(-5 * S, 7_200 * S),
    st.none() | st.integers(0, 60 * S),
)
def test_what_is_charged_was_held_and_was_talked(price, held, seen_us, rang_us) -> None:  # type: ignore[no-untyped-def]
    leg = LEG if rang_us is None else replace(LEG, answered_us=NOON_US + rang_us)
    end = last_known_end(leg, price, held, NOON_US + seen_us)
    charge = rate_leg(price, end.duration_us if leg.answered_us is not None else None)
    assert 0 <= end.duration_us <= max(seen_us - (rang_us or 0), 0)
    assert end.ended_us - end.duration_us == (leg.answered_us or end.ended_us)
    if leg.answered_us is None:
        assert charge.total == 0
    elif end.duration_us and not price.is_free:
        assert collect(charge, held)[1] == 0
