"""The switch's clock: it ticks, it has an offset, and it writes dates.

FreeSWITCH stamps events and channels from a clock that a timer thread
advances (src/switch_time.c), so times that a client sees move in steps of the
tick, 20 ms on the switch that was recorded, a few µs off the exact grid.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final

Clock = Callable[[], int]
"""Tells the time in microseconds since 1970."""

_PHASE_US: Final = 3_100  # where in a tick the recorded switch's clock stood
_WOBBLE_US_MAX: Final = 50
_DATE_CACHE_MAX: Final = 64


def steady_clock() -> Clock:
    """The wall clock as of now, then advancing with the monotonic one, so that it never jumps."""
    offset_ns = time.time_ns() - time.monotonic_ns()
    return lambda: (time.monotonic_ns() + offset_ns) // 1000


class TickClock:
    """Turns exact time into the time that the switch shows."""

    def __init__(self, tick_us: int = 20_000) -> None:
        self.tick_us = tick_us  # 0: exact
        self.offset_us = 0  # how far the switch's idea of the time is off

    def stamp(self, now_us: int) -> int:
        """The time that the switch shows at `now_us`: never later than it, never going back."""
        if self.tick_us:
            tick = (now_us - _PHASE_US - _WOBBLE_US_MAX) // self.tick_us
            now_us = tick * self.tick_us + _PHASE_US + tick * 2_654_435_761 % _WOBBLE_US_MAX
        return now_us + self.offset_us


@lru_cache(_DATE_CACHE_MAX)
def local_date(epoch_s: int) -> str:
    """`2026-11-23 02:14:00`, in the zone of this process as FreeSWITCH writes it in its own."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch_s))


@lru_cache(_DATE_CACHE_MAX)
def gmt_date(epoch_s: int) -> str:
    """`Mon, 23 Nov 2026 02:14:00 GMT` (RFC 822)."""
    # Not strftime: its names of days and months follow the locale.
    day = time.gmtime(epoch_s)
    weekday = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day.tm_wday]
    month = "JanFebMarAprMayJunJulAugSepOctNovDec"[day.tm_mon * 3 - 3 : day.tm_mon * 3]
    text = f"{weekday}, {day.tm_mday:02} {month} {day.tm_year} "
    return text + time.strftime("%H:%M:%S GMT", day)
