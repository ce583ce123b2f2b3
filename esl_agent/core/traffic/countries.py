"""Countries that an account calls for the first time, and what it spends there.

By days (UTC): a country is new on the day of its first answered call and on the
next one, if it was not called on the 28 days before.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

from esl_agent.core.traffic.windows import GRIDS, Window

DAY_US: Final = GRIDS[Window.MONTH].bucket_us
DAYS: Final = GRIDS[Window.MONTH].buckets
NEW_DAYS: Final = 2

_MASK: Final = (1 << DAYS) - 1


class Countries:
    """`high_rate` is the rate (in millionths a minute) from which on a call's cost is watched."""

    __slots__ = ("_days", "_high_rate", "_known", "_newest", "_spent")

    def __init__(self, high_rate: int) -> None:
        self._high_rate = high_rate
        self._newest = 0
        self._days: dict[str, int] = {}  # bit n: called on the day n days before the newest
        self._spent: dict[tuple[str, int], int] = {}  # on high rates, by country and day
        self._known: frozenset[str] = frozenset()

    def roll(self, newest: int) -> None:
        days = newest - self._newest
        if days <= 0:
            return
        self._newest = newest
        if days >= DAYS:
            self._days.clear()
        shifted = {country: mask << days & _MASK for country, mask in self._days.items()}
        self._days = {country: mask for country, mask in shifted.items() if mask}
        if self._spent:
            self._spent = {of: spent for of, spent in self._spent.items() if of[1] > newest - NEW_DAYS}

    def call(self, country: str, day: int, spent: int, rate: int) -> None:
        """An answered call."""
        if not self._newest - DAYS < day <= self._newest:
            return
        self._days[country] = self._days.get(country, 0) | 1 << self._newest - day
        if rate >= self._high_rate and day > self._newest - NEW_DAYS:
            self._spent[country, day] = self._spent.get((country, day), 0) + spent

    def know(self, countries: AbstractSet[str]) -> None:
        """Somebody has looked at the calls to them: they are never new."""
        self._known |= countries

    def known(self) -> frozenset[str]:
        return self._known.union(self._days)

    def new_spent(self) -> int:
        """Spent at high rates in countries that are new."""
        return sum(spent for (country, _), spent in self._spent.items() if self.is_new(country))

    def new(self) -> int:
        """How many countries are new."""
        return sum(self.is_new(country) for country in self._days)

    def is_new(self, country: str) -> bool:
        return country not in self._known and not self._days.get(country, 0) >> NEW_DAYS
