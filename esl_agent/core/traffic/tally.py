"""What is kept of one subject's traffic: an account's, or one of its numbers'.

It takes the same room however many calls there are, and only for what somebody
asks about.  What it says at a moment depends on the calls that were added and
on nothing else: not on their order, and not on when they were added.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import product
from typing import Final

from esl_agent.core.traffic.call import RATE_UNITS, TrafficCall
from esl_agent.core.traffic.countries import Countries
from esl_agent.core.traffic.counts import CELL, Count, counts_of, read
from esl_agent.core.traffic.distinct import ESTIMATES, Cells, cell_of
from esl_agent.core.traffic.lately import Runs, Seconds
from esl_agent.core.traffic.windows import FINE, GRIDS, Ring, Window

OUT: Final = True
IN: Final = False

_MONTH: Final = GRIDS[Window.MONTH]


@dataclass(frozen=True, slots=True)
class Needs:
    """What of a kind of subject is asked about; `True` in a pair, or a set, is outbound."""

    windows: frozenset[tuple[bool, Window]] = frozenset()
    numbers: frozenset[bool] = frozenset()  # different ones
    runs: frozenset[bool] = frozenset()
    seconds: frozenset[bool] = frozenset()
    countries: bool = False
    high_rate: int = field(default=RATE_UNITS)  # in millionths a minute

    def __bool__(self) -> bool:
        return bool(self.windows or self.runs or self.seconds or self.countries)


BOTH: Final = frozenset({OUT, IN})
EVERYTHING: Final = Needs(frozenset(product(BOTH, Window)), BOTH, BOTH, BOTH, countries=True)


class Tally:
    """`roll` it to the present before it is asked anything."""

    __slots__ = ("_countries", "_fine", "_needs", "_ways", "last_us")

    def __init__(self, needs: Needs, now_us: int) -> None:
        self._needs = needs
        self._fine = now_us // FINE.bucket_us
        self._ways: dict[bool, _Way] = {}
        self._countries = Countries(needs.high_rate) if needs.countries else None
        if self._countries is not None:
            self._countries.roll(now_us // _MONTH.bucket_us)
        self.last_us = 0  # of the latest call

    def roll(self, now_us: int) -> None:
        """Let go what has left the windows by now."""
        fine = now_us // FINE.bucket_us
        if fine <= self._fine:
            return
        for way in self._ways.values():
            way.roll(self._fine, fine, now_us)
        if self._countries is not None:
            self._countries.roll(now_us // _MONTH.bucket_us)
        self._fine = fine

    def add(self, call: TrafficCall, now_us: int) -> None:
        """Count a call that ended by `now_us`."""
        self.roll(now_us)
        self.last_us = max(self.last_us, call.at_us)
        way = self._ways.get(call.is_outbound)
        if way is None:
            way = self._ways[call.is_outbound] = _Way(self._needs, call.is_outbound, self._fine)
        way.add(call, self._fine)
        if self._countries is not None and call.is_outbound and call.talk_us is not None:
            self._countries.call(call.country, call.at_us // _MONTH.bucket_us, call.spent, call.rate)

    def know_country(self, call: TrafficCall) -> None:
        """The call is known to somebody who saw nothing wrong with it: its country is not new."""
        if call.is_outbound and call.talk_us is not None:
            self.know_countries({call.country})

    def know_countries(self, countries: AbstractSet[str]) -> None:
        """None of them is new."""
        if self._countries is not None:
            self._countries.know(countries)

    # What is asked.

    def count(self, window: Window, which: Count, *ways: bool) -> int:
        """Of the window, in these directions together."""
        counted = 0
        for way in ways:
            of_way = self._ways.get(way)
            if of_way is not None:
                counted += read(of_way.rings[window].total, which)
        return counted

    def numbers(self, window: Window, way: bool) -> int:
        """How many different numbers were at the other end; an estimate, never more than there were calls."""
        cells = self.count(window, Count.CELLS, way)
        return min(ESTIMATES[cells], self.count(window, Count.ATTEMPTS, way))

    def longest_run(self, way: bool) -> int:
        of_way = self._ways.get(way)
        return of_way.runs.longest if of_way is not None and of_way.runs is not None else 0

    def peak(self, way: bool) -> int:
        of_way = self._ways.get(way)
        return of_way.seconds.peak if of_way is not None and of_way.seconds is not None else 0

    def new_countries_spent(self) -> int:
        return self._countries.new_spent() if self._countries is not None else 0

    def new_countries(self) -> int:
        return self._countries.new() if self._countries is not None else 0

    def countries(self) -> frozenset[str]:
        """Called within 30 days, or known."""
        return self._countries.known() if self._countries is not None else frozenset()

    def first_us(self, window: Window, way: bool) -> int | None:
        """When the first bucket of the window began that has a call."""
        of_way = self._ways.get(way)
        first = of_way.rings[window].first() if of_way is not None else None
        return None if first is None else first * GRIDS[window].bucket_us


class _Way:
    """One direction of it."""

    __slots__ = ("_cells", "_month", "rings", "runs", "seconds")

    def __init__(self, needs: Needs, way: bool, fine: int) -> None:
        now_us = fine * FINE.bucket_us
        self.rings = {
            window: Ring(buckets, now_us // bucket_us)
            for window, (bucket_us, buckets) in GRIDS.items()
            if (way, window) in needs.windows
        }
        self._cells = Cells() if way in needs.numbers else None
        self._month = now_us // _MONTH.bucket_us
        self.runs = Runs() if way in needs.runs else None
        self.seconds = Seconds() if way in needs.seconds else None
        self._roll_lately(fine)

    def roll(self, before: int, fine: int, now_us: int) -> None:
        """From one fine bucket to a later one."""
        for window, ring in self.rings.items():
            ring.roll(now_us // GRIDS[window].bucket_us)
        month = now_us // _MONTH.bucket_us
        if self._cells is not None and month > self._month:
            first = (month - _MONTH.buckets + 1) * _MONTH.bucket_us // FINE.bucket_us
            self._cells.forget(first, before)
        self._month = month
        self._roll_lately(fine)

    def add(self, call: TrafficCall, fine: int) -> None:
        at_us = call.at_us
        counts = counts_of(call)
        for window, ring in self.rings.items():
            ring.add(at_us // GRIDS[window].bucket_us, counts)
        if call.is_refused:
            return
        bucket = at_us // FINE.bucket_us
        if self._cells is not None and call.number:
            self._call_cell(self._cells, call.number, bucket, fine)
        if self.runs is not None:
            self.runs.call(call.number, bucket)
        if self.seconds is not None:
            self.seconds.call(call.created_us)

    def _call_cell(self, cells: Cells, number: str, bucket: int, fine: int) -> None:
        """A cell counts in the bucket in which it was called last, and in no other."""
        if bucket <= fine - _LONGEST:
            return
        last = cells.call(cell_of(number), bucket, fine)
        if last == bucket:
            return
        at_us = bucket * FINE.bucket_us
        for window, ring in self.rings.items():
            bucket_us = GRIDS[window].bucket_us
            if last is not None:
                ring.add(last * FINE.bucket_us // bucket_us, -CELL)
            ring.add(at_us // bucket_us, CELL)

    def _roll_lately(self, fine: int) -> None:
        if self.runs is not None:
            self.runs.roll(fine)
        if self.seconds is not None:
            self.seconds.roll(fine)


#: Fine buckets in the longest window.
_LONGEST: Final = _MONTH.buckets * _MONTH.bucket_us // FINE.bucket_us
