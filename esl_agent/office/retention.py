"""Retention (terms 15): each kind of data is kept for its time, and then removed by a command.

Money is never lost by it: ledger entries past their time are added up into one
for each pair of sides, so that every balance still re-adds.  What the register
of disclosures says is kept for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from esl_agent.core.office.months import months_after
from esl_agent.errors import EslAgentError
from esl_agent.office.recording_retention import FIRST, Place, count_due, delete_due, forget_deleted
from esl_agent.store.pool import Connection
from esl_agent.store.recording_files import RecordingFiles

BROUGHT_FORWARD: Final = "brought_forward"
#: Of a customer who left, when nothing has to be known any more.
FORGOTTEN: Final = "forgotten"
#: A leg's reservation lets it settle only once: it is kept as long as anything might still tell of the leg.
HOLD_MONTHS_MIN: Final = 3
#: How long to wait for a moment in which no CDR is written.
LOCK_TIMEOUT: Final = "5s"
#: Files that can't be deleted, of which so many are named.
FILES_TOLD_MAX: Final = 5


class Kind(StrEnum):
    CALLS = "calls"  # CDRs: who called whom
    HOLDS = "holds"  # reservations of legs that are over
    NETWORKS = "networks"  # where phones were used from
    RESTRICTIONS = "restrictions"  # what was done about traffic, and ended
    LEDGER = "ledger"  # entries, which are added up
    CUSTOMERS = "customers"  # names and addresses of accounts that were closed
    RECORDINGS = "recordings"  # of departments' calls, which each have their own time


class RetentionError(EslAgentError):
    """Nothing of that kind was removed."""


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """Months for calls (with networks and restrictions) and holds; for the books years past a year's own."""

    calls_months: int = 24
    holds_months: int = 6
    ledger_years: int = 6

    def before(self, kind: Kind, today: date) -> date:
        """What is older than this day has been kept for its time."""
        match kind:
            case Kind.CALLS | Kind.NETWORKS | Kind.RESTRICTIONS:
                return months_after(today, -self.calls_months).replace(day=1)
            case Kind.HOLDS:
                return months_after(today, -max(self.holds_months, HOLD_MONTHS_MIN)).replace(day=1)
            case Kind.LEDGER | Kind.CUSTOMERS:
                return date(today.year - self.ledger_years, 1, 1)
            case Kind.RECORDINGS:
                return today


@dataclass(frozen=True, slots=True)
class Removed:
    """So many rows of a kind, all from before a day."""

    kind: Kind
    before: date
    row_count: int


#: `before` is a midnight, UTC: partitions of CDRs are months of that.
_REMOVE: Final[Mapping[Kind, LiteralString]] = {
    Kind.HOLDS: """
        WITH removed AS (
            DELETE FROM reservations
            WHERE state <> 'held' AND coalesce(settled_at, released_at) < %(before)s
            RETURNING account_id, leg_uuid
        ),
        told AS ( -- of a leg that another daemon settled in the same moment
            DELETE FROM answers USING removed
            WHERE (answers.account_id, answers.leg_uuid) = (removed.account_id, removed.leg_uuid)
        )
        SELECT count(*) FROM removed
    """,
    Kind.NETWORKS: """
        WITH removed AS (DELETE FROM account_networks WHERE last_seen < %(before)s RETURNING 1)
        SELECT count(*) FROM removed
    """,
    Kind.RESTRICTIONS: """
        WITH removed AS (DELETE FROM restrictions WHERE least(cleared_at, until) < %(before)s RETURNING 1)
        SELECT count(*) FROM removed
    """,
    Kind.LEDGER: """
        WITH removed AS (
            DELETE FROM ledger WHERE recorded_at < %(before)s AND kind <> %(brought_forward)s
            RETURNING account_id, debit, credit, amount
        ),
        brought_forward AS (
            INSERT INTO ledger AS entry
                   (account_id, idempotency_key, debit, credit, amount, kind, recorded_at, effective_on)
            SELECT account_id, concat_ws(':', %(brought_forward)s::text, debit, credit), debit, credit,
                   sum(amount), %(brought_forward)s,
                   %(before)s::timestamptz - interval '1 microsecond', %(before)s::date - 1
            FROM removed GROUP BY account_id, debit, credit
            ON CONFLICT (account_id, idempotency_key) DO UPDATE
                SET amount = entry.amount + excluded.amount, recorded_at = excluded.recorded_at,
                    effective_on = excluded.effective_on
        )
        SELECT count(*) FROM removed
    """,
    Kind.CUSTOMERS: """
        WITH removed AS (
            UPDATE accounts SET name = %(forgotten)s, address = ''
            WHERE state = 'closed' AND state_since < %(before)s AND name <> %(forgotten)s
            RETURNING 1
        )
        SELECT count(*) FROM removed
    """,
}
#: The partitions of CDRs, with the moment that their months end.
_PARTITIONS: Final = """
    SELECT child.oid::regclass::text
    FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
    WHERE inhparent = 'cdrs'::regclass AND child.relname ~ '^cdrs_[0-9]{4}_[0-9]{2}$'
      AND to_date(right(child.relname, 7), 'YYYY_MM') < %s::date
    ORDER BY 1
"""


