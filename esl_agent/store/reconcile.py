"""What the books say of legs that the switch's CDR files tell of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from esl_agent.store.cdrs import to_time, to_us
from esl_agent.store.pool import Connection, as_columns

#: A CDR made from the last that was known of a leg may name another beginning, off by no more than this.
BEGINNING_OFF_US: Final = 86_400_000_000
#: Rows fetched at a time.
PAGE_ROWS: Final = 2_000

#: By the index on created_at, in each partition concerned.  The account is not asked for: a number may have
#: come into other hands since.
FIND_CDRS: Final = """
    SELECT leg_uuid, account_id, created_at, duration_us FROM cdrs
    WHERE created_at = ANY(%s) AND leg_uuid = ANY(%s)
"""
FIND_CDR_NEAR: Final = """
    SELECT leg_uuid, account_id, created_at, duration_us FROM cdrs
    WHERE account_id = %s AND created_at BETWEEN %s AND %s AND leg_uuid = %s LIMIT 1
"""
FIND_RESERVATIONS: Final = """
    SELECT account_id, leg_uuid, state = 'settled', known::text
    FROM unnest(%s::bigint[], %s::text[]) AS leg (account_id, leg_uuid)
    JOIN reservations USING (account_id, leg_uuid)
"""
#: Of one switch, as far as its name was said when money was held.
LIST_CDRS: Final = """
    SELECT leg_uuid, account_id, created_at, duration_us FROM cdrs
    WHERE created_at >= %(since)s AND ended_at < %(until)s AND refused IS NULL
      AND EXISTS (
        SELECT FROM reservations r
        WHERE (r.account_id, r.leg_uuid) = (cdrs.account_id, cdrs.leg_uuid) AND r.switch = %(switch)s
      )
"""


class FileLeg(NamedTuple):
    """A leg by what its file says that never changes."""

    leg_uuid: str
    created_us: int


@dataclass(frozen=True, slots=True)
class BilledLeg:
    """A leg by its CDR."""

    leg_uuid: str
    account_id: int
    created_us: int
    duration_us: int


class ReservedLeg(NamedTuple):
    """What the gate of settlement says of a leg, and what was known of it when money was held (JSON)."""

    is_settled: bool
    known: str | None


def find_billed(conn: Connection, legs: Sequence[FileLeg]) -> dict[str, BilledLeg]:
    """The CDRs of these legs, by UUID, as far as there are any."""
    if not legs:
        return {}
    uuids, created = as_columns((leg.leg_uuid, to_time(leg.created_us)) for leg in legs)
    rows = conn.execute(FIND_CDRS, [created, uuids])
    return {leg_uuid: _billed(leg_uuid, *rest) for leg_uuid, *rest in rows}


def find_billed_near(conn: Connection, account_id: int, leg: FileLeg) -> BilledLeg | None:
    """The CDR of a leg that is settled, whose beginning was not known to the microsecond."""
    first, last = (to_time(max(leg.created_us + off, 0)) for off in (-BEGINNING_OFF_US, BEGINNING_OFF_US))
    row = conn.execute(FIND_CDR_NEAR, [account_id, first, last, leg.leg_uuid]).fetchone()
    return _billed(*row) if row else None


def find_reserved(conn: Connection, legs: Sequence[tuple[int, str]]) -> dict[tuple[int, str], ReservedLeg]:
    """The reservations of these legs (account_id, leg_uuid), as far as there are any."""
    if not legs:
        return {}
    rows = conn.execute(FIND_RESERVATIONS, as_columns(legs))
    return {
        (account_id, leg_uuid): ReservedLeg(is_settled, known)
        for account_id, leg_uuid, is_settled, known in rows
    }


def list_billed(conn: Connection, switch: str, since_us: int, until_us: int) -> Iterator[BilledLeg]:
    """The CDRs of that switch's legs that were created since, and over by `until_us`; not of refused ones."""
    with conn.transaction(), conn.cursor("billed") as cursor:
        cursor.itersize = PAGE_ROWS
        values = {"switch": switch, "since": to_time(since_us), "until": to_time(until_us)}
        for row in cursor.execute(LIST_CDRS, values):
            yield _billed(*row)


def _billed(leg_uuid: str, account_id: int, created_at: object, duration_us: int) -> BilledLeg:
    return BilledLeg(leg_uuid, account_id, to_us(created_at), duration_us)  # type: ignore[arg-type]
