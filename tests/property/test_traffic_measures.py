"""However calls come to be counted, the measures are what the whole list of calls says they are."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from random import Random
from typing import Final

from fixtures.traffic_oracle import DAY, HOUR, WINDOWS, S, a_call, measures
from hypothesis import given, settings
from hypothesis import strategies as st

from esl_agent.core.traffic.call import TrafficCall
from esl_agent.core.traffic.measures import MEASURES, WAYS, Asked, Reading, Way
from esl_agent.core.traffic.tally import EVERYTHING, Tally
from esl_agent.core.traffic.windows import Window

#: 2026-03-01 12:00:00 UTC, and some minutes into a bucket.
NOW: Final = 1_772_366_400_000_000 + 217 * S
#: How long ago: at the edges of buckets and windows, and anywhere.
AGES: Final = st.one_of(
    st.integers(0, 3 * HOUR),
    st.integers(0, 34 * DAY),
    st.builds(
        lambda unit, n, off: max(NOW - (NOW // unit - n) * unit + off, 0),
        st.sampled_from([300 * S, HOUR, DAY]),
        st.integers(0, 31),
        st.sampled_from([-1, 0, 1]),
    ),
)
TALKS: Final = st.one_of(st.none(), st.sampled_from([0, S - 1, S, 6 * S, 6 * S + 1]), st.integers(0, HOUR))
NUMBERS: Final = st.one_of(
    st.integers(14185550100, 14185550112).map(str),
    st.integers(10**10, 10**11 - 1).map(str),
    st.sampled_from(["", "442079460000", "999999999999999"]),
)


@st.composite
def some_calls(draw: st.DrawFn) -> list[TrafficCall]:
    ages = draw(st.lists(AGES, max_size=60))
    return [_a_call(draw, NOW - age, number) for number, age in enumerate(ages)]


def _a_call(draw: st.DrawFn, at_us: int, serial: int) -> TrafficCall:
    talk_us = draw(TALKS)
    ringing_us = draw(st.integers(0, 40 * S))
    is_refused = talk_us is None and draw(st.booleans())
    is_outbound = draw(st.booleans())
    return a_call(
        at_us,
        leg_uuid=f"leg-{serial}",
        is_outbound=is_outbound,
        number=draw(NUMBERS),
        country=draw(st.sampled_from(["CA", "CU", "LV"])),
        created_us=at_us - ringing_us - (talk_us or 0),
        talk_us=talk_us,
        spent=0 if talk_us is None else draw(st.integers(0, 10**9)),
        rate=draw(st.sampled_from([10_000, 999_999, 1_000_000])),
        is_toll_free=is_outbound and draw(st.booleans()),
        is_refused=is_refused,
        is_abandoned=talk_us is None and not is_refused and draw(st.booleans()),
    )


@settings(max_examples=150, deadline=None)
@given(calls=some_calls(), seed=st.integers(0, 2**32), live_since=AGES)
def test_live_rebuilt_and_worked_out_anew_are_the_same(
    calls: list[TrafficCall], seed: int, live_since: int
) -> None:
    live = counted(calls)
    rebuilt = rebuilt_then_live(calls, NOW - live_since, Random(seed))

    for window in WINDOWS:
        for way in Way:
            wanted = {name: _plain(found) for name, found in measures(calls, window, way, NOW).items()}
            assert read(live, window, way) == wanted
            assert read(rebuilt, window, way) == wanted


@settings(max_examples=50, deadline=None)
@given(calls=some_calls(), later=st.integers(0, 40 * DAY))
def test_what_leaves_a_window_leaves_nothing_behind(calls: list[TrafficCall], later: int) -> None:
    tally = counted(calls)
    now_us = NOW + later
    tally.roll(now_us)

    for window in WINDOWS:
        for way in Way:
            wanted = {name: _plain(found) for name, found in measures(calls, window, way, now_us).items()}
            assert read(tally, window, way, now_us) == wanted


def counted(calls: Sequence[TrafficCall]) -> Tally:
    """Each call as it ended."""
    ordered = sorted(calls, key=lambda call: call.at_us)
    tally = Tally(EVERYTHING, ordered[0].at_us if ordered else NOW)
    for call in ordered:
        tally.add(call, call.at_us)
    tally.roll(NOW)
    return tally


def rebuilt_then_live(calls: Sequence[TrafficCall], since_us: int, randomly: Random) -> Tally:
    """Those before a start in any order, among those that end after it, some of them late."""
    tally = Tally(EVERYTHING, since_us)
    old = [call for call in calls if call.at_us <= since_us]
    new = sorted((call for call in calls if call.at_us > since_us), key=lambda call: call.at_us)
    randomly.shuffle(old)
    now_us = since_us
    late: list[TrafficCall] = []
    for call in new:
        now_us = max(now_us, call.at_us)
        for _ in range(randomly.randrange(4)):
            if old:
                tally.add(old.pop(), now_us)
        if randomly.random() < 0.2:
            late.append(call)
        else:
            tally.add(call, now_us)
    randomly.shuffle(late)
    for call in old + late:
        tally.add(call, NOW)
    tally.roll(NOW)
    return tally


def read(tally: Tally, window: str, way: str, now_us: int = NOW) -> dict[str, object]:
    asked = Asked(tally, tally, Window(window), WAYS[Way(way)], now_us)
    return {
        name: _plain(measure.read(asked))
        for name, measure in MEASURES.items()
        if window in measure.windows and way in measure.ways
    }


def _plain(found: object) -> object:
    if isinstance(found, Reading):
        if not found.is_known:
            return None
        return Fraction(found.over, found.under) if found.under else "nothing before"
    return Fraction(found) if isinstance(found, int) else found
