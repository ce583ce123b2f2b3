"""The caller is warned before the money ends, told step by step (core/call_warnings.py)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from esl_agent.core.call import Call, CallPolicy, begin, begin_held, step
from esl_agent.core.call_signals import (
    Answered,
    CutDue,
    Effects,
    Held,
    HoldFailed,
    HoldRefused,
    MoneyCame,
    Note,
    SetTimer,
    Timer,
    WarnCaller,
    WarnDue,
)
from esl_agent.core.leg import Direction, Leg, Product
from esl_agent.core.price import Price

S = 1_000_000
START = 1_795_400_000 * S
POLICY = CallPolicy(warn_at_s=(60, 10))
#: $0.60 a minute in steps of 6 seconds: a second costs a cent.
PRICE = Price(
    "world", 1, "44", "United Kingdom", Decimal("0.60"), 6, 6, Decimal(0), Decimal(0), 0, is_free=False
)
LEG = Leg(
    "f7072568-ca1f-4ebc-9243-7e3e0cf03433", Direction.OUTBOUND, START, 1001, Product.TERMINATION,
    "442079460000", "442079460000", "15145550100", None, "alpha", None, is_loopback=False,
)  # fmt: skip


def talking(held: str, available: str, policy: CallPolicy = POLICY) -> tuple[Call, Effects]:
    call, _ = begin(LEG, PRICE, policy)
    call, _ = step(call, Held(Decimal(held), Decimal(available)), policy, START)
    return step(call, Answered(START), policy, START)


def warning_at(effects: Effects) -> list[float]:
    """When a warning is due, in seconds after the answer."""
    timers = [effect for effect in effects if isinstance(effect, SetTimer) and effect.timer is Timer.WARN]
    return [(timer.at_us - START) / S for timer in timers]


def is_warned(effects: Effects) -> bool:
    notes = [effect for effect in effects if isinstance(effect, Note) and effect.word == "CALL_WARNED"]
    assert len(notes) == effects.count(WarnCaller())
    return bool(notes)


def test_a_call_that_is_all_the_account_pays_for_is_warned_at_each_mark_once() -> None:
    call, effects = talking("0.9000", "0")
    assert warning_at(effects) == [30]
    call, effects = step(call, WarnDue(), POLICY, START + 30 * S)
    assert is_warned(effects)
    assert warning_at(effects) == [80]
    call, effects = step(call, WarnDue(), POLICY, START + 80 * S)
    assert is_warned(effects)
    assert warning_at(effects) == []
    call, effects = step(call, HoldRefused("no_funds"), POLICY, START + 86 * S)
    assert not is_warned(effects)


def test_what_the_account_has_beside_counts_as_long_as_nobody_takes_it() -> None:
    call, effects = talking("0.0600", "0.6600")  # 6 s are held, 72 s could be
    assert warning_at(effects) == []  # more is asked for before 12 s
    call, effects = step(call, Held(Decimal("0.1200"), Decimal("0.6000")), POLICY, START + 2 * S)
    assert warning_at(effects) == []
    call, effects = step(call, Held(Decimal("0.1800"), Decimal("0.5400")), POLICY, START + 8 * S)
    assert warning_at(effects) == [12]
    _, effects = step(call, WarnDue(), POLICY, START + 12 * S)
    assert is_warned(effects)


def test_a_rich_call_has_no_timer_for_it() -> None:
    _, effects = talking("0.6000", "1000")
    assert warning_at(effects) == []


def test_a_call_that_begins_below_a_mark_is_not_warned_of_it_at_once() -> None:
    _, effects = talking("0.3000", "0")
    assert not is_warned(effects)
    assert warning_at(effects) == [20]


def test_money_that_is_gone_suddenly_is_warned_of_at_once_and_once() -> None:
    call, _ = talking("0.0600", "5")
    call, effects = step(call, HoldRefused("no_funds"), POLICY, START + 2 * S)
    assert is_warned(effects)
    call, effects = step(call, HoldRefused("no_funds"), POLICY, START + 5 * S)
    assert not is_warned(effects)


def test_a_store_that_is_silent_is_warned_of_too() -> None:
    call, _ = talking("0.0600", "5")
    _, effects = step(call, HoldFailed(), POLICY, START + 2 * S)
    assert is_warned(effects)


def test_after_a_top_up_the_marks_count_anew() -> None:
    call, _ = talking("0.0600", "0")
    call, effects = step(call, HoldRefused("no_funds"), POLICY, START + 2 * S)
    assert is_warned(effects)
    call, _ = step(call, MoneyCame(), POLICY, START + 3 * S)
    call, effects = step(call, Held(Decimal("0.9000"), Decimal(0)), POLICY, START + 3 * S)
    assert warning_at(effects) == [30]
    call, effects = step(call, WarnDue(), POLICY, START + 30 * S)
    assert is_warned(effects)


def test_a_timer_that_money_has_overtaken_warns_of_nothing() -> None:
    call, _ = talking("0.9000", "0")
    call, _ = step(call, Held(Decimal("0.9600"), Decimal(10)), POLICY, START + 29 * S)
    call, effects = step(call, WarnDue(), POLICY, START + 30 * S)
    assert effects == ()


def test_a_call_of_which_only_its_own_money_is_known_waits_for_the_first_answer() -> None:
    call, _ = begin_held(LEG, PRICE, Decimal("0.6000"))
    call, effects = step(call, Answered(START), POLICY, START)
    assert warning_at(effects) == []
    assert step(call, WarnDue(), POLICY, START) == (call, ())


@pytest.mark.parametrize("marks", [(), (86_400,)])
def test_without_a_mark_within_the_call_nothing_is_said(marks: tuple[int, ...]) -> None:
    policy = replace(POLICY, warn_at_s=marks)
    call, effects = talking("0.9000", "0", policy)
    assert warning_at(effects) == []
    _, effects = step(call, CutDue(), policy, START + 90 * S)
    assert not is_warned(effects)
