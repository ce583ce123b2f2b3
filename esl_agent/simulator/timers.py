"""What is to happen when: a heap of due times."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any


class Timer:
    """Something that will be done once, unless it is cancelled first."""

    __slots__ = ("arguments", "do", "due_us")

    def __init__(self, due_us: int, do: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self.due_us = due_us
        self.do: Callable[..., object] | None = do
        self.arguments = arguments

    def cancel(self) -> None:
        """Forget it; harmless once it is done."""
        self.do = None
        self.arguments = ()


class Timers:
    """Timers in the order in which they are due, and as they were set where that is the same."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = count()

    def at(self, due_us: int, do: Callable[..., object], *arguments: object) -> Timer:
        timer = Timer(due_us, do, arguments)
        heapq.heappush(self._heap, (due_us, next(self._order), timer))
        return timer

    def next_due_us(self) -> int | None:
        """When the next timer is due, None if there is none."""
        while self._heap and self._heap[0][2].do is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now_us: int) -> Timer | None:
        """The first timer that is due by `now_us`, taken off the heap."""
        due_us = self.next_due_us()
        if due_us is None or due_us > now_us:
            return None
        return heapq.heappop(self._heap)[2]

    def clear(self) -> None:
        self._heap.clear()
