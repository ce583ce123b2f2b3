"""The calls that traffic counts, out of the CDRs: each once, whichever daemon wrote it, and whenever.

    written before the start ──▶ Past: backwards through time, page by page
    written since            ──▶ Tail: in the order in which they are written

What divides the two is when a CDR was written, by the database's clock, which
stands on it: so none is in both, and none in neither.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final

from esl_agent.agent.database import Connects
from esl_agent.core.traffic.call import CALL_US_MAX, TrafficCall, counted
from esl_agent.core.traffic.judge import IDLE_US
from esl_agent.core.traffic.windows import US_PER_S
from esl_agent.store import traffic_calls as store

#: A CDR is as old as its transaction's beginning, and seen at its end: so far back is read again each time …
OVERLAP_US: Final = 1 * US_PER_S
#: … and now and then so far, for those that took long: a statement is given up before ([database]
#: statement_timeout_ms).  What divides Tail and Past lies as far back.
LOOK_BACK_US: Final = 60 * US_PER_S
LOOK_BACK_EVERY_US: Final = 20 * US_PER_S
#: Rows remembered, not to be counted twice.  When more come within LOOK_BACK_US it looks back less far.
RECENT_MAX: Final = 200_000

Slice = Sequence[TrafficCall]


class Tail:
    """What was written since `start_us`; `poll` it again and again."""

    def __init__(self, start_us: int) -> None:
        self._newest_us = start_us
        self._polled_us = start_us  # by then, all that was written was read
        self._floor_us = start_us  # written earlier: not known any more whether it was seen
        self._looked_back_us = start_us
        self._recent = OrderedDict[str, tuple[int, TrafficCall | None]]()

    def __len__(self) -> int:
        """Rows that are remembered."""
        return len(self._recent)

    def poll(self, database: Connects, now_us: int) -> Iterator[Slice]:
        """What is new by `now_us`, a few milliseconds' work at a time; raises one of OUTAGE.

        A slice is taken when the next one is asked for: one that was taken in part must not be left.
        """
        back_us = OVERLAP_US
        if not 0 <= now_us - self._looked_back_us < LOOK_BACK_EVERY_US:
            back_us = LOOK_BACK_US
        # With a clock that was set back, what is written since is older than the newest that was read.
        read_us = min(self._newest_us, self._polled_us, now_us)
        recorded_us, leg_uuid = max(read_us - back_us, self._floor_us), ""
        is_full = True
        while is_full:
            with database.connection() as conn:
                page = store.recorded_after(conn, recorded_us, leg_uuid, now_us - IDLE_US)
            for rows in page.slices():
                recorded_us, leg_uuid = rows[-1].recorded_us, rows[-1].leg_uuid
                new = [facts for facts in rows if facts.leg_uuid not in self._recent]
                calls = [(facts, counted(facts)) for facts in new]
                yield [call for _, call in calls if call is not None]
                for facts, call in calls:  # taken: what was not is read again
                    self._recent[facts.leg_uuid] = facts.recorded_us, call
            self._newest_us = max(self._newest_us, recorded_us)
            is_full = page.is_full
        if back_us == LOOK_BACK_US:
            self._looked_back_us = now_us
        self._polled_us = now_us
        self._forget()

    def ended_since(self, at_us: int) -> list[TrafficCall]:
        """Of what was read lately, the calls that ended later than that."""
        return [call for _, call in self._recent.values() if call is not None and call.at_us > at_us]

    def _forget(self) -> None:
        oldest_us = min(self._newest_us, self._polled_us) - LOOK_BACK_US
        while self._recent:
            leg_uuid, (recorded_us, _) = next(iter(self._recent.items()))
            if recorded_us >= oldest_us and len(self._recent) <= RECENT_MAX:
                return
            del self._recent[leg_uuid]
            self._floor_us = max(self._floor_us, min(recorded_us + 1, self._newest_us))


class Past:
    """What was written before `start_us`, as far back as anything counts."""

    def __init__(self, start_us: int) -> None:
        self._start_us = start_us
        self._since_us = start_us - IDLE_US - CALL_US_MAX
        self._place = store.LAST  # a switch's clock may be fast: what divides is when a CDR was written
        self.is_read = False

    @property
    def whole_since_us(self) -> int:
        """Of calls that ended since then, none is missing."""
        return 0 if self.is_read else self._place.created_us + CALL_US_MAX

    def page(self, database: Connects) -> Iterator[Slice]:
        """The next page; it has to be taken whole.  Raises one of OUTAGE."""
        with database.connection() as conn:
            page = store.before(conn, self._place, self._since_us, self._start_us)
        for rows in page.slices():
            self._place = store.place_of(rows[-1])
            yield store.calls_of(rows)
        self.is_read = not page.is_full
