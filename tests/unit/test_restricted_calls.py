"""What restrictions stop, what they leave of an account's limits, and when they end."""

from __future__ import annotations

import pytest
from fixtures.admission import DID, FREE, LONDON, OWNED, a_customer, a_number, a_question, some_facts
from fixtures.records import NOON_US, S
from fixtures.verdicts import a_restriction, a_verdict

from esl_agent.core.admission.decide import decide, refused_by_store
from esl_agent.core.admission.decision import Decision
from esl_agent.core.admission.limits import Limits, TollFree
from esl_agent.core.admission.restricted import limits_under
from esl_agent.core.leg import Product
from esl_agent.core.traffic.restriction import (
    ALERT_OPEN_S,
    Restriction,
    by_and_until,
    open_at,
    restriction_of,
)
from esl_agent.core.traffic.verdict import Action

OUT, IN, ON = Product.TERMINATION, Product.INBOUND, Product.FORWARDING
TOLL_FREE = "18005550199"


def decided(product: Product, *restrictions: Restriction, **changes: object) -> Decision:
    """What becomes of an ordinary call of that product under these restrictions."""
    limits = limits_under(Limits(), restrictions, TollFree.OFF)
    customer = a_customer()
    customer = type(customer)(
        account_id=customer.account_id,
        state=customer.state,
        terms_accepted=True,
        limits=limits,
        restrictions=restrictions,
    )
    return decide(a_question(product), some_facts(product, customer=customer, **changes))


@pytest.mark.parametrize(
    ("restriction", "product", "reason"),
    [
        (a_restriction(Action.SUSPEND_ACCOUNT), OUT, "traffic_suspended"),
        (a_restriction(Action.SUSPEND_ACCOUNT), IN, "traffic_suspended"),
        (a_restriction(Action.SUSPEND_ACCOUNT), ON, "traffic_suspended"),
        (a_restriction(Action.SUSPEND_OUTBOUND), OUT, "outbound_suspended"),
        (a_restriction(Action.SUSPEND_OUTBOUND), ON, "outbound_suspended"),
        (a_restriction(Action.SUSPEND_OUTBOUND), IN, None),
        (a_restriction(Action.SUSPEND_DID, did=DID), IN, "did_suspended"),
        (a_restriction(Action.SUSPEND_DID, did=DID), ON, "did_suspended"),
        (a_restriction(Action.SUSPEND_DID, did=DID), OUT, None),
        (a_restriction(Action.SUSPEND_DID, did=OWNED), OUT, "did_suspended"),
        (a_restriction(Action.SUSPEND_DID, did=OWNED), IN, None),
        (a_restriction(Action.TOLL_FREE_OFF), OUT, None),
        (a_restriction(Action.THROTTLE, max_calls=1), OUT, None),
        (a_restriction(Action.ALERT), OUT, None),
    ],
)
def test_which_calls_each_action_refuses(
    restriction: Restriction, product: Product, reason: str | None
) -> None:
    decision = decided(product, restriction)
    assert decision.reason == reason
    if reason is not None:
        assert decision.rule == "traffic"
        assert decision.detail == "rule dialer, until it is cleared"


def test_the_toll_free_option_is_off_and_says_by_which_rule_and_until_when() -> None:
    off = a_restriction(
        Action.TOLL_FREE_OFF, rule="toll_free_share", restriction=7, until_us=NOON_US + 3_600 * S
    )
    refused = decided(OUT, off, number=a_number(TOLL_FREE), price=FREE)
    assert refused.reason == "toll_free_off"
    assert refused.detail == "rule toll_free_share, restriction 7, until 2026-03-01 13:00:00 UTC"
    assert decided(OUT, off).admitted


def test_a_throttle_says_so_where_it_is_felt() -> None:
    throttle = a_restriction(Action.THROTTLE, max_calls=2, calls_per_second=1)
    too_many = decided(OUT, throttle, calls_up=2)
    assert too_many.detail == "2 of 2 calls are up; throttled: rule dialer, until it is cleared"
    too_fast = decided(OUT, throttle, is_within_rate=False)
    assert too_fast.detail == "1 a second are allowed; throttled: rule dialer, until it is cleared"
    late = refused_by_store(decided(OUT, throttle), "too_many_calls")
    assert (late.reason, late.detail) == ("too_many_calls", "rule dialer, until it is cleared")


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("number", ["911", "988"])
def test_calls_for_help_go_out_under_every_action(action: Action, number: str) -> None:
    stopping = a_restriction(action, did=OWNED, max_calls=0, calls_per_second=1)
    assert decided(OUT, stopping, number=a_number(number), is_within_rate=False).admitted


def test_of_the_accounts_limits_and_a_throttle_the_stricter_counts() -> None:
    throttle = a_restriction(Action.THROTTLE, max_calls=5, calls_per_second=2)
    for own, left in (
        (Limits(), (5, 2)),
        (Limits(max_calls=3, calls_per_second=9), (3, 2)),
        (Limits(max_calls=0, calls_per_second=1), (0, 1)),
    ):
        under = limits_under(own, [throttle], TollFree.OFF)
        assert (under.max_calls, under.calls_per_second) == left
    two = (throttle, a_restriction(Action.THROTTLE, rule="spend", max_calls=1))
    assert limits_under(Limits(), two, TollFree.OFF).max_calls == 1


@pytest.mark.parametrize(
    ("own", "when_off", "left"),
    [
        (TollFree.FREE, TollFree.OFF, TollFree.OFF),
        (TollFree.FREE, TollFree.RATED, TollFree.RATED),
        (TollFree.RATED, TollFree.OFF, TollFree.OFF),
        (TollFree.OFF, TollFree.RATED, TollFree.OFF),
    ],
)
def test_the_toll_free_option_never_gets_better_by_being_off(
    own: TollFree, when_off: TollFree, left: TollFree
) -> None:
    off = [a_restriction(Action.TOLL_FREE_OFF)]
    assert limits_under(Limits(toll_free=own), off, when_off).toll_free is left
    assert limits_under(Limits(toll_free=own), [], when_off).toll_free is own


def test_a_restriction_ends_to_the_microsecond_and_by_itself() -> None:
    made = restriction_of(a_verdict(expires_after_s=60))
    assert open_at([made], NOON_US + 60 * S - 1) == (made,)
    assert open_at([made], NOON_US + 60 * S) == ()
    for_ever = restriction_of(a_verdict(expires_after_s=None))
    assert for_ever.is_open(NOON_US + 10**18)
    assert by_and_until(for_ever) == "rule dialer, until it is cleared"


def test_an_alert_is_open_for_a_day_where_its_rule_says_nothing() -> None:
    alert = restriction_of(a_verdict(action=Action.ALERT, expires_after_s=None))
    assert alert.until_us == NOON_US + ALERT_OPEN_S * S


def test_london_is_no_toll_free_number() -> None:
    off = a_restriction(Action.TOLL_FREE_OFF)
    assert off.stops(a_number(TOLL_FREE).number_class, (), goes_out=True)
    assert not off.stops(a_number(LONDON).number_class, (), goes_out=True)
    assert not off.stops(a_number(TOLL_FREE).number_class, (), goes_out=False)
