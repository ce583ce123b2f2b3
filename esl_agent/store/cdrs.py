"""Call detail records: one row for each billed leg, and for each call that was refused.

Rows go in as JSON, one parameter for a whole batch: under gevent that is
nearly as fast as COPY on the server and cheaper here.  Times are microseconds
since 1970 in Python and timestamptz, exact to the microsecond, in the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any, Final, LiteralString

import msgspec
from psycopg import sql
from psycopg.rows import dict_row

from esl_agent.core.leg import Quality
from esl_agent.core.money import ZERO
from esl_agent.core.price import Charge, ChargeLine, LineKind, Price
from esl_agent.store.pool import Connection

#: The partition of the current month is made, and of so many months after it.
PARTITION_MONTHS_AHEAD: Final = 3
#: A text that came over the wire is cut to this.
TEXT_CHARACTERS_MAX: Final = 256
#: Rows fetched at once by an export.
PAGE_ROWS: Final = 2_000

#: What we write and read; the rest of the table is the database's own.
COLUMNS: Final = tuple(
    """
    account_id created_at leg_uuid other_leg_uuid product caller dialled number number_class country
    deck deck_version prefix destination rate_per_minute minimum_s step_s connection_fee
    forwarding_rate_per_minute grace_ms is_free answered_at ended_at duration_us billed_seconds
    lines total charged uncollected currency hangup_cause sip_code ended_by forwarded_from carrier
    mos packet_loss jitter_ms recording recording_began_at recording_ended_at source refused rule tags
    """.split()  # noqa: SIM905 (a column a line would be a screenful)
)
#: Those that make a price.
PRICE_COLUMNS: Final = tuple(name for name in Price.__slots__ if name in COLUMNS)
_COLUMNS: Final = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
_INSERT: Final = sql.SQL(
    "INSERT INTO cdrs ({0}) SELECT {0} FROM json_populate_recordset(NULL::cdrs, %s::json) "
).format(_COLUMNS)

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
MEASURE: Final = re.compile(r"\d{1,9}(\.\d{1,6})?", re.ASCII)


#: By which rows are ordered: created_us, account_id, leg_uuid.
CdrKey = tuple[int, int, str]


class Source(StrEnum):
    """How we came to know how the leg ended."""

    LIVE = "live"
    RECOVERED = "recovered"
    SWITCH_FILE = "switch file"


@dataclass(frozen=True, slots=True, kw_only=True)
class CdrRow:
    """What was billed and why.

    A refused call has `refused`, the reason, and a charge of nothing.  Where no
    leg was made for it, `leg_uuid` is a new UUID and `other_leg_uuid` the caller's
    leg: that one may be refused again, or billed, under its own.
    `charged` and `uncollected` are filled in by settlement.
    """

    account_id: int  # 0 for a refused call that named no account
    leg_uuid: str
    other_leg_uuid: str | None
    product: str  # core.leg.Product
    caller: str
    dialled: str
    number: str  # normalised digits
    number_class: str  # core.numbering.NumberClass; "" where the number was not understood
    country: str
    price: Price
    charge: Charge
    created_us: int
    answered_us: int | None
    ended_us: int
    duration_us: int  # answered to ended; 0 if never answered
    currency: str
    hangup_cause: str
    sip_code: int | None
    ended_by: str
    forwarded_from: str | None
    carrier: str | None
    quality: Quality
    recording: str | None
    source: Source
    refused: str | None = None
    rule: str | None = None  # of admission, that decided; None where it was not asked
    tags: tuple[str, ...] = ()  # what admission noted, as `payphone`
    recorded_us: tuple[int, int] | None = None  # from when until when `recording` is
    charged: Decimal = ZERO  # what the ledger took
    uncollected: Decimal = ZERO  # the rest of charge.total

    @property
    def key(self) -> CdrKey:
        return self.created_us, self.account_id, self.leg_uuid


@dataclass(frozen=True, slots=True)
class CdrFilter:
    """Which rows to list: of one account, created in [since_us, until_us), and so on; None: any."""

    account_id: int | None = None
    since_us: int | None = None
    until_us: int | None = None
    number: str | None = None  # the caller's or the called, in whole digits
    hangup_cause: str | None = None
    is_refused: bool | None = None
    reason: str | None = None  # of a refusal


def ensure_partitions(conn: Connection, now: datetime) -> int:
    """Make the partitions from now's month (UTC) on that are missing; returns how many were made."""
    row = conn.execute("SELECT make_cdr_partitions(%s, %s)", [now, PARTITION_MONTHS_AHEAD + 1]).fetchone()
    return int(row[0]) if row else 0


