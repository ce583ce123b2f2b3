"""The measures that rules ask for: what each one is, over which windows, and how it is read off a tally.

A measure is a fraction of whole numbers, compared exactly and rounded only to be shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from esl_agent.core.traffic.call import AMOUNT_UNITS, TrafficCall
from esl_agent.core.traffic.counts import SHORT_US, ZERO_US, Count
from esl_agent.core.traffic.tally import IN, OUT, Needs, Tally
from esl_agent.core.traffic.windows import GRIDS, US_PER_S, Window, begins_us

#: Decimals of a measure that is shown.
SHOWN: Final = Decimal("0.0001")
#: What is shown of a measure that has nothing to be compared with.
NOTHING_BEFORE: Final = "nothing before"


class Way(StrEnum):
    """The direction of the calls, seen from the account."""

    OUT = "out"
    IN = "in"
    BOTH = "both"


WAYS: Final[Mapping[Way, tuple[bool, ...]]] = {Way.OUT: (OUT,), Way.IN: (IN,), Way.BOTH: (OUT, IN)}


class Reading(NamedTuple):
    """`over / under`.

    With `under` 0 there is nothing to compare with: above every threshold
    where `over` is not 0 either, and else unknown.
    """

    over: int
    under: int

    @property
    def is_known(self) -> bool:
        return bool(self.under or self.over)

    def exceeds(self, threshold: Decimal) -> bool:
        top, bottom = threshold.as_integer_ratio()
        return self.over * bottom > top * self.under

    def reaches(self, threshold: Decimal) -> bool:
        top, bottom = threshold.as_integer_ratio()
        return self.over * bottom >= top * self.under

    def __str__(self) -> str:
        if not self.under:
            return NOTHING_BEFORE
        value = (Decimal(self.over) / Decimal(self.under)).quantize(SHOWN, ROUND_HALF_UP)
        return f"{value.normalize():f}"


class Asked(NamedTuple):
    """What is asked of two tallies: one, and the whole of the same subject's.

    They differ for a rule that counts anew since somebody cleared it; what an
    account is used to is of the whole.
    """

    tally: Tally
    whole: Tally
    window: Window
    ways: tuple[bool, ...]
    now_us: int

    def count(self, which: Count) -> int:
        return self.tally.count(self.window, which, *self.ways)


def _always(call: TrafficCall) -> bool:
    return not call.is_refused


def _is_short(call: TrafficCall) -> bool:
    return call.talk_us is not None and call.talk_us <= SHORT_US


def _is_toll_free(call: TrafficCall) -> bool:
    return call.is_toll_free and call.talk_us is not None


@dataclass(frozen=True, slots=True)
class Measure:
    """`read` it; `sample` are the calls that it is measured on, `is_evidence` says which show it best."""

    name: str
    meaning: str
    sample: Count
    read: Callable[[Asked], Reading]
    windows: tuple[Window, ...] = tuple(Window)
    ways: tuple[Way, ...] = tuple(Way)
    needs: frozenset[str] = frozenset()  # the parts of a tally besides the windows
    habit: tuple[Window, ...] = ()  # windows that it reads besides its own
    is_evidence: Callable[[TrafficCall], bool] = _always


def needs_of(measure: Measure, window: Window, way: Way, high_rate: int) -> Needs:
    """What has to be kept to read it."""
    ways = frozenset(WAYS[way])
    windows = {window, *measure.habit}
    return Needs(
        windows=frozenset((each, window) for each in ways for window in windows),
        numbers=ways if "numbers" in measure.needs else frozenset(),
        runs=ways if "runs" in measure.needs else frozenset(),
        seconds=ways if "seconds" in measure.needs else frozenset(),
        countries="countries" in measure.needs,
        high_rate=high_rate,
    )


# How each is read.


def _calls(which: Count) -> Callable[[Asked], Reading]:
    def read(asked: Asked) -> Reading:
        return Reading(asked.count(which), 1)

    return read


def _share(part: Count, whole: Count) -> Callable[[Asked], Reading]:
    def read(asked: Asked) -> Reading:
        return Reading(asked.count(part), asked.count(whole))

    return read


def _acd(asked: Asked) -> Reading:
    return Reading(asked.count(Count.TALK_US), asked.count(Count.ANSWERED) * US_PER_S)


def _numbers(asked: Asked) -> Reading:
    return Reading(asked.tally.numbers(asked.window, asked.ways[0]), 1)


def _unique_share(asked: Asked) -> Reading:
    return Reading(asked.tally.numbers(asked.window, asked.ways[0]), asked.count(Count.ATTEMPTS))


def _run(asked: Asked) -> Reading:
    return Reading(asked.tally.longest_run(asked.ways[0]), 1)


def _calls_per_second(asked: Asked) -> Reading:
    return Reading(asked.tally.peak(asked.ways[0]), 1)


def _toll_free_minutes(asked: Asked) -> Reading:
    return Reading(asked.count(Count.TOLL_FREE_TALK_US), asked.count(Count.TALK_US))


def _spend(asked: Asked) -> Reading:
    return Reading(asked.count(Count.SPENT), AMOUNT_UNITS)


def _spend_factor(asked: Asked) -> Reading:
    """What is spent within the hour, in hours of habit.

    The habit is the mean hour from the day of the account's first call within
    30 days until the last 24 hours began: they are not part of it.
    """
    whole, ways = asked.whole, asked.ways
    spent = asked.count(Count.SPENT)
    before = whole.count(Window.MONTH, Count.SPENT, *ways) - whole.count(Window.DAY, Count.SPENT, *ways)
    firsts = [first for way in ways if (first := whole.first_us(Window.MONTH, way)) is not None]
    hour_us = GRIDS[Window.DAY].bucket_us
    hours = max(begins_us(Window.DAY, asked.now_us) - min(firsts, default=asked.now_us), hour_us) // hour_us
    return Reading(spent * hours, before)


def _new_countries(asked: Asked) -> Reading:
    return Reading(asked.tally.new_countries(), 1)


def _new_country_spend(asked: Asked) -> Reading:
    return Reading(asked.tally.new_countries_spent(), AMOUNT_UNITS)


_HOUR: Final = (Window.HOUR,)
_ONE_WAY: Final = (Way.OUT, Way.IN)
_ATTEMPTS: Final = Count.ATTEMPTS
_ANSWERED: Final = Count.ANSWERED

MEASURES: Final[Mapping[str, Measure]] = {
    measure.name: measure
    for measure in (
        Measure("attempts", "calls that were tried", _ATTEMPTS, _calls(_ATTEMPTS)),
        Measure("answered", "calls that were answered", _ANSWERED, _calls(_ANSWERED)),
        Measure("asr", "the share of attempts that were answered", _ATTEMPTS, _share(_ANSWERED, _ATTEMPTS)),
        Measure("acd", "the mean talk of answered calls, in seconds", _ANSWERED, _acd),
        Measure(
            "short_share", "the share of answered calls of 6 s at the most",
            _ANSWERED, _share(Count.SHORT, _ANSWERED), is_evidence=_is_short,
        ),
        Measure(
            "zero_share", "the share of answered calls that ended within their first second",
            _ANSWERED, _share(Count.ZERO, _ANSWERED),
            is_evidence=lambda call: call.talk_us is not None and call.talk_us < ZERO_US,
        ),
        Measure(
            "abandoned_share", "the share of attempts whose caller hung up before an answer",
            _ATTEMPTS, _share(Count.ABANDONED, _ATTEMPTS), is_evidence=lambda call: call.is_abandoned,
        ),
        Measure(
            "refused", "calls that were refused, which are no attempts",
            Count.REFUSED, _calls(Count.REFUSED), is_evidence=lambda call: call.is_refused,
        ),
        Measure(
            "calls_per_second", "the most attempts that began within one second",
            _ATTEMPTS, _calls_per_second, _HOUR, _ONE_WAY, frozenset({"seconds"}),
        ),
        Measure(
            "numbers", "different numbers at the other end",
            _ATTEMPTS, _numbers, ways=_ONE_WAY, needs=frozenset({"numbers"}),
        ),
        Measure(
            "unique_share", "different numbers at the other end, as a share of attempts",
            _ATTEMPTS, _unique_share, ways=_ONE_WAY, needs=frozenset({"numbers"}),
        ),
        Measure(
            "sequential_run", "the most numbers in a row (n, n+1, n+2 …) that were called, in any order",
            _ATTEMPTS, _run, _HOUR, _ONE_WAY, frozenset({"runs"}),
        ),
        Measure(
            "toll_free_share", "the share of answered calls, in and out, that went to toll-free numbers",
            _ANSWERED, _share(Count.TOLL_FREE, _ANSWERED), ways=(Way.BOTH,), is_evidence=_is_toll_free,
        ),
        Measure(
            "toll_free_minutes_share", "the share of talk, in and out, that was with toll-free numbers",
            _ANSWERED, _toll_free_minutes, ways=(Way.BOTH,), is_evidence=_is_toll_free,
        ),
        Measure(
            "spend", "what calls cost, in the account's currency",
            _ANSWERED, _spend, is_evidence=lambda call: call.spent > 0,
        ),
        Measure(
            "spend_factor", "what calls of the hour cost, in times of the account's usual hour",
            _ANSWERED, _spend_factor, _HOUR, habit=(Window.DAY, Window.MONTH),
            is_evidence=lambda call: call.spent > 0,
        ),
        Measure(
            "new_countries", "countries called for the first time",
            _ANSWERED, _new_countries, (Window.DAY,), (Way.OUT,), frozenset({"countries"}),
            habit=(Window.MONTH,),
        ),
        Measure(
            "new_country_spend", "what calls at a high rate cost to countries called for the first time",
            _ANSWERED, _new_country_spend, (Window.DAY,), (Way.OUT,), frozenset({"countries"}),
            habit=(Window.MONTH,), is_evidence=lambda call: call.spent > 0,
        ),
    )
}  # fmt: skip
