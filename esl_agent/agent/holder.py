"""Asks the store to hold money for calls, many in one commit, and tells each call the outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import gevent
import psycopg

from esl_agent.agent.batches import BatchQueue, QueueFullError
from esl_agent.agent.database import OUTAGE, Database
from esl_agent.core.call_signals import Event, Held, HoldFailed, HoldMoney, HoldRefused
from esl_agent.noc.log import Log
from esl_agent.store.holds import HoldRequest, HoldResult, Outcome, hold_many

#: What a refusal is called on the CDR and in the log.
REASONS: Final = {
    Outcome.NO_FUNDS: "no_funds",
    Outcome.NO_ACCOUNT: "unknown_account",
    Outcome.NOT_ACTIVE: "account_not_active",
    Outcome.SETTLED: "already_settled",
}


class Holder:
    def __init__(
        self,
        database: Database,
        tell: Callable[[str, Event], None],
        log: Log,
        *,
        queue_max: int,
        batch_max: int,
    ) -> None:
        self._database = database
        self._tell = tell
        self._log = log
        self._queue = BatchQueue[HoldRequest](queue_max, batch_max)
        self._queue_max = queue_max

    def __len__(self) -> int:
        return len(self._queue)

    def ask(self, account_id: int, leg_uuid: str, hold: HoldMoney) -> None:
        try:
            self._queue.put(HoldRequest(account_id, leg_uuid, hold.least, hold.want, hold.spare))
        except QueueFullError:
            self._log("QUEUE_FULL", queue="holds", limit=self._queue_max)
            gevent.spawn(self._tell, leg_uuid, HoldFailed())  # not before this step's effects are out

    def run(self) -> None:
        self._queue.run(self._work)

    def _work(self, requests: Sequence[HoldRequest]) -> None:
        """A batch that Postgres does not answer is given up at once: the calls go on with what they have."""
        try:
            with self._database.connection() as conn:
                results = hold_many(conn, requests)
        except OUTAGE:
            self._give_up(requests)
        except psycopg.Error as error:
            self._log("DB_REFUSED", statement="hold", legs=len(requests), error=" ".join(str(error).split()))
            self._give_up(requests)
        else:
            for result in results:
                self._tell(result.leg_uuid, _event_of(result))

    def _give_up(self, requests: Sequence[HoldRequest]) -> None:
        for request in requests:
            self._tell(request.leg_uuid, HoldFailed())


def _event_of(result: HoldResult) -> Event:
    if result.outcome is Outcome.HELD:
        return Held(result.held, result.available)
    return HoldRefused(REASONS[result.outcome])
