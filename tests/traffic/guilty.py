"""The ways of the guilty: each yields the calls that it makes over those of the account's habit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from esl_agent.core.traffic.call import CdrFacts

from .people import (
    BEGINS_US,
    CUBA,
    DAY,
    DAYS,
    HOUR,
    LATVIA,
    MINUTE,
    MONTREAL,
    QUEBEC,
    SOMALIA,
    TOLL_FREE,
    Maker,
    Place,
    S,
)

Way = Callable[[Maker, int], Iterator[CdrFacts]]


def call_centre(maker: Maker, begins_us: int) -> Iterator[CdrFacts]:
    """Eight people who dial by hand from a list, on weekdays from nine to five; many hang up at hello."""
    for day_us in _weekdays(begins_us):
        for _ in range(8 * 22 * 8):
            at_us = day_us + maker.randomly.randrange(9 * HOUR, 17 * HOUR)
            talk_us = maker.talk(0.52, 0.24, 60)
            yield maker.call(at_us, MONTREAL, maker.number(MONTREAL), talk_us, cause=maker.cause())


def predictive_dialer(maker: Maker, begins_us: int) -> Iterator[CdrFacts]:
    """A machine that dials four numbers for each agent and drops what it has no agent for."""
    for at_us in range(begins_us, begins_us + 6 * HOUR, 3 * S):
        for _ in range(maker.randomly.randrange(4)):
            place = maker.randomly.choice((MONTREAL, QUEBEC))
            talk_us = maker.talk(0.27, 0.4, 40)
            begins = at_us + maker.randomly.randrange(S)
            yield maker.call(begins, place, maker.number(place), talk_us, cause=maker.cause())


def patient_dialer(maker: Maker, begins_us: int) -> Iterator[CdrFacts]:
    """One line, a number after the other, and an announcement that is hung up on; it is answered often."""
    for day_us in _weekdays(begins_us):
        at_us = day_us + 10 * HOUR
        while at_us < day_us + 19 * HOUR:
            talk_us = maker.talk(0.6, 0.45, 25)
            yield maker.call(at_us, QUEBEC, maker.number(QUEBEC), talk_us, cause=maker.cause())
            at_us += 26 * S + (talk_us or 0)


def war_dialer(maker: Maker, begins_us: int) -> Iterator[CdrFacts]:
    """Number after number, downwards, on three lines."""
    for n in range(600):
        at_us = begins_us + n * 7 * S + maker.randomly.randrange(5 * S)
        yield maker.call(at_us, QUEBEC, f"1418{6_553_000 - n}", maker.talk(0.5, 0.3, 20), cause=maker.cause())


def toll_free_pumper(maker: Maker, begins_us: int) -> Iterator[CdrFacts]:
    """Long calls to toll-free numbers that pay who sends them."""
    for day in range(DAYS):
        for _ in range(35):
            at_us = BEGINS_US + day * DAY + maker.randomly.randrange(DAY)
            if at_us >= begins_us:
                yield maker.call(at_us, TOLL_FREE, maker.number(TOLL_FREE, 0.3), maker.talk(0.96, 0, 900))


def missed_call_bomb(maker: Maker, begins_us: int) -> Iterator[CdrFacts]:
    """A DID that is called by machines, which hang up as soon as it answers."""
    for n in range(700):
        at_us = begins_us + n * 9 * S
        talk_us = maker.talk(0.95, 0.9, 10)
        yield maker.call(at_us, MONTREAL, maker.number(QUEBEC), talk_us, is_inbound=True)


def hacked_at_night(maker: Maker, begins_us: int) -> Iterator[CdrFacts]:
    """A stolen password: dear countries that were never called, six calls at a time."""
    yield from _fraud(maker, begins_us, (LATVIA, SOMALIA), lines=6)


def hacked_where_it_calls_anyway(maker: Maker, begins_us: int) -> Iterator[CdrFacts]:
    """A stolen password, and a dear country that the account calls every day."""
    yield from _fraud(maker, begins_us, (CUBA,), lines=20)


def _fraud(maker: Maker, begins_us: int, places: tuple[Place, ...], lines: int) -> Iterator[CdrFacts]:
    for line in range(lines):
        at_us = begins_us + line * MINUTE
        while at_us < begins_us + 5 * HOUR:
            place = maker.randomly.choice(places)
            talk_us = maker.talk(0.8, 0.02, 280)
            yield maker.call(at_us, place, maker.number(place, 0.5), talk_us, cause=maker.cause())
            at_us += 30 * S + (talk_us or 0)


def _weekdays(begins_us: int) -> Iterator[int]:
    """Where each begins, from that moment on."""
    days = (BEGINS_US + day * DAY for day in range(DAYS) if day % 7 < 5)
    return (day_us for day_us in days if day_us >= begins_us)


WAYS: Final[dict[str, Way]] = {
    way.__name__: way
    for way in (
        call_centre, predictive_dialer, patient_dialer, war_dialer, toll_free_pumper, missed_call_bomb,
        hacked_at_night, hacked_where_it_calls_anyway,
    )
}  # fmt: skip
