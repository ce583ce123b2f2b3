"""What is looked at of the last hour only: numbers called one after the other, and calls in one second."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from esl_agent.core.traffic.windows import FINE, US_PER_S

#: Different numbers kept of each five minutes.  With more, those of some hundreds-blocks are kept and those
#: of others are not: the same ones always, and a run within a block is found all the same.
NUMBERS_MAX: Final = 512

_BLOCK: Final = 100
_NUMBER_BITS: Final = 50  # fifteen digits
_NUMBER_MASK: Final = (1 << _NUMBER_BITS) - 1
_BLOCK_BITS: Final = 14
_SCATTER: Final = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: neighbouring blocks fall far apart


class Runs:
    """The longest run of numbers n, n+1, n+2 … that were called, in whatever order, within the hour.

    A dialer with many lines calls them nearly in order, or downwards: what
    counts is that none between was left out.
    """

    __slots__ = ("_buckets", "_longest", "_newest")

    def __init__(self) -> None:
        self._buckets: dict[int, array[int]] = {}  # sorted keys
        self._newest = 0
        self._longest: int | None = 0  # None: to be found

    def roll(self, newest: int) -> None:
        self._newest = newest
        left = [bucket for bucket in self._buckets if bucket <= newest - FINE.buckets]
        for bucket in left:
            del self._buckets[bucket]
        if left:
            self._longest = None

    def call(self, number: str, bucket: int) -> None:
        if not number or not self._newest - FINE.buckets < bucket <= self._newest:
            return
        key = _key(int(number))
        keys = self._buckets.setdefault(bucket, array("Q"))
        at = bisect_left(keys, key)
        if at < len(keys) and keys[at] == key:
            return
        keys.insert(at, key)
        if len(keys) > NUMBERS_MAX:
            if keys.pop() != key:
                self._longest = None
        elif self._longest is not None:
            self._longest = max(self._longest, self._run_of(key & _NUMBER_MASK))

    @property
    def longest(self) -> int:
        """So many numbers in a row."""
        if self._longest is None:
            self._longest = self._find()
        return self._longest

    def _run_of(self, number: int) -> int:
        above, below = number + 1, number - 1
        while self._has(above):
            above += 1
        while self._has(below):
            below -= 1
        return above - below - 1

    def _has(self, number: int) -> bool:
        key = _key(number)
        for keys in self._buckets.values():
            at = bisect_left(keys, key)
            if at < len(keys) and keys[at] == key:
                return True
        return False

    def _find(self) -> int:
        longest = run = 0
        last = -1
        for number in sorted({key & _NUMBER_MASK for key in self._all()}):
            run = run + 1 if number == last + 1 else 1
            longest = max(longest, run)
            last = number
        return longest

    def _all(self) -> Iterator[int]:
        for keys in self._buckets.values():
            yield from keys


class Seconds:
    """The most calls that began within one second of the hour, by the switch's clock."""

    __slots__ = ("_counts", "_first", "_peak")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._first = 0
        self._peak: int | None = 0

    def roll(self, newest: int) -> None:
        self._first = (newest - FINE.buckets + 1) * FINE.bucket_us // US_PER_S
        if any(second < self._first for second in self._counts):
            self._counts = {second: calls for second, calls in self._counts.items() if second >= self._first}
            self._peak = None

    def call(self, created_us: int) -> None:
        second = created_us // US_PER_S
        if second >= self._first:
            calls = self._counts[second] = self._counts.get(second, 0) + 1
            if self._peak is not None and calls > self._peak:
                self._peak = calls

    @property
    def peak(self) -> int:
        if self._peak is None:
            self._peak = max(self._counts.values(), default=0)
        return self._peak


def _key(number: int) -> int:
    """The number under its block's place among all blocks: those that are kept are the first of them."""
    block = number // _BLOCK * _SCATTER >> (64 - _BLOCK_BITS) & ((1 << _BLOCK_BITS) - 1)
    return block << _NUMBER_BITS | number
