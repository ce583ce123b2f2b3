"""CDRs as traffic counts them: in the order in which they were written, or backwards through time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from psycopg import Cursor, sql

from esl_agent.core.traffic.call import CdrFacts, TrafficCall, counted
from esl_agent.store.cdrs import to_time, to_us
from esl_agent.store.pool import Connection

#: Rows fetched at once.
PAGE_ROWS: Final = 1_000
#: Of those, so many are made into calls, and judged, at a time: a millisecond or two.
SLICE_ROWS: Final = 25

_COLUMNS: Final = sql.SQL(
    "account_id, leg_uuid, product, caller, number, number_class, country, created_at, answered_at, ended_at,"
    " recorded_at, duration_us, total, rate_per_minute, forwarded_from, refused, hangup_cause"
)
_RECORDED: Final = sql.SQL(
    "SELECT {} FROM cdrs WHERE created_at >= %s AND recorded_at BETWEEN %s AND 'infinity'"
    " AND (recorded_at, leg_uuid) > (%s, %s) ORDER BY recorded_at, leg_uuid LIMIT %s"
).format(_COLUMNS)
_BEFORE: Final = sql.SQL(
    "SELECT {} FROM cdrs WHERE created_at >= %s AND created_at <= %s"
    " AND (created_at, account_id, leg_uuid) < (%s, %s, %s) AND recorded_at < %s"
    " ORDER BY created_at DESC, account_id DESC, leg_uuid DESC LIMIT %s"
).format(_COLUMNS)
_SINCE: Final = sql.SQL(
    "SELECT {} FROM cdrs WHERE created_at >= %s AND created_at < %s"
    " AND (created_at, account_id, leg_uuid) > (%s, %s, %s) AND (%s::bigint IS NULL OR account_id = %s)"
    " ORDER BY created_at, account_id, leg_uuid LIMIT %s"
).format(_COLUMNS)
_OF_ACCOUNT: Final = sql.SQL(
    "SELECT {} FROM cdrs WHERE account_id = %s AND created_at >= %s ORDER BY created_at DESC LIMIT %s"
).format(_COLUMNS)


#: Of a partition that was begun just now the planner knows nothing, and may think of reading and sorting all
#: of it for every page.
_BY_INDEX: Final = (
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
)


class Place(NamedTuple):
    """Where a row stands in time."""

    created_us: int
    account_id: int
    leg_uuid: str


#: The place after all rows; accounts have at most 18 digits.
LAST: Final = Place(to_us(datetime(9999, 12, 31, tzinfo=UTC)), 10**18, "")


def now_us(conn: Connection) -> int:
    """The database's clock: one for all switches and daemons."""
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None  # noqa: S101  a SELECT without FROM has a row
    return to_us(row[0])


def recorded_after(conn: Connection, recorded_us: int, leg_uuid: str, created_since_us: int) -> Rows:
    """Written later than that, or just then and of a later UUID, and created since; the oldest first."""
    recorded_at = to_time(recorded_us)
    values = [to_time(created_since_us), recorded_at, recorded_at, leg_uuid, PAGE_ROWS]
    return Rows(_page(conn, _RECORDED, values))


def before(conn: Connection, place: Place, created_since_us: int, recorded_before_us: int) -> Rows:
    """The rows before `place`, the newest first; those written since are left out."""
    created_at = to_time(place.created_us)
    values = [to_time(created_since_us), created_at, created_at, place.account_id, place.leg_uuid,
              to_time(recorded_before_us), PAGE_ROWS]  # fmt: skip
    return Rows(_page(conn, _BEFORE, values))


def of_account(conn: Connection, account_id: int, created_since_us: int) -> Rows:
    """A page of the account's latest rows, the newest first."""
    return Rows(_page(conn, _OF_ACCOUNT, [account_id, to_time(created_since_us), PAGE_ROWS]))


def in_order(
    conn: Connection, since_us: int, until_us: int, account_id: int | None = None
) -> Iterator[CdrFacts]:
    """All rows that were created in [since, until), the oldest first, fetched page by page."""
    place = Place(since_us, -1, "")
    while True:
        created_at = to_time(place.created_us)
        values = [created_at, to_time(until_us), created_at, place.account_id, place.leg_uuid,
                  account_id, account_id, PAGE_ROWS]  # fmt: skip
        page = [_facts(*row) for row in _page(conn, _SINCE, values)]
        yield from page
        if len(page) < PAGE_ROWS:
            return
        place = place_of(page[-1])


def place_of(facts: CdrFacts) -> Place:
    return Place(facts.created_us, facts.account_id, facts.leg_uuid)


def plans_of(conn: Connection, account_ids: Sequence[int]) -> dict[int, str]:
    """The plans of those accounts that there are."""
    rows = conn.execute(
        "SELECT account_id, plan FROM accounts WHERE account_id = ANY(%s)", [list(account_ids)]
    )
    return dict(rows.fetchall())


class Rows:
    """A page, which is made into calls slice by slice; the connection may be given back before."""

    def __init__(self, cursor: Cursor[Any]) -> None:
        self._cursor = cursor
        self.count = 0  # so far

    @property
    def is_full(self) -> bool:
        """Whether there may be more, asked once all slices are taken."""
        return self.count == PAGE_ROWS

    def slices(self) -> Iterator[list[CdrFacts]]:
        while rows := self._cursor.fetchmany(SLICE_ROWS):
            self.count += len(rows)
            yield [_facts(*row) for row in rows]
        self._cursor.close()


def calls_of(rows: Iterable[CdrFacts]) -> list[TrafficCall]:
    """Those that count."""
    return [call for facts in rows if (call := counted(facts)) is not None]


def _page(conn: Connection, query: sql.Composed, values: Sequence[object]) -> Cursor[Any]:
    """By the index that has the rows in order."""
    with conn.transaction():
        conn.execute(_BY_INDEX)
        return conn.execute(query, values)


def _facts(
    account_id: int, leg_uuid: str, product: str, caller: str, number: str, number_class: str, country: str,
    created_at: datetime, answered_at: datetime | None, ended_at: datetime, recorded_at: datetime,
    duration_us: int, total: Decimal, rate_per_minute: Decimal, forwarded_from: str | None,
    refused: str | None, hangup_cause: str,
) -> CdrFacts:  # fmt: skip
    """A row, in the order of the columns."""
    return CdrFacts(
        account_id, leg_uuid, product, caller, number, number_class, country,
        to_us(created_at), None if answered_at is None else to_us(answered_at), to_us(ended_at),
        to_us(recorded_at), duration_us, total, rate_per_minute, forwarded_from, refused, hangup_cause,
    )  # fmt: skip
