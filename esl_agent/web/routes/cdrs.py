"""Call detail records, and among them the calls that were refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import falcon
import msgspec

from esl_agent.core.admission.reasons import REFUSALS, Reason
from esl_agent.core.price import ChargeLine
from esl_agent.store.cdrs import CdrFilter, CdrKey, CdrRow, Source, newest_cdrs, to_time
from esl_agent.web.context import Context
from esl_agent.web.endpoints import Endpoint, add_endpoints
from esl_agent.web.gate import Access, Caller
from esl_agent.web.masking import shown
from esl_agent.web.turns import each
from esl_agent.web.values import (
    PAGE_ROWS,
    AccountId,
    Cursor,
    Digits,
    Limit,
    Moment,
    NoNul,
    PlaceId,
    TimeUs,
    Word,
    from_cursor,
    moment_us,
    to_cursor,
    to_digits,
)

DAY_US: Final = 86_400 * 1_000_000
_REFUSAL_OF: Final = {str(reason): refusal for reason, refusal in REFUSALS.items()}
#: How far back is looked where nothing is said of it: older partitions are not touched.
PERIOD_DAYS: Final = 31


class CdrLine(msgspec.Struct, frozen=True):
    kind: str
    rate_per_minute: Decimal
    amount: Decimal


class Cdr(msgspec.Struct, frozen=True):
    """What was billed and why; amounts in `currency`."""

    leg_uuid: str
    other_leg_uuid: str | None
    account_id: int  # 0 for a refused call that named no account
    product: str
    caller: str
    dialled: str
    number: str
    number_class: str
    country: str
    deck: str
    deck_version: int
    prefix: str
    destination: str
    rate_per_minute: Decimal
    minimum_s: int
    step_s: int
    connection_fee: Decimal
    is_free: bool
    created_at: Moment
    answered_at: Moment | None
    ended_at: Moment
    duration_s: Decimal
    billed_seconds: int
    lines: list[CdrLine]
    total: Decimal
    charged: Decimal  # what the ledger took; `uncollected` is the rest of `total`
    uncollected: Decimal
    currency: str
    hangup_cause: str
    sip_code: int | None
    ended_by: str
    forwarded_from: str | None
    carrier: str | None
    mos: str | None
    packet_loss: str | None
    jitter_ms: str | None
    recording: str | None
    source: Source
    refused: str | None
    rule: str | None
    tags: list[str]


class Cdrs(msgspec.Struct, frozen=True):
    """The latest first; a row that is written meanwhile moves none of them."""

    cdrs: list[Cdr]
    next_cursor: str | None


class CdrsAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    account_id: AccountId | None = None
    number: Digits | None = None
    since: Moment | None = None  # by default 31 days before `until`
    until: Moment | None = None  # by default now
    hangup_cause: Word | None = None
    refused: bool | None = None
    cursor: Cursor | None = None
    limit: Limit = PAGE_ROWS


class Refused(msgspec.Struct, frozen=True):
    """A call that was refused, and what to do about it."""

    leg_uuid: str
    account_id: int  # 0 where it named no account
    refused_at: Moment
    product: str
    caller: str
    number: str
    reason: str
    rule: str | None
    meaning: str
    action: str


class Refusals(msgspec.Struct, frozen=True):
    """The latest first."""

    refusals: list[Refused]
    next_cursor: str | None


class RefusalsAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    account_id: AccountId | None = None
    number: Digits | None = None
    reason: Reason | None = None
    since: Moment | None = None  # by default 31 days before `until`
    until: Moment | None = None  # by default now
    cursor: Cursor | None = None
    limit: Limit = PAGE_ROWS


def list_cdrs(context: Context, caller: Caller, asked: CdrsAsked) -> Cdrs:
    which = CdrFilter(
        account_id=asked.account_id,
        since_us=_since_us(context, asked),
        until_us=moment_us(asked.until),
        number=to_digits(asked.number),
        hangup_cause=asked.hangup_cause,
        is_refused=asked.refused,
    )
    rows, cursor = _page(context, which, asked)
    return Cdrs(each(rows, lambda row: as_answer(caller, row)), cursor)


def list_refusals(context: Context, caller: Caller, asked: RefusalsAsked) -> Refusals:
    which = CdrFilter(
        account_id=asked.account_id,
        since_us=_since_us(context, asked),
        until_us=moment_us(asked.until),
        number=to_digits(asked.number),
        is_refused=True,
        reason=asked.reason,
    )
    rows, cursor = _page(context, which, asked)
    return Refusals(each(rows, lambda row: _refused(caller, row)), cursor)


def _since_us(context: Context, asked: CdrsAsked | RefusalsAsked) -> int:
    since_us = moment_us(asked.since)
    if since_us is not None:
        return since_us
    until_us = moment_us(asked.until)
    return max((context.ports.now_us() if until_us is None else until_us) - PERIOD_DAYS * DAY_US, 0)


def _page(
    context: Context, which: CdrFilter, asked: CdrsAsked | RefusalsAsked
) -> tuple[list[CdrRow], str | None]:
    before: CdrKey | None = from_cursor(asked.cursor, tuple[TimeUs, PlaceId, NoNul])
    rows = context.reads.work(lambda conn: newest_cdrs(conn, which, asked.limit + 1, before))
    more = len(rows) > asked.limit
    page = rows[: asked.limit]
    return page, to_cursor(page[-1].key) if more else None


def as_answer(caller: Caller, row: CdrRow) -> Cdr:
    """The row as `caller` may see it."""
    price, charge, quality = row.price, row.charge, row.quality
    return Cdr(
        leg_uuid=row.leg_uuid,
        other_leg_uuid=row.other_leg_uuid,
        account_id=row.account_id,
        product=row.product,
        caller=shown(caller, row.caller),
        dialled=shown(caller, row.dialled),
        number=shown(caller, row.number),
        number_class=row.number_class,
        country=row.country,
        deck=price.deck,
        deck_version=price.deck_version,
        prefix=price.prefix,
        destination=price.destination,
        rate_per_minute=price.rate_per_minute,
        minimum_s=price.minimum_s,
        step_s=price.step_s,
        connection_fee=price.connection_fee,
        is_free=price.is_free,
        created_at=to_time(row.created_us),
        answered_at=None if row.answered_us is None else to_time(row.answered_us),
        ended_at=to_time(row.ended_us),
        duration_s=Decimal(row.duration_us) / 1_000_000,
        billed_seconds=charge.billed_seconds,
        lines=[_line(line) for line in charge.lines],
        total=charge.total,
        charged=row.charged,
        uncollected=row.uncollected,
        currency=row.currency,
        hangup_cause=row.hangup_cause,
        sip_code=row.sip_code,
        ended_by=row.ended_by,
        forwarded_from=shown(caller, row.forwarded_from),
        carrier=row.carrier,
        mos=quality.mos,
        packet_loss=quality.packet_loss,
        jitter_ms=quality.jitter_ms,
        recording=row.recording if caller.sees_all else None,
        source=row.source,
        refused=row.refused,
        rule=row.rule,
        tags=list(row.tags),
    )


def _line(line: ChargeLine) -> CdrLine:
    return CdrLine(line.kind, line.rate_per_minute, line.amount)


def _refused(caller: Caller, row: CdrRow) -> Refused:
    reason = row.refused or ""
    refusal = _REFUSAL_OF.get(reason)
    return Refused(
        leg_uuid=row.leg_uuid,
        account_id=row.account_id,
        refused_at=to_time(row.created_us),
        product=row.product,
        caller=shown(caller, row.caller),
        number=shown(caller, row.number or row.dialled),
        reason=reason,
        rule=row.rule,
        meaning=refusal.meaning if refusal else "",
        action=refusal.action if refusal else "",
    )


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/cdrs",
        name="listCdrs",
        summary="Call detail records, by account, number, period, hangup cause, refused or not.",
        access=Access.READ,
        asked=CdrsAsked,
        answer=Cdrs,
        handler=list_cdrs,
    ),
    Endpoint(
        method="GET",
        path="/refusals",
        name="listRefusals",
        summary="Calls that were refused, with the reason and what to do about it.",
        access=Access.READ,
        asked=RefusalsAsked,
        answer=Refusals,
        handler=list_refusals,
    ),
)


def add_routes(app: falcon.App[falcon.Request, falcon.Response], context: Context) -> None:
    add_endpoints(app, context, ENDPOINTS)
