"""How far the switch's clock is from ours, read from the stamps of its events."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esl_agent.agent.calls.timers import Timers
from esl_agent.agent.clock import SwitchClock
from esl_agent.core.call_signals import Timer
from esl_agent.core.clock import WINDOW_US, ClockOffset

AHEAD_US = 4_000_000_000


def test_the_freshest_stamp_counts() -> None:
    offset = ClockOffset(0)
    for local_us, delay_us in ((1_000, 20_000), (2_000, 500), (3_000, 90_000)):
        offset = offset.heard(local_us + AHEAD_US - delay_us, local_us)
    assert offset.offset_us == AHEAD_US - 500


def test_a_clock_that_was_set_back_is_followed_within_two_windows() -> None:
    offset = ClockOffset(0).heard(AHEAD_US, 0)
    back_us = AHEAD_US - 3_600_000_000
    for local_us in range(1, 3 * WINDOW_US, WINDOW_US // 10):
        offset = offset.heard(local_us + back_us, local_us)
        if local_us > 2 * WINDOW_US + WINDOW_US // 10:
            assert offset.offset_us == back_us


@given(st.lists(st.tuples(st.integers(0, 2_000_000), st.integers(0, 500_000)), min_size=1, max_size=60))
def test_the_estimate_is_never_ahead_of_the_switch_and_within_the_least_delay(
    messages: list[tuple[int, int]],
) -> None:
    offset, local_us, least_us = ClockOffset(0), 0, 10**9
    for pause_us, delay_us in messages:
        local_us += pause_us
        offset = offset.heard(local_us + AHEAD_US - delay_us, local_us)
        least_us = min(least_us, delay_us)
        assert offset.offset_us <= AHEAD_US - min(least_us, 0)
        if local_us < WINDOW_US:
            assert offset.offset_us == AHEAD_US - least_us


class Words:
    """A log that keeps what was said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, object]] = []

    def __call__(self, word: str, /, **fields: object) -> None:
        self.said.append((word, fields.get("skew_ms")))


def test_an_event_without_a_stamp_does_not_move_the_clock() -> None:
    clock = SwitchClock(Words())
    before_us = clock.now_us()
    clock.heard(0)
    assert 0 <= clock.now_us() - before_us < AHEAD_US


def test_clocks_that_are_apart_are_said_once_and_the_switchs_counts() -> None:
    words, own_us = Words(), 1_795_400_000_000_000
    clock = SwitchClock(words, lambda: own_us)
    clock.heard(own_us)
    assert words.said == []
    for later_us in (0, 1_000, 2_000):
        clock.heard(own_us + 3_000_000 + later_us)
    assert words.said == [("CLOCK_SKEWED", 3_000)]
    assert clock.now_us() >= own_us + 3_000_000
    own_us += 3_000_000
    clock.heard(own_us + 10_000)
    assert [word for word, _ in words.said] == ["CLOCK_SKEWED", "CLOCK_AGREES"]


def test_setting_this_machines_clock_moves_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are timed by a clock that nobody sets; the wall clock stands on records only."""
    clock = SwitchClock(Words())
    before_us = clock.now_us()
    stepped_ns = time.time_ns() + 3_600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: stepped_ns)
    monkeypatch.setattr(time, "time", lambda: stepped_ns / 1e9)
    assert 0 <= clock.now_us() - before_us < 60_000_000
    rung: list[str] = []
    timers = Timers(clock.now_us, lambda owner, timer: rung.append(owner))
    timers.set("in an hour", Timer.CUT, clock.now_us() + 3_000_000_000)
    timers.set("now", Timer.CUT, clock.now_us())
    timers._ring_due()
    assert rung == ["now"]
