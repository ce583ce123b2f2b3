"""What goes wrong at a door, told without flooding: whoever can connect could make a line each time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: A kind of trouble is told at once, then at most this often, with how many times it was.
TELL_EVERY_S: Final = 10.0
DETAIL_CHARS_MAX: Final = 300


class TroubleKind(StrEnum):
    STRANGER = "stranger"  # it came from a network that isn't allowed
    PUSHED_OUT = "pushed_out"  # it had asked nothing yet, and made room for another
    FULL = "full"  # it was turned away: everybody who is in waits for an answer
    SILENT = "silent"  # it asked nothing in time
    BAD_REQUEST = "bad_request"  # what it asked can't be answered
    NO_DECISION = "no_decision"  # the agent failed over it; the switch is told nothing, and refuses
    LATE = "late"  # the answer took too long
    UNDELIVERED = "undelivered"  # there was an answer, and nobody to take it


@dataclass(frozen=True, slots=True)
class Trouble:
    door: str
    kind: TroubleKind
    detail: str  # of the last time
    times: int  # since it was last told


class Complaints:
    """Counts all troubles of a door in `counts`, and hands on as many as a person can read."""

    def __init__(
        self,
        door: str,
        on_trouble: Callable[[Trouble], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts: Counter[TroubleKind] = Counter()
        self._door = door
        self._on_trouble = on_trouble
        self._clock = clock
        self._told: Counter[TroubleKind] = Counter()
        self._quiet_until: dict[TroubleKind, float] = {}

    def tell(self, kind: TroubleKind, detail: str) -> None:
        self.counts[kind] += 1
        now = self._clock()
        if now < self._quiet_until.get(kind, now):
            return
        self._quiet_until[kind] = now + TELL_EVERY_S
        times = self.counts[kind] - self._told[kind]
        self._told[kind] = self.counts[kind]
        shown = " ".join(detail.split())[:DETAIL_CHARS_MAX]
        self._on_trouble(Trouble(self._door, kind, shown, times))
