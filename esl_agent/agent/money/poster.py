"""Writes what calls cost and frees what they did not need, many in one commit.

A database that is away, or that has no tables for us, is waited for: nothing
that is owed is dropped.  What Postgres refuses for itself is set aside, so that
one record never holds up the others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import date
from typing import Final, TypeVar

import psycopg
import stamina
from stamina.instrumentation import set_on_retry_hooks

from esl_agent.agent.database import OUTAGE, Database
from esl_agent.noc.log import Log
from esl_agent.store.cdrs import CdrRow, Source
from esl_agent.store.journal_records import Answer, Record
from esl_agent.store.pool import Connection
from esl_agent.store.record_writer import Written, account_of, write_apart, write_records
from esl_agent.store.settle import Settled
from esl_agent.store.unwritable import Refused

Result = TypeVar("Result")

# DB_DOWN and DB_UP say all there is to say of a retry.
set_on_retry_hooks([])

#: The first pause before an outage is tried again; it grows to `retry_max_s`.
RETRY_FIRST_S: Final = 0.1
#: SQLSTATE classes of what lacks in the database, not in the record: no table, no privilege, no schema.
LACKING_CLASSES: Final = ("42", "3D", "3F")
#: Of what is too large for Postgres; psycopg has it among operational errors.
TOO_LARGE_CLASS: Final = "54"


class DatabaseLacksError(Exception):
    """Postgres refuses whatever is written: somebody has to put the database right."""


class RecordRefusedError(Exception):
    """Postgres refuses this record, with an error that looks like an outage."""


#: Postgres answered, and refused: an outage is waited for before it comes to that.
REFUSALS: Final = (psycopg.Error, UnicodeError, RecordRefusedError)


class Poster:
    """`today` tells the operator's date, whose spending a charge counts as; `freed`
    is told the accounts that have what their calls left.
    """

    def __init__(
        self,
        database: Database,
        today: Callable[[], date],
        log: Log,
        *,
        retry_max_s: float,
        freed: Callable[[Collection[int]], None],
    ) -> None:
        self._database = database
        self._today = today
        self._log = log
        self._retry_max_s = retry_max_s
        self._freed = freed
        self._lacks = ""
        #: How often something had to be written again because the database was away.
        self.retries = 0

    def write(self, records: Sequence[Record]) -> list[Refused]:
        """Return once all are in Postgres, but those returned, which it refuses for themselves."""
        written, refused = write_apart(records, self._write, REFUSALS)
        for row, result in written:
            if result.settled:
                self._tell(row, result)
        self._freed({account_of(record) for record in records if not isinstance(record, Answer)})
        return refused

    def _write(self, records: Sequence[Record]) -> list[Written]:
        return self._when_there(lambda conn: write_records(conn, records, self._today()))

    def _when_there(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` returns, tried again for as long as the database is away, or lacks something."""
        for attempt in stamina.retry_context(
            on=(*OUTAGE, DatabaseLacksError),
            attempts=None,
            timeout=None,
            wait_initial=RETRY_FIRST_S,
            wait_max=self._retry_max_s,
        ):
            self.retries += attempt.num > 1
            with attempt, self._database.connection() as conn:
                result = self._unless_lacking(work, conn)
        return result

    def _unless_lacking(self, work: Callable[[Connection], Result], conn: Connection) -> Result:
        try:
            result = work(conn)
        except psycopg.Error as error:
            error_class, lacks = (error.sqlstate or "")[:2], " ".join(str(error).split())
            if error_class == TOO_LARGE_CLASS:
                raise RecordRefusedError(lacks) from None
            if error_class not in LACKING_CLASSES:
                raise
            if lacks != self._lacks:
                self._lacks = lacks
                self._log("DB_REFUSED", statement="settle", error=lacks)
            raise DatabaseLacksError from None
        self._lacks = ""
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
            currency=row.currency,
            carrier=row.carrier,
            cause=row.hangup_cause,
            refused=row.refused,
            source=None if row.source is Source.LIVE else row.source,
        )
        if result.uncollected:
            self._log(
                "CALL_UNCOLLECTED",
                leg=row.leg_uuid,
                account=row.account_id,
                uncollected=result.uncollected,
                currency=row.currency,
            )
