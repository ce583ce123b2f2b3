"""Asks the store to hold money for calls, many in one commit, and tells each call the outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Final, NamedTuple

import gevent
import psycopg

from esl_agent.agent.batches import BatchQueue, QueueFullError
from esl_agent.agent.database import OUTAGE, Database
from esl_agent.core.call_signals import Event, Held, HoldFailed, HoldMoney, HoldRefused
from esl_agent.noc.log import Log
from esl_agent.store.holds import HoldRequest, HoldResult, Outcome, hold_many

#: So long a call that goes on meanwhile waits for others, to share their commit.
GATHER_S: Final = 0.04

#: Who asked is told what came of it.
Tell = Callable[[Event], None]


class Asked(NamedTuple):
    """A request, and whom to tell."""

    request: HoldRequest
    tell: Tell


class Holder:
    """`today` tells the operator's date, whose spending a hold counts as; `switch` is whose legs they are."""

    def __init__(
        self,
        database: Database,
        today: Callable[[], date],
        log: Log,
        *,
        queue_max: int,
        batch_max: int,
        switch: str = "",
        may_act: Callable[[], bool] = lambda: True,
    ) -> None:
        self._database = database
        self._today = today
        self._log = log
        self._queue = BatchQueue[Asked](queue_max, batch_max)
        self._queue_max = queue_max
        self._switch = switch
        self._may_act = may_act

    def __len__(self) -> int:
        return len(self._queue)

    def ask(
        self,
        account_id: int,
        leg_uuid: str,
        hold: HoldMoney,
        tell: Tell,
        known: str | None = None,
        takes_from: tuple[str, ...] = (),
        *,
        can_wait: bool = False,
    ) -> None:
        """`known` (agent/calls/known.py) is kept with what is held; `takes_from` are other legs of the call.

        A call that goes on meanwhile `can_wait` for others, to share their commit.
        """
        request = HoldRequest(
            account_id, leg_uuid, hold.least, hold.want, hold.spare, self._switch, known, takes_from
        )
        try:
            self._queue.put(Asked(request, tell), is_awaited=not can_wait)
        except QueueFullError:
            self._log("QUEUE_FULL", queue="holds", limit=self._queue_max)
            gevent.spawn(tell, HoldFailed())  # not before the effects of the asker's step are out

    def run(self) -> None:
        self._queue.run(self._work, GATHER_S)

    def wait_empty(self, timeout_s: float) -> bool:
        return self._queue.wait_empty(timeout_s)

    def _work(self, batch: Sequence[Asked]) -> None:
        """A batch that Postgres does not answer is given up at once: the calls go on with what they have."""
        if not self._may_act():
            return  # what the calls do next is another's to say
        requests = [asked.request for asked in batch]
        try:
            results = self._database.work(lambda conn: hold_many(conn, requests, self._today()))
        except OUTAGE:
            _give_up(batch)
        except psycopg.Error as error:
            self._log("DB_REFUSED", statement="hold", legs=len(batch), error=" ".join(str(error).split()))
            _give_up(batch)
        else:
            for asked, result in zip(batch, results, strict=True):
                asked.tell(_event_of(result))


def _give_up(batch: Sequence[Asked]) -> None:
    for asked in batch:
        asked.tell(HoldFailed())


def _event_of(result: HoldResult) -> Event:
    if result.outcome is Outcome.HELD:
        return Held(result.held, result.available)
    return HoldRefused(result.outcome.value)
