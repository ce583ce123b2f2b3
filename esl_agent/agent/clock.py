"""The switch's clock, as the daemon reads it: monotonic time plus what the events' stamps say."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from esl_agent.core.clock import ClockOffset
from esl_agent.noc.log import Log

#: Two machines' clocks that are further apart are worth a line in the log; calls are timed by the switch's.
SKEW_MAX_US: Final = 500_000


def monotonic_us() -> int:
    return time.monotonic_ns() // 1_000


def steady_us() -> int:
    """As `monotonic_us`, and while the machine sleeps it goes on."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000


def wall_us() -> int:
    return time.time_ns() // 1_000


def calendar(time_zone: str, now_us: Callable[[], int] = wall_us) -> Callable[[], date]:
    """Tells the operator's date, by which a day's spending is counted (terms 13)."""
    zone, epoch = ZoneInfo(time_zone), datetime(1970, 1, 1, tzinfo=UTC)
    return lambda: (epoch + timedelta(microseconds=now_us())).astimezone(zone).date()


class SwitchClock:
    """Microseconds since 1970 as the switch counts them; steady when this machine's wall clock is set."""

    def __init__(self, log: Log, wall_us: Callable[[], int] = wall_us) -> None:
        self._log = log
        self._wall_us = wall_us
        self._offset = ClockOffset(wall_us() - monotonic_us())
        self._is_skewed = False

    def now_us(self) -> int:
        return monotonic_us() + self._offset.offset_us

    def heard(self, stamp_us: int) -> None:
        """An event has just been read; `stamp_us` is 0 where it bears no time."""
        if not stamp_us:
            return
        before, self._offset = self._offset, self._offset.heard(stamp_us, monotonic_us())
        if self._offset is not before:
            self._compare()

    def _compare(self) -> None:
        """Say once that this machine's own clock is another, and once that it no longer is."""
        skew_us = self.now_us() - self._wall_us()
        is_skewed = abs(skew_us) > SKEW_MAX_US
        if is_skewed != self._is_skewed:
            self._is_skewed = is_skewed
            self._log("CLOCK_SKEWED" if is_skewed else "CLOCK_AGREES", skew_ms=skew_us // 1_000)