def insert_cdrs(conn: Connection, rows: Sequence[CdrRow]) -> None:
    """Write rows that settle nothing: refused calls.  A row that is there already is left as it is."""
    conn.execute(_INSERT + sql.SQL("ON CONFLICT DO NOTHING"), [as_json(rows)])


def as_json(rows: Sequence[CdrRow]) -> str:
    """Rows as json_populate_recordset takes them, a JSON object for each."""
    return msgspec.json.encode([to_table(row) for row in rows]).decode()


def newest_cdrs(conn: Connection, which: CdrFilter, limit: int, before: CdrKey | None = None) -> list[CdrRow]:
    """The latest `limit` rows of those before that key, the latest first."""
    return _select(conn, which, _Order.NEWEST, limit, beyond=before)


def iterate_cdrs(conn: Connection, which: CdrFilter, page_rows: int = PAGE_ROWS) -> Iterator[CdrRow]:
    """All rows in the order of time, fetched page by page: no cursor or transaction stays open."""
    last: CdrKey | None = None
    while True:
        page = _select(conn, which, _Order.OLDEST, page_rows, beyond=last)
        yield from page
        if len(page) < page_rows:
            return
        last = page[-1].key


def to_time(us: int) -> datetime:
    """Microseconds since 1970 as the moment they are."""
    return EPOCH + timedelta(microseconds=us)


def to_us(time: datetime) -> int:
    """A moment as microseconds since 1970."""
    return (time - EPOCH) // MICROSECOND


def to_table(row: CdrRow) -> dict[str, Any]:
    """The row by the table's column names, as it is written and exported."""
    price, charge, quality = row.price, row.charge, row.quality
    return {
        "account_id": row.account_id,
        "created_at": to_time(row.created_us),
        "leg_uuid": row.leg_uuid,
        "other_leg_uuid": _text(row.other_leg_uuid),
        "product": row.product,
        "caller": _text(row.caller),
        "dialled": _text(row.dialled),
        "number": _text(row.number),
        "number_class": row.number_class,
        "country": row.country,
        "deck": price.deck,
        "deck_version": price.deck_version,
        "prefix": price.prefix,
        "destination": price.destination,
        "rate_per_minute": price.rate_per_minute,
        "minimum_s": price.minimum_s,
        "step_s": price.step_s,
        "connection_fee": price.connection_fee,
        "forwarding_rate_per_minute": price.forwarding_rate_per_minute,
        "grace_ms": price.grace_ms,
        "is_free": price.is_free,
        "answered_at": None if row.answered_us is None else to_time(row.answered_us),
        "ended_at": to_time(row.ended_us),
        "duration_us": row.duration_us,
        "billed_seconds": charge.billed_seconds,
        "lines": [line._asdict() for line in charge.lines],
        "total": charge.total,
        "charged": row.charged,
        "uncollected": row.uncollected,
        "currency": row.currency,
        "hangup_cause": _text(row.hangup_cause),
        "sip_code": row.sip_code,
        "ended_by": row.ended_by,
        "forwarded_from": _text(row.forwarded_from),
        "carrier": _text(row.carrier),
        "mos": _measure(quality.mos),
        "packet_loss": _measure(quality.packet_loss),
        "jitter_ms": _measure(quality.jitter_ms),
        "recording": _text(row.recording),
        "recording_began_at": row.recorded_us and to_time(row.recorded_us[0]),
        "recording_ended_at": row.recorded_us and to_time(row.recorded_us[1]),
        "source": row.source,
        "refused": row.refused,
        "rule": row.rule,
        "tags": row.tags,
    }