def run(
    conn: Connection,
    policy: RetentionPolicy,
    today: date,
    by: str,
    *,
    recordings: RecordingFiles | None = None,
    dry_run: bool = False,
) -> Iterator[Removed]:
    """Remove what has been kept for its time, each kind in a transaction of its own.

    Recordings come last, some at a time: without their files, `recordings`, none is removed.
    Raises RetentionError where only the owner of the tables may, or they are too busy; and when all else
    is done, where a recording's file can't be deleted.
    """
    for kind in Kind:
        if kind is not Kind.RECORDINGS:
            yield _run_kind(conn, kind, policy.before(kind, today), by, dry_run=dry_run)
    yield _run_recordings(conn, policy, today, by, recordings, dry_run=dry_run)


def _run_recordings(
    conn: Connection,
    policy: RetentionPolicy,
    today: date,
    by: str,
    files: RecordingFiles | None,
    *,
    dry_run: bool,
) -> Removed:
    before = policy.before(Kind.RECORDINGS, today)
    due = count_due(conn, _midnight(before))
    if dry_run:
        return Removed(Kind.RECORDINGS, before, due)
    row_count, fault = 0, ""
    if due and files is None:
        fault = f"{due} recordings were kept for their time, but [recording] folder is not set here"
    elif files is not None:
        row_count, kept = _delete_recordings(conn, before, by, files)
        if kept:
            fault = f"{Kind.RECORDINGS}: {_told(kept)} can't be deleted; {row_count} others were"
    with _in_words(Kind.RECORDINGS), conn.transaction():
        forget_deleted(conn, _midnight(policy.before(Kind.CALLS, today)))
    if fault:
        raise RetentionError(fault)
    return Removed(Kind.RECORDINGS, before, row_count)


def _delete_recordings(
    conn: Connection, before: date, by: str, files: RecordingFiles
) -> tuple[int, list[str]]:
    """All that are due, some at a time: how many were deleted, and the files that can't be."""
    row_count, kept = 0, list[str]()
    last: Place | None = FIRST
    while last is not None:
        with _in_words(Kind.RECORDINGS), conn.transaction():
            few = delete_due(conn, files, _midnight(before), by, last)
            _register(conn, Removed(Kind.RECORDINGS, before, few.deleted), by)
        row_count, last = row_count + few.deleted, few.last
        kept += few.kept
    return row_count, kept


def _told(kept: list[str]) -> str:
    told = kept[:FILES_TOLD_MAX]
    return ", ".join(told) + (f" and {len(kept) - len(told)} more" if len(kept) > len(told) else "")


def _run_kind(conn: Connection, kind: Kind, before: date, by: str, *, dry_run: bool) -> Removed:
    with _in_words(kind), conn.transaction(force_rollback=dry_run):
        removed = Removed(kind, before, _remove(conn, kind, before, dry_run=dry_run))
        _register(conn, removed, by)
    return removed


def _register(conn: Connection, removed: Removed, by: str) -> None:
    if removed.row_count:
        conn.execute(
            "INSERT INTO retention_runs (run_by, kind, before, row_count) VALUES (%s, %s, %s, %s)",
            [by, removed.kind, removed.before, removed.row_count],
        )


@contextmanager
def _in_words(kind: Kind) -> Iterator[None]:
    """Raises RetentionError for what stopped the transaction."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise RetentionError(f"{kind}: only the owner of the tables may remove anything ({error})") from None
    except OSError as error:
        raise RetentionError(f"{kind}: {error.filename}: {error.strerror}") from None
    except psycopg.errors.LockNotAvailable:
        raise RetentionError(f"{kind}: the table was busy for {LOCK_TIMEOUT}: try again later") from None


def _remove(conn: Connection, kind: Kind, before: date, *, dry_run: bool) -> int:
    midnight = _midnight(before)
    if kind is Kind.CALLS:
        return _remove_calls(conn, midnight, dry_run=dry_run)
    values = {"before": midnight, "brought_forward": BROUGHT_FORWARD, "forgotten": FORGOTTEN}
    row: Any = conn.execute(_REMOVE[kind], values).fetchone()
    return int(row[0])


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _remove_calls(conn: Connection, before: datetime, *, dry_run: bool) -> int:
    """Whole months at once.  A rehearsal only counts: new CDRs wait while a month is dropped."""
    row: Any = conn.execute("SELECT count(*) FROM cdrs WHERE created_at < %s", [before]).fetchone()
    if not dry_run:
        conn.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))
        for (name,) in conn.execute(_PARTITIONS, [before.date()]).fetchall():
            conn.execute(sql.SQL("DROP TABLE {}").format(sql.SQL(name)))
        conn.execute("DELETE FROM cdrs WHERE created_at < %s", [before])  # whose month had no partition
    return int(row[0])
