"""A bounded queue whose items are worked off in batches, so that many calls share one commit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from gevent.event import Event

Item = TypeVar("Item")


class QueueFullError(Exception):
    """The queue holds as many items as it may; nothing was put."""


class BatchQueue(Generic[Item]):
    """While one batch is worked on the next one gathers: the busier, the larger the batches."""

    def __init__(self, queue_max: int, batch_max: int) -> None:
        self._items: deque[Item] = deque()
        self._queue_max = queue_max
        self._batch_max = batch_max
        self._filled = Event()
        self._emptied = Event()
        self._emptied.set()
        self._working = 0

    def __len__(self) -> int:
        """Items waiting or being worked on."""
        return len(self._items) + self._working

    def put(self, item: Item) -> None:
        if len(self._items) >= self._queue_max:
            raise QueueFullError
        self._items.append(item)
        self._emptied.clear()
        self._filled.set()

    def run(self, work: Callable[[Sequence[Item]], None]) -> None:
        """Work off batches for ever.  `work` must not raise: it owns its batch."""
        while True:
            self._filled.wait()
            batch = [self._items.popleft() for _ in range(min(len(self._items), self._batch_max))]
            self._working = len(batch)
            work(batch)
            self._working = 0
            if not self._items:
                self._filled.clear()
                self._emptied.set()

    def wait_empty(self, timeout_s: float) -> bool:
        """Whether everything that was put has been worked off within `timeout_s`."""
        return bool(self._emptied.wait(timeout_s))