def _from_table(row: dict[str, Any]) -> CdrRow:
    lines = tuple(
        ChargeLine(LineKind(line["kind"]), Decimal(line["rate_per_minute"]), Decimal(line["amount"]))
        for line in row.pop("lines")
    )
    measures = (row.pop(name) for name in ("mos", "packet_loss", "jitter_ms"))
    price = Price(**{name: row.pop(name) for name in PRICE_COLUMNS}, payphone_surcharge=_surcharge(lines))
    answered_at = row.pop("answered_at")
    recorded = (row.pop("recording_began_at"), row.pop("recording_ended_at"))
    row.pop("total")
    return CdrRow(
        created_us=to_us(row.pop("created_at")),
        answered_us=None if answered_at is None else to_us(answered_at),
        ended_us=to_us(row.pop("ended_at")),
        price=price,
        charge=Charge(row.pop("billed_seconds"), lines),
        quality=Quality(*(None if measure is None else str(measure) for measure in measures)),
        source=Source(row.pop("source")),
        tags=tuple(row.pop("tags")),
        recorded_us=None if None in recorded else (to_us(recorded[0]), to_us(recorded[1])),
        **row,
    )


class _Order(Enum):
    """How rows are ordered, and what of them lies beyond one of them."""

    OLDEST = (sql.SQL("ASC"), sql.SQL("created_at >= %s"), sql.SQL(">"))
    NEWEST = (sql.SQL("DESC"), sql.SQL("created_at <= %s"), sql.SQL("<"))


def _select(
    conn: Connection, which: CdrFilter, order: _Order, limit: int, *, beyond: CdrKey | None = None
) -> list[CdrRow]:
    direction, at_or_beyond, is_beyond = order.value
    conditions, values = _conditions(which)
    if beyond is not None:
        created_us, account_id, leg_uuid = beyond
        # Said by itself as well, where the row comparison implies it: partitions are chosen by it.
        conditions.append(at_or_beyond)
        conditions.append(sql.SQL("(created_at, account_id, leg_uuid) {} (%s, %s, %s)").format(is_beyond))
        values += [to_time(created_us), to_time(created_us), account_id, leg_uuid]
    query = sql.SQL(
        "SELECT {columns} FROM cdrs WHERE {conditions}"
        " ORDER BY created_at {order}, account_id {order}, leg_uuid {order} LIMIT {limit}"
    ).format(columns=_COLUMNS, conditions=sql.SQL(" AND ").join(conditions), order=direction, limit=limit)
    with conn.cursor(row_factory=dict_row) as cursor:
        return [_from_table(row) for row in cursor.execute(query, values)]


def _conditions(which: CdrFilter) -> tuple[list[sql.Composable], list[Any]]:
    asked: tuple[tuple[LiteralString, object], ...] = (
        ("account_id = %s", which.account_id),
        ("created_at >= %s", None if which.since_us is None else to_time(which.since_us)),
        ("created_at < %s", None if which.until_us is None else to_time(which.until_us)),
        ("%s IN (caller, number)", which.number),
        ("hangup_cause = %s", which.hangup_cause),
        ("(refused IS NOT NULL) = %s", which.is_refused),
        ("refused = %s", which.reason),
    )
    given = [(sql.SQL(condition), value) for condition, value in asked if value is not None]
    return [sql.SQL("true"), *(condition for condition, _ in given)], [value for _, value in given]


def _surcharge(lines: Iterable[ChargeLine]) -> Decimal:
    """A payphone's surcharge stands on its line, and in no column: hardly a call has one."""
    return sum((line.amount for line in lines if line.kind is LineKind.PAYPHONE), ZERO)


def _text(value: str | None) -> str | None:
    """What Postgres takes of a text from the wire: no NUL, no half of a surrogate pair, not too long."""
    if value is None or (value.isalnum() and len(value) <= TEXT_CHARACTERS_MAX):
        return value
    return value[:TEXT_CHARACTERS_MAX].replace("\0", "").encode(errors="replace").decode()


def _measure(value: str | None) -> str | None:
    """A measurement as the switch wrote it, or nothing where that isn't a plain number."""
    return value if value is not None and MEASURE.fullmatch(value) else None
