"""Windows of time that slide by whole buckets: what is in, and at which moment it leaves.

Time since 1970 is cut into buckets of one size (UTC).  A window is the bucket
that now lies in and those before it, so many in all: a call of the 1 h window
leaves it on the twelfth five-minute mark after it, between 55 and 60 minutes
old.  Nothing in a window is ever older than its name says.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

US_PER_S: Final = 1_000_000


class Window(StrEnum):
    """As rules name them."""

    HOUR = "1h"
    DAY = "24h"
    MONTH = "30d"


class Grid(NamedTuple):
    """How a window is cut."""

    bucket_us: int
    buckets: int


GRIDS: Final = {
    Window.HOUR: Grid(300 * US_PER_S, 12),
    Window.DAY: Grid(3_600 * US_PER_S, 24),
    Window.MONTH: Grid(86_400 * US_PER_S, 30),
}
#: The finest grid, which every other one's buckets are made of.
FINE: Final = GRIDS[Window.HOUR]


def begins_us(window: Window, now_us: int) -> int:
    """The first moment that is in the window."""
    bucket_us, buckets = GRIDS[window]
    return (now_us // bucket_us - buckets + 1) * bucket_us


class Ring:
    """The counts of a window, bucket by bucket, each one whole number (see counts.py), and their sum.

    What is added to a bucket that has left, or will come, changes nothing: so the
    ring is the same in whatever order it was told.
    """

    __slots__ = ("_buckets", "_newest", "total")

    def __init__(self, buckets: int, newest: int) -> None:
        self._buckets = [0] * buckets
        self._newest = newest
        self.total = 0

    def __bool__(self) -> bool:
        return bool(self.total)

    def roll(self, newest: int) -> None:
        """Move on to a later bucket; those that leave are forgotten."""
        buckets = self._buckets
        size = len(buckets)
        if newest - self._newest >= size:
            self._buckets = [0] * size
            self.total = 0
        else:
            for bucket in range(self._newest + 1, newest + 1):
                self.total -= buckets[bucket % size]
                buckets[bucket % size] = 0
        self._newest = newest

    def add(self, bucket: int, counts: int) -> None:
        buckets = self._buckets
        size = len(buckets)
        if self._newest - size < bucket <= self._newest:
            buckets[bucket % size] += counts
            self.total += counts

    def first(self) -> int | None:
        """The earliest bucket that has anything."""
        size = len(self._buckets)
        earliest = range(self._newest - size + 1, self._newest + 1)
        return next((bucket for bucket in earliest if self._buckets[bucket % size]), None)
