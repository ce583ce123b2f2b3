"""Writes what calls cost and frees what they did not need, many in one commit.

A database that is away is waited for: nothing that is owed is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import date
from typing import NamedTuple, TypeVar

import gevent
import psycopg
import stamina
from stamina.instrumentation import set_on_retry_hooks

from esl_agent.agent.batches import BatchQueue, QueueFullError
from esl_agent.agent.database import OUTAGE, Database
from esl_agent.noc.log import Log
from esl_agent.store.cdrs import CdrRow
from esl_agent.store.pool import Connection
from esl_agent.store.release import release_many
from esl_agent.store.settle import Settled, settle_many

Result = TypeVar("Result")

# DB_DOWN and DB_UP say all there is to say of a retry.
set_on_retry_hooks([])

#: The first pause before an outage is tried again; it grows to `retry_max_s`.
RETRY_FIRST_S = 0.1
#: How often a full queue is looked at again.
FULL_PAUSE_S = 0.05
#: Nobody waits for a settlement: so long others are awaited, to share its commit.
GATHER_S = 0.02


class Settlement(NamedTuple):
    """A leg that is over, and the leg that gets its hold if it cost nothing."""

    row: CdrRow
    hand_to: str | None


class Release(NamedTuple):
    """A leg that was planned and will not come."""

    account_id: int
    leg_uuid: str


class Settler:
    """Settlements on their way to Postgres, in order.  A full queue holds up whoever brings more.

    `today` tells the operator's date, whose spending a charge counts as; `freed`
    is told the accounts that have what their calls left.
    """

    def __init__(
        self,
        database: Database,
        today: Callable[[], date],
        log: Log,
        *,
        queue_max: int,
        batch_max: int,
        retry_max_s: float,
        freed: Callable[[Collection[int]], None] = lambda account_ids: None,
    ) -> None:
        self._database = database
        self._today = today
        self._log = log
        self._queue = BatchQueue[Settlement | Release](queue_max, batch_max)
        self._queue_max = queue_max
        self._retry_max_s = retry_max_s
        self._freed = freed

    def __len__(self) -> int:
        return len(self._queue)

    def settle(self, row: CdrRow, hand_to: str | None = None) -> None:
        self._put(Settlement(row, hand_to))

    def release(self, account_id: int, leg_uuid: str) -> None:
        self._put(Release(account_id, leg_uuid))

    def run(self) -> None:
        self._queue.run(self._work, GATHER_S)

    def wait_empty(self, timeout_s: float) -> bool:
        return self._queue.wait_empty(timeout_s)

    def _put(self, item: Settlement | Release) -> None:
        is_told = False
        while True:
            try:
                return self._queue.put(item)
            except QueueFullError:
                if not is_told:
                    self._log("QUEUE_FULL", queue="settlements", limit=self._queue_max)
                    is_told = True
                gevent.sleep(FULL_PAUSE_S)

    def _work(self, batch: Sequence[Settlement | Release]) -> None:
        """Settle first: a release may be of a leg that one of these settlements hands its hold to."""
        self._settle_or_tell([item for item in batch if isinstance(item, Settlement)])
        releases = [(item.account_id, item.leg_uuid) for item in batch if isinstance(item, Release)]
        if releases:
            self._with_connection(lambda conn: release_many(conn, releases))
        accounts = {item.row.account_id for item in batch if isinstance(item, Settlement)}
        self._freed(accounts.union(account_id for account_id, _ in releases))

    def _settle_or_tell(self, settlements: Sequence[Settlement]) -> None:
        try:
            self._settle(settlements)
        except psycopg.Error as error:
            # Postgres answered, and refused.  One row must not take the others with it.
            if len(settlements) > 1:
                for settlement in settlements:
                    self._settle_or_tell([settlement])
            else:
                row = settlements[0].row
                self._log("CDR_UNWRITABLE", leg=row.leg_uuid, error=str(error), cdr=repr(row))

    def _settle(self, settlements: Sequence[Settlement]) -> None:
        rows = [settlement.row for settlement in settlements]
        hand_to = {each.row.leg_uuid: each.hand_to for each in settlements if each.hand_to}
        results = self._with_connection(
            lambda conn: settle_many(conn, rows, hand_to=hand_to, today=self._today())
        )
        for row, result in zip(rows, results, strict=True):
            if result.settled:
                self._tell(row, result)

    def _with_connection(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` returns, tried again for as long as the database is away."""
        for attempt in stamina.retry_context(
            on=OUTAGE, attempts=None, timeout=None, wait_initial=RETRY_FIRST_S, wait_max=self._retry_max_s
        ):
            with attempt, self._database.connection() as conn:
                result = work(conn)
        return result

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
