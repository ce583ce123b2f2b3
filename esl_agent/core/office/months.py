"""Months as an office counts them: from a day of the month to the same day of the next.

A month that lacks the day has it on its last: what is due on the 31st is due on
30 April, and on 31 May again.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import count

MONTHS_A_YEAR = 12


@dataclass(frozen=True, slots=True)
class Period:
    """The days from `begins` until the day before `ends`."""

    begins: date
    ends: date

    @property
    def days(self) -> int:
        return (self.ends - self.begins).days


def on_day(year: int, month: int, day: int) -> date:
    """The day of that month, or its last where it has no such day."""
    return date(year, month, min(day, monthrange(year, month)[1]))


def months_after(start: date, months: int, anchor_day: int | None = None) -> date:
    """So many months after `start`, on the same day or on `anchor_day`."""
    whole = start.year * MONTHS_A_YEAR + start.month - 1 + months
    return on_day(whole // MONTHS_A_YEAR, whole % MONTHS_A_YEAR + 1, anchor_day or start.day)


def completed_months(since: date, on: date) -> int:
    """How many whole months have passed on day `on`; 0 before `since`."""
    months = max(0, (on.year - since.year) * MONTHS_A_YEAR + on.month - since.month)
    return months if months_after(since, months) <= on or not months else months - 1


def first_anchor(on: date, anchor_day: int) -> date:
    """The first day on or after `on` that is the anchor day of its month."""
    this = on_day(on.year, on.month, anchor_day)
    return this if this >= on else months_after(this, 1, anchor_day)


def periods(first: date, anchor_day: int) -> Iterator[Period]:
    """Month after month from `first`, itself an anchor day, for ever."""
    for month in count():
        yield Period(months_after(first, month, anchor_day), months_after(first, month + 1, anchor_day))
