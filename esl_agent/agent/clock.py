"""The switch's clock, as the daemon reads it: monotonic time plus what the events' stamps say."""

from __future__ import annotations

import time

from esl_agent.core.clock import ClockOffset


def monotonic_us() -> int:
    return time.monotonic_ns() // 1_000


def wall_us() -> int:
    return time.time_ns() // 1_000


class SwitchClock:
    """Microseconds since 1970 as the switch counts them; steady when this machine's wall clock is set."""

    def __init__(self) -> None:
        self._offset = ClockOffset(wall_us() - monotonic_us())

    def now_us(self) -> int:
        return monotonic_us() + self._offset.offset_us

    def heard(self, stamp_us: int) -> None:
        """An event stamped by the switch has just been read."""
        self._offset = self._offset.heard(stamp_us, monotonic_us())
