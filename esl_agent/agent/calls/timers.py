"""Many timers on one greenlet: thousands may be due in one second."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from typing import Final

import gevent
from gevent.event import Event as Signal

from esl_agent.agent.calls.worst import Worst
from esl_agent.core.call_signals import AskDue, CutDue, Event, Timer, WarnDue

#: What a timer of each kind tells a call's machine.
DUE: Final[dict[Timer, Event]] = {Timer.ASK: AskDue(), Timer.CUT: CutDue(), Timer.WARN: WarnDue()}
#: Longest nap; the clock that timers are set by may be corrected meanwhile.
NAP_MAX_S: Final = 1.0
#: How long it is remembered that a timer rang late.
LATE_WINDOW_US: Final = 10_000_000
#: Cuts that are due within so long of each other are due together.
TOGETHER_US: Final = 20_000
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
        self._late = Worst(LATE_WINDOW_US)
        self._cuts: Counter[int] = Counter()  # how many are due, by the time in units of TOGETHER_US
        self._jobs: list[Callable[[], None]] = []

    @property
    def late_us(self) -> int:
        """How late a cut's timer rang lately at the most."""
        return self._late.value(self._now_us())

    def cuts_near(self, at_us: int) -> int:
        """How many calls are due to be cut just before this moment."""
        return self._cuts[at_us // TOGETHER_US] + self._cuts[at_us // TOGETHER_US - 1]

    def set(self, owner: str, timer: Timer, at_us: int) -> None:
        at_us = max(at_us, self._now_us())
        self._forget(owner, timer)
        if timer is Timer.CUT:
            self._cuts[at_us // TOGETHER_US] += 1
        self._due_us[owner, timer] = at_us
        heapq.heappush(self._heap, (at_us, owner, timer))
        if self._heap[0][0] == at_us:
            self._earlier.set()

    def drop(self, owner: str) -> None:
        for timer in Timer:
            self._forget(owner, timer)

    def _forget(self, owner: str, timer: Timer) -> None:
        due_us = self._due_us.pop((owner, timer), None)
        if due_us is not None and timer is Timer.CUT:
            self._cuts[due_us // TOGETHER_US] -= 1
            if not self._cuts[due_us // TOGETHER_US]:
                del self._cuts[due_us // TOGETHER_US]

    def do(self, job: Callable[[], None]) -> None:
        """Have it done in the greenlet that rings, behind what is due."""
        self._jobs.append(job)
        self._earlier.set()

    def run(self) -> None:
        """Ring for ever; each ring is given (owner, timer)."""
        while True:
            self._earlier.clear()
            self._ring_due()
            while self._jobs:
                self._jobs.pop()()
            self._earlier.wait(self._nap_s())

    def _ring_due(self) -> None:
        rings = 0
        while self._heap and self._heap[0][0] <= self._now_us():
            at_us, owner, timer = heapq.heappop(self._heap)
            if self._due_us.get((owner, timer)) != at_us:
                continue  # moved or dropped since
            self._forget(owner, timer)
            if timer is Timer.CUT:
                now_us = self._now_us()
                self._late.heard(now_us - at_us, now_us)
            self._ring(owner, timer)
            rings += 1
            if rings % RINGS_PER_TURN_MAX == 0:
                gevent.sleep(0)

    def _nap_s(self) -> float:
        if not self._heap:
            return NAP_MAX_S
        return min(max(self._heap[0][0] - self._now_us(), 0) / 1_000_000, NAP_MAX_S)
