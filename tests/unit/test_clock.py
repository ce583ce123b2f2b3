"""How far the switch's clock is from ours, read from the stamps of its events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from esl_agent.agent.clock import SwitchClock
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


def test_an_event_without_a_stamp_does_not_move_the_clock() -> None:
    clock = SwitchClock()
    before_us = clock.now_us()
    clock.heard(0)
    assert 0 <= clock.now_us() - before_us < AHEAD_US
