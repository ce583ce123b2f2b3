"""What verdicts on traffic, and operators, keep accounts from; and the word that lifts it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Final

import falcon
import msgspec

from esl_agent.core.traffic.verdict import Action, CallSeen, Figure
from esl_agent.store import restrictions as store
from esl_agent.store.cdrs import to_time
from esl_agent.store.pool import Connection
from esl_agent.store.restrictions import Kept, RestrictionError
from esl_agent.web.audit import acted, signature
from esl_agent.web.context import Context
from esl_agent.web.endpoints import Endpoint, add_endpoints
from esl_agent.web.gate import Access, Caller
from esl_agent.web.masking import shown
from esl_agent.web.problems import ProblemError
from esl_agent.web.values import (
    PAGE_ROWS,
    AccountId,
    Cursor,
    Limit,
    Moment,
    PlaceId,
    Text,
    from_cursor,
    to_cursor,
)

Number = Annotated[
    int,
    msgspec.Meta(ge=1, le=2**63 - 1, description="The restriction's number, as the log and lists have it."),
]


class SeenCall(msgspec.Struct, frozen=True):
    """A call among the evidence."""

    leg_uuid: str
    at: Moment
    number: str
    talk_s: int


class Restriction(msgspec.Struct, frozen=True):
    """What an account is kept from, and why."""

    restriction: int
    account_id: int
    did: str  # "" where it is about all the account's traffic
    rule: str
    action: Action
    since: Moment
    until: Moment | None  # null where only somebody's word lifts it
    max_calls: int | None
    calls_per_second: int | None
    ends_calls: bool
    made_by: str
    reason: str
    figures: list[Figure]
    calls: list[SeenCall]
    cleared_at: Moment | None
    cleared_by: str | None
    cleared_reason: str | None


class Restrictions(msgspec.Struct, frozen=True):
    """The newest first."""

    restrictions: list[Restriction]
    next_cursor: str | None


class RestrictionsAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    account_id: AccountId | None = None
    ended: bool = False  # those that have ended, too
    cursor: Cursor | None = None
    limit: Limit = PAGE_ROWS


class ClearAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    restriction: Number
    reason: Text


def list_(context: Context, caller: Caller, asked: RestrictionsAsked) -> Restrictions:
    before: int | None = from_cursor(asked.cursor, PlaceId)
    found = context.reads.work(
        lambda conn: store.list_restrictions(
            conn, account_id=asked.account_id, is_all=asked.ended, before=before, limit=asked.limit + 1
        )
    )
    page = [as_answer(caller, each) for each in found[: asked.limit]]
    more = len(found) > asked.limit
    return Restrictions(page, to_cursor(page[-1].restriction) if more else None)


def clear(context: Context, caller: Caller, asked: ClearAsked) -> Restriction:
    def work(conn: Connection) -> Kept:
        if not store.find_restrictions(conn, [asked.restriction]):
            raise ProblemError(
                HTTPStatus.NOT_FOUND, f"there is no restriction {asked.restriction}", where="restriction"
            )
        return store.clear(conn, asked.restriction, asked.reason.strip(), signature(caller))

    cleared = context.office().work(work)
    acted(
        context, caller, "clear", restriction=asked.restriction,
        account=cleared.restriction.account_id, reason=asked.reason,
    )  # fmt: skip
    return as_answer(caller, cleared)


def as_answer(caller: Caller, kept: Kept) -> Restriction:
    """The restriction as `caller` may see it."""
    it = kept.restriction
    if it.restriction is None:
        raise RestrictionError("it is not written yet")
    return Restriction(
        restriction=it.restriction,
        account_id=it.account_id,
        did=shown(caller, it.did),
        rule=it.rule,
        action=it.action,
        since=to_time(it.since_us),
        until=None if it.until_us is None else to_time(it.until_us),
        max_calls=it.max_calls,
        calls_per_second=it.calls_per_second,
        ends_calls=it.ends_calls,
        made_by=it.made_by,
        reason=it.reason if caller.sees_all else "",
        figures=list(kept.figures),
        calls=[_seen(caller, each) for each in kept.calls],
        cleared_at=kept.cleared_at,
        cleared_by=kept.cleared_by,
        cleared_reason=kept.cleared_reason if caller.sees_all else None,
    )


def _seen(caller: Caller, call: CallSeen) -> SeenCall:
    return SeenCall(call.leg_uuid, to_time(call.at_us), shown(caller, call.number), call.talk_us // 1_000_000)


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/restrictions",
        name="listRestrictions",
        summary="What accounts are kept from because of their traffic, and alerts, with the evidence.",
        access=Access.READ,
        asked=RestrictionsAsked,
        answer=Restrictions,
        handler=list_,
    ),
    Endpoint(
        method="POST",
        path="/restrictions/{restriction}/clear",
        name="clearRestriction",
        summary="Lift a restriction now.",
        access=Access.MONEY,
        asked=ClearAsked,
        answer=Restriction,
        handler=clear,
        problems={
            HTTPStatus.NOT_FOUND: "There is no such restriction.",
            HTTPStatus.CONFLICT: "It is over, or the key stands for another request.",
            HTTPStatus.NOT_IMPLEMENTED: "[web] database_url is not set.",
        },
    ),
)


def add_routes(app: falcon.App[falcon.Request, falcon.Response], context: Context) -> None:
    add_endpoints(app, context, ENDPOINTS)
