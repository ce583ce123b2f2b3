"""Calls and spend minute by minute over the last hours, counted from the words of the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from esl_agent.core.money import ZERO

#: Minutes kept: six hours.
MINUTES_MAX: Final = 360
MINUTE_US: Final = 60_000_000


@dataclass(slots=True)
class Minute:
    """What happened within a minute."""

    begins_us: int
    admitted: int = 0
    answered: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # by reason
    cut: int = 0  # their money was used up
    ended: int = 0  # settled, refused ones apart
    spend: dict[str, Decimal] = field(default_factory=dict)  # by currency: taken by calls that ended
    up_max: int | None = None  # calls that were up at once; None where nobody looked


class Minutes:
    """Hears the log (noc/overheard.py); `look` tells it now and then how many calls are up."""

    def __init__(self, now_us: Callable[[], int], minutes_max: int = MINUTES_MAX) -> None:
        self._now_us = now_us
        self._minutes_max = minutes_max
        self._minutes: dict[int, Minute] = {}  # by when each begins, in that order
        self._hearing: dict[str, Callable[[Minute, Mapping[str, object]], None]] = {
            "CALL_ADMITTED": _admitted,
            "CALL_ANSWERED": _answered,
            "CALL_REFUSED": _refused,
            "CALL_CUT": _cut,
            "CALL_RATED": _rated,
        }

    def hear(self, word: str, fields: Mapping[str, object]) -> None:
        count = self._hearing.get(word)
        if count is not None:
            count(self._now(), fields)

    def look(self, up: int) -> None:
        minute = self._now()
        minute.up_max = max(minute.up_max or 0, up)

    def fill(self, before: Iterable[Minute]) -> None:
        """Minutes of before the start, from the CDRs; what was counted since stays as it is."""
        known = {minute.begins_us: minute for minute in before} | self._minutes
        self._minutes = dict(sorted(known.items()))
        self._forget()

    def __iter__(self) -> Iterator[Minute]:
        """Those in which something happened, the oldest first."""
        return iter(tuple(self._minutes.values()))

    def _now(self) -> Minute:
        begins_us = self._now_us() // MINUTE_US * MINUTE_US
        minute = self._minutes.get(begins_us)
        if minute is None:
            minute = self._minutes[begins_us] = Minute(begins_us)
            self._forget()
        return minute

    def _forget(self) -> None:
        oldest_us = (self._now_us() // MINUTE_US - self._minutes_max + 1) * MINUTE_US
        for begins_us in [us for us in self._minutes if us < oldest_us]:
            del self._minutes[begins_us]


def _admitted(minute: Minute, fields: Mapping[str, object]) -> None:
    minute.admitted += 1


def _answered(minute: Minute, fields: Mapping[str, object]) -> None:
    minute.answered += 1


def _refused(minute: Minute, fields: Mapping[str, object]) -> None:
    minute.refused[str(fields.get("reason"))] += 1


def _cut(minute: Minute, fields: Mapping[str, object]) -> None:
    minute.cut += 1


def _rated(minute: Minute, fields: Mapping[str, object]) -> None:
    if fields.get("refused"):
        return
    minute.ended += 1
    charged = fields.get("charged")
    if isinstance(charged, Decimal):
        currency = str(fields.get("currency"))
        minute.spend[currency] = minute.spend.get(currency, ZERO) + charged
