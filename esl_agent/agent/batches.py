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
        self._is_awaited = Event()
        self._emptied = Event()
        self._emptied.set()
        self._working = 0

    def __len__(self) -> int:
        """Items waiting or being worked on."""
        return len(self._items) + self._working

    def put(self, item: Item, *, is_awaited: bool = False) -> None:
        """`is_awaited`: somebody waits for what becomes of it, so no batch is to gather any longer."""
        if len(self._items) >= self._queue_max:
            raise QueueFullError
        self._items.append(item)
        self._emptied.clear()
        self._filled.set()
        if is_awaited:
            self._is_awaited.set()

    def run(self, work: Callable[[Sequence[Item]], None], gather_s: float = 0.0) -> None:
        """Work off batches for ever; several may run at once.  `work` must not raise: it owns its batch.

        `gather_s` is waited for a batch to grow, as long as nobody waits for what becomes of it.
        """
        while True:
            self._filled.wait()
            if gather_s and len(self._items) < self._batch_max:
                self._is_awaited.wait(gather_s)
            batch = [self._items.popleft() for _ in range(min(len(self._items), self._batch_max))]
            if not self._items:
                self._filled.clear()
                self._is_awaited.clear()
            self._working += len(batch)
            if batch:  # another may have taken all
                work(batch)
            self._working -= len(batch)
            if not len(self):
                self._emptied.set()

    def wait_empty(self, timeout_s: float) -> bool:
        """Whether everything that was put has been worked off within `timeout_s`."""
        return bool(self._emptied.wait(timeout_s))
