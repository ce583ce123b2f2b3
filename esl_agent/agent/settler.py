"""Writes what calls cost, many in one commit; a database that is away is waited for."""

from __future__ import annotations

from collections.abc import Sequence

import gevent
import psycopg
import stamina
from stamina.instrumentation import set_on_retry_hooks

from esl_agent.agent.batches import BatchQueue, QueueFullError
from esl_agent.agent.database import OUTAGE, Database
from esl_agent.noc.log import Log
from esl_agent.store.cdrs import CdrRow
from esl_agent.store.settle import Settled, settle_many

# DB_DOWN and DB_UP say all there is to say of a retry.
set_on_retry_hooks([])

#: The first pause before an outage is tried again; it grows to `retry_max_s`.
RETRY_FIRST_S = 0.1
#: How often a full queue is looked at again.
FULL_PAUSE_S = 0.05


class Settler:
    """CDRs on their way to Postgres.  None is dropped: a full queue holds up whoever brings more."""

    def __init__(
        self, database: Database, log: Log, *, queue_max: int, batch_max: int, retry_max_s: float
    ) -> None:
        self._database = database
        self._log = log
        self._queue = BatchQueue[CdrRow](queue_max, batch_max)
        self._queue_max = queue_max
        self._retry_max_s = retry_max_s

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, row: CdrRow) -> None:
        try:
            self._queue.put(row)
        except QueueFullError:
            self._log("QUEUE_FULL", queue="settlements", limit=self._queue_max)
            self._put_when_there_is_room(row)

    def run(self) -> None:
        self._queue.run(self._work)

    def wait_empty(self, timeout_s: float) -> bool:
        return self._queue.wait_empty(timeout_s)

    def _put_when_there_is_room(self, row: CdrRow) -> None:
        while True:
            gevent.sleep(FULL_PAUSE_S)
            try:
                return self._queue.put(row)
            except QueueFullError:
                continue

    def _work(self, rows: Sequence[CdrRow]) -> None:
        try:
            self._settle(rows)
        except psycopg.Error as error:
            # Postgres answered, and refused.  One row must not take the others with it.
            if len(rows) > 1:
                for row in rows:
                    self._work([row])
            else:
                self._log("CDR_UNWRITABLE", leg=rows[0].leg_uuid, error=str(error), cdr=repr(rows[0]))

    def _settle(self, rows: Sequence[CdrRow]) -> None:
        for attempt in stamina.retry_context(
            on=OUTAGE, attempts=None, timeout=None, wait_initial=RETRY_FIRST_S, wait_max=self._retry_max_s
        ):
            with attempt, self._database.connection() as conn:
                results = settle_many(conn, rows)
        for row, result in zip(rows, results, strict=True):
            if result.settled:
                self._tell(row, result)

    def _tell(self, row: CdrRow, result: Settled) -> None:
        self._log(
            "CALL_RATED",
            leg=row.leg_uuid,
            account=row.account_id,
            product=row.product,
            to=row.number or row.dialled,
            number_class=row.number_class or None,
            talk_s=f"{row.duration_us / 1_000_000:.3f}",
            billed_s=row.charge.billed_seconds,
            total=row.charge.total,
            charged=result.charged,
            balance=result.balance,
            cause=row.hangup_cause,
            refused=row.refused,
        )
        if result.uncollected:
            self._log(
                "CALL_UNCOLLECTED", leg=row.leg_uuid, account=row.account_id, uncollected=result.uncollected
            )
