"""Who calls, and how: honest customers of several kinds, and the guilty from a moment on.

Figures are those of a small Quebec reseller: talk is lognormal, business is done
on weekdays from eight to six, most calls are local, one in twenty is hung up at a
voice mail's greeting.  All of it follows from a seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from math import log
from random import Random
from typing import Final, NamedTuple

from esl_agent.core.traffic.call import CdrFacts

S: Final = 1_000_000
MINUTE: Final = 60 * S
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
#: Monday 2026-06-01 00:00 in Montreal: days and hours below are local.
BEGINS_US: Final = 1_780_286_400 * S
#: Counted without being judged, as `traffic replay` does before its --since.
HABIT_DAYS: Final = 30
DAYS: Final = HABIT_DAYS + 30


class Place(NamedTuple):
    """Where calls go: what begins the number, its country and class, what a minute costs."""

    prefix: str
    digits: int  # after the prefix
    country: str
    number_class: str
    rate: str


MONTREAL: Final = Place("1514", 7, "CA", "domestic", "0.0052")
QUEBEC: Final = Place("1418", 7, "CA", "domestic", "0.0052")
NEW_YORK: Final = Place("1212", 7, "US", "us", "0.0100")
LONDON: Final = Place("4420", 8, "GB", "world", "0.0125")
FRANCE: Final = Place("331", 8, "FR", "world", "0.0140")
TOLL_FREE: Final = Place("1800", 7, "", "toll_free", "0")
CUBA: Final = Place("537", 7, "CU", "world", "0.7900")
LATVIA: Final = Place("37190", 6, "LV", "world", "0.8500")
SOMALIA: Final = Place("252", 7, "SO", "world", "0.6900")


@dataclass(frozen=True)
class Habit:
    """How an account calls on an ordinary day; shares are of calls."""

    out_a_day: int
    in_a_day: int
    hours: tuple[int, int] = (8, 18)
    weekends: float = 0.05  # of a weekday's calls
    asr: float = 0.72
    talk_s: float = 95.0  # the median
    short: float = 0.05
    toll_free: float = 0.06
    known: float = 0.75  # calls to people who were called before
    abroad: tuple[Place, ...] = ()
    abroad_share: float = 0.0
    busy_days: tuple[int, ...] = ()  # three times as many calls


HOME: Final = Habit(5, 4, (9, 23), 1.4, 0.68, 140, 0.04, 0.12, 0.85)
OFFICE: Final = Habit(70, 45)
SHOP: Final = Habit(35, 60, (9, 21), 0.8, 0.70, 70)
CLINIC: Final = Habit(160, 90, (8, 17), 0, 0.66, 55, 0.07, 0.02, 0.15, busy_days=(36, 50))
HELP_DESK: Final = Habit(40, 320, (7, 22), 0.5, 0.75, 240, 0.03, 0.05, 0.4)
EXPORTER: Final = Habit(60, 25, abroad=(LONDON, FRANCE, NEW_YORK), abroad_share=0.4)
TRAVEL_AGENCY: Final = Habit(55, 40, abroad=(CUBA, FRANCE), abroad_share=0.15)
BUSY_OFFICE: Final = Habit(220, 160, busy_days=(40, 52))
COLLECTOR_OF_POINTS: Final = Habit(20, 20, toll_free=0.22)  # on hold with airlines, and still honest


@dataclass(frozen=True)
class Person:
    """An account, its habit, and what is wrong with it from `begins_us` on, if anything is."""

    account_id: int
    name: str
    habit: Habit
    guilt: str = ""  # the name of a way of theirs (guilty.py)
    begins_us: int = 0
    expected: tuple[str, ...] = ()  # the rules that have to catch it

    @property
    def did(self) -> str:
        return f"1514555{self.account_id % 10_000:04}"


@dataclass
class Maker:
    """Makes one account's calls, as their CDRs tell of them."""

    person: Person
    randomly: Random
    serial: int = 0
    friends: dict[str, list[str]] = field(default_factory=dict)

    def call(
        self, at_us: int, place: Place, number: str, talk_us: int | None, *, is_inbound: bool = False,
        cause: str = "NO_ANSWER", did: str = "",
    ) -> CdrFacts:  # fmt: skip
        """A call that begins then; `talk_us` None is never answered."""
        self.serial += 1
        ring_us = self.randomly.randrange(2 * S, 22 * S)
        mine = did or self.person.did
        seconds = 0 if talk_us is None else -(-talk_us // (6 * S)) * 6
        rate = Decimal(0) if is_inbound else Decimal(place.rate)
        ended_us = at_us + ring_us + (talk_us or 0)
        return CdrFacts(
            account_id=self.person.account_id,
            leg_uuid=f"{self.person.account_id}-{self.serial}",
            product="inbound" if is_inbound else "termination",
            caller=number if is_inbound else mine,
            number=mine if is_inbound else number,
            number_class="domestic" if is_inbound else place.number_class,
            country="CA" if is_inbound else place.country,
            created_us=at_us,
            answered_us=None if talk_us is None else at_us + ring_us,
            ended_us=ended_us,
            recorded_us=ended_us + 50_000,
            duration_us=talk_us or 0,
            total=(rate * seconds / 60).quantize(Decimal("0.0001")),
            rate_per_minute=rate,
            forwarded_from=None,
            refused=None,
            hangup_cause="NORMAL_CLEARING" if talk_us is not None else cause,
        )

    def number(self, place: Place, known: float = 0.0) -> str:
        """Of a friend, or of somebody new."""
        friends = self.friends.setdefault(place.prefix, [])
        if friends and self.randomly.random() < known:
            return self.randomly.choice(friends)
        number = f"{place.prefix}{self.randomly.randrange(10**place.digits):0{place.digits}}"
        if len(friends) < 150:
            friends.append(number)
        return number

    def talk(self, asr: float, short: float, median_s: float) -> int | None:
        if self.randomly.random() >= asr:
            return None
        if self.randomly.random() < short:
            return self.randomly.randrange(400_000, 6 * S)
        return 6 * S + int(self.randomly.lognormvariate(log(median_s), 0.9) * S)

    def cause(self) -> str:
        return self.randomly.choice(("NO_ANSWER", "USER_BUSY", "ORIGINATOR_CANCEL", "NO_USER_RESPONSE"))

    def day(self, day: int) -> Iterator[CdrFacts]:
        """An ordinary day."""
        habit = self.person.habit
        busy = (habit.weekends if day % 7 >= 5 else 1.0) * (3 if day in habit.busy_days else 1)
        for _ in range(self._about(habit.out_a_day * busy)):
            yield self._ordinary(habit, self._moment(day, habit.hours))
        for _ in range(self._about(habit.in_a_day * busy)):
            talk_us = self.talk(0.85, habit.short, habit.talk_s)
            number = self.number(MONTREAL, 0.5)
            at_us = self._moment(day, habit.hours)
            yield self.call(at_us, MONTREAL, number, talk_us, is_inbound=True, cause=self.cause())

    def _ordinary(self, habit: Habit, at_us: int) -> CdrFacts:
        share = self.randomly.random()
        if share < habit.toll_free:
            place = TOLL_FREE
        elif share < habit.toll_free + habit.abroad_share:
            place = self.randomly.choice(habit.abroad)
        else:
            place = self.randomly.choice((MONTREAL, MONTREAL, MONTREAL, QUEBEC, NEW_YORK))
        talk_us = self.talk(habit.asr, habit.short, habit.talk_s)
        return self.call(at_us, place, self.number(place, habit.known), talk_us, cause=self.cause())

    def _about(self, mean: float) -> int:
        return max(0, round(self.randomly.gauss(mean, mean**0.5)))

    def _moment(self, day: int, hours: tuple[int, int]) -> int:
        """Twice as many late in the morning and early in the afternoon."""
        first, last = hours
        return BEGINS_US + day * DAY + int(self.randomly.triangular(first * HOUR, last * HOUR))
