"""Many timers on one greenlet: thousands may be due in one second."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

import gevent
from gevent.event import Event as Signal

from esl_agent.core.call_signals import AskDue, CutDue, Event, Timer, WarnDue

#: What a timer of each kind tells a call's machine.
DUE: Final[dict[Timer, Event]] = {Timer.ASK: AskDue(), Timer.CUT: CutDue(), Timer.WARN: WarnDue()}
#: Longest nap; the clock that timers are set by may be corrected meanwhile.
NAP_MAX_S: Final = 1.0
#: Timers rung before other greenlets get a turn.
RINGS_PER_TURN_MAX: Final = 64


class Timers:
    """One timer for each (owner, kind); setting it again moves it, and only the newest rings."""

    def __init__(self, now_us: Callable[[], int], ring: Callable[[str, Timer], None]) -> None:
        self._now_us = now_us
        self._ring = ring
        self._heap: list[tuple[int, str, Timer]] = []
        self._due_us: dict[tuple[str, Timer], int] = {}
        self._earlier = Signal()

    def set(self, owner: str, timer: Timer, at_us: int) -> None:
        self._due_us[owner, timer] = at_us
        heapq.heappush(self._heap, (at_us, owner, timer))
        if self._heap[0][0] == at_us:
            self._earlier.set()

    def drop(self, owner: str) -> None:
        for timer in Timer:
            self._due_us.pop((owner, timer), None)

    def run(self) -> None:
        """Ring for ever; each ring is given (owner, timer)."""
        while True:
            self._earlier.clear()
            self._ring_due()
            self._earlier.wait(self._nap_s())

    def _ring_due(self) -> None:
        rings = 0
        while self._heap and self._heap[0][0] <= self._now_us():
            at_us, owner, timer = heapq.heappop(self._heap)
            if self._due_us.get((owner, timer)) != at_us:
                continue  # moved or dropped since
            del self._due_us[owner, timer]
            self._ring(owner, timer)
            rings += 1
            if rings % RINGS_PER_TURN_MAX == 0:
                gevent.sleep(0)

    def _nap_s(self) -> float:
        if not self._heap:
            return NAP_MAX_S
        return min(max(self._heap[0][0] - self._now_us(), 0) / 1_000_000, NAP_MAX_S)
