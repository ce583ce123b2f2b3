"""Calls and spend minute by minute, counted from the words of the log."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from esl_agent.agent.web.page import minutes_of
from esl_agent.noc.minutes import MINUTE_US, Minute, Minutes
from esl_agent.store.minutes import CountedMinute

NOON = 1_795_435_200_000_000


class Clock:
    us = NOON

    def __call__(self) -> int:
        return self.us


def test_each_minute_counts_what_was_said_in_it() -> None:
    clock = Clock()
    minutes = Minutes(clock)
    for word in ("CALL_ADMITTED", "CALL_ADMITTED", "CALL_ANSWERED", "CALL_CUT", "CALL_EXTENDED"):
        minutes.hear(word, {})
    minutes.hear("CALL_REFUSED", {"reason": "no_funds"})
    minutes.hear("CALL_RATED", {"charged": Decimal("0.0125"), "currency": "CAD", "refused": None})
    minutes.hear("CALL_RATED", {"charged": Decimal("0.0125"), "currency": "CAD", "refused": None})
    minutes.hear("CALL_RATED", {"charged": Decimal("1.0000"), "currency": "USD", "refused": None})
    minutes.hear("CALL_RATED", {"charged": Decimal("0.0000"), "currency": "CAD", "refused": "no_funds"})
    minutes.look(3)
    minutes.look(2)
    clock.us += MINUTE_US
    minutes.hear("CALL_ANSWERED", {})
    first, second = minutes
    assert first == Minute(
        NOON, 2, 1, Counter(no_funds=1), 1, 3, {"CAD": Decimal("0.0250"), "USD": Decimal("1.0000")}, 3
    )
    assert second == Minute(NOON + MINUTE_US, answered=1)


def test_so_many_minutes_are_kept() -> None:
    clock = Clock()
    minutes = Minutes(clock, minutes_max=3)
    for _ in range(10):
        minutes.hear("CALL_CUT", {})
        clock.us += MINUTE_US
    assert [minute.begins_us for minute in minutes] == [NOON + n * MINUTE_US for n in (7, 8, 9)]


def test_minutes_of_before_the_start_are_filled_in_and_what_was_counted_stays() -> None:
    clock = Clock()
    minutes = Minutes(clock, minutes_max=3)
    minutes.hear("CALL_CUT", {})
    minutes.fill([Minute(NOON - n * MINUTE_US, admitted=9) for n in (5, 1, 0)])
    assert list(minutes) == [Minute(NOON - MINUTE_US, admitted=9), Minute(NOON, cut=1)]


def test_what_cdrs_tell_of_a_minute_is_put_together() -> None:
    counted = [
        CountedMinute(NOON, None, "CAD", 10, 8, 1, Decimal("1.5000")),
        CountedMinute(NOON, None, "USD", 1, 1, 0, Decimal("0.5000")),
        CountedMinute(NOON, "no_funds", "CAD", 4, 0, 0, Decimal("0.0000")),
    ]
    spend = {"CAD": Decimal("1.5000"), "USD": Decimal("0.5000")}
    assert minutes_of(counted) == [Minute(NOON, 11, 9, Counter(no_funds=4), 1, 11, spend)]
