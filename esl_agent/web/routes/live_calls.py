"""The calls that are up, and the end of one at a person's word."""

from __future__ import annotations

from decimal import Decimal
from http import HTTPStatus
from typing import Final

import falcon
import msgspec

from esl_agent.store.cdrs import to_time
from esl_agent.web.audit import acted
from esl_agent.web.context import Context
from esl_agent.web.endpoints import Endpoint, add_endpoints
from esl_agent.web.gate import Access, Caller
from esl_agent.web.masking import shown
from esl_agent.web.ports import Killed, LiveFilter, LiveView
from esl_agent.web.problems import ProblemError
from esl_agent.web.turns import each
from esl_agent.web.values import (
    PAGE_ROWS,
    AccountId,
    Cursor,
    Digits,
    LegUuid,
    Limit,
    Moment,
    NoNul,
    Text,
    TimeUs,
    from_cursor,
    to_cursor,
    to_digits,
)

#: How soon somebody who would end a call that is not known yet may ask again.
NOT_SURE_RETRY_S: Final = 2


class LiveCall(msgspec.Struct, frozen=True):
    """A call that is up, as of now; amounts in `currency`."""

    leg_uuid: str
    account_id: int
    product: str
    caller: str
    number: str
    number_class: str
    country: str
    destination: str
    carrier: str | None
    phase: str
    since: Moment
    answered_at: Moment | None
    talked_s: int | None
    rate_per_minute: Decimal | None  # null where the call is free
    currency: str
    cost: Decimal  # so far
    held: Decimal
    funded_until: Moment | None  # null where it is free, or not answered yet
    funded_s: int | None  # how long what is held still lasts; more is asked for while there is more
    is_low: bool  # it was refused more money, and ends at `funded_until`


class LiveCallsAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    account_id: AccountId | None = None
    number: Digits | None = None
    cursor: Cursor | None = None
    limit: Limit = PAGE_ROWS


class LiveCalls(msgspec.Struct, frozen=True):
    """Those that began first come first; one that begins meanwhile comes last."""

    up: int  # how many are up in all
    calls: list[LiveCall]
    next_cursor: str | None


class LiveCallAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    leg_uuid: LegUuid


class KillAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    leg_uuid: LegUuid
    reason: Text


class Killing(msgspec.Struct, frozen=True):
    """The switch is told to end it, again and again until the leg is gone."""

    leg_uuid: str
    state: str = "ending"


def list_calls(context: Context, caller: Caller, asked: LiveCallsAsked) -> LiveCalls:
    live, which = context.ports.live, LiveFilter(account_id=asked.account_id, number=to_digits(asked.number))
    page = live.page(which, from_cursor(asked.cursor, tuple[TimeUs, NoNul]), asked.limit + 1)
    shown_calls = page[: asked.limit]
    more = len(page) > asked.limit
    now_us = context.ports.now_us()
    return LiveCalls(
        len(live),
        each(shown_calls, lambda view: as_answer(caller, view, now_us)),
        to_cursor(shown_calls[-1].key) if more else None,
    )


def find_call(context: Context, caller: Caller, asked: LiveCallAsked) -> LiveCall:
    view = context.ports.live.find(asked.leg_uuid)
    if view is None:
        raise _not_live()
    return as_answer(caller, view, context.ports.now_us())


def kill_call(context: Context, caller: Caller, asked: KillAsked) -> Killing:
    match context.ports.kill(asked.leg_uuid):
        case Killed.NOT_LIVE:
            raise _not_live()
        case Killed.EMERGENCY:
            raise ProblemError(HTTPStatus.CONFLICT, "an emergency call is never ended", where="leg_uuid")
        case Killed.STANDBY:
            raise ProblemError(
                HTTPStatus.CONFLICT,
                "this twin is in standby",
                to_do="ask the one that is active",
                passes=True,
            )
        case Killed.NOT_SURE:
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "no such call is known, and the switch has not told yet which calls are up",
                to_do="send it again soon; where the log says SWITCH_LOST, bring the switch back first",
                headers={"Retry-After": str(NOT_SURE_RETRY_S)},
            )
    acted(context, caller, "kill", leg=asked.leg_uuid, reason=asked.reason)
    return Killing(asked.leg_uuid)


def as_answer(caller: Caller, view: LiveView, now_us: int) -> LiveCall:
    """The call as `caller` may see it."""
    funded_us = view.funded_until_us
    return LiveCall(
        leg_uuid=view.leg_uuid,
        account_id=view.account_id,
        product=view.product,
        caller=shown(caller, view.caller),
        number=shown(caller, view.number),
        number_class=view.number_class,
        country=view.country,
        destination=view.destination,
        carrier=view.carrier,
        phase=view.phase,
        since=to_time(view.created_us),
        answered_at=None if view.answered_us is None else to_time(view.answered_us),
        talked_s=None if view.talked_us is None else view.talked_us // 1_000_000,
        rate_per_minute=view.rate_per_minute,
        currency=view.currency,
        cost=view.cost,
        held=view.held,
        funded_until=None if funded_us is None else to_time(funded_us),
        funded_s=None if funded_us is None else max(funded_us - now_us, 0) // 1_000_000,
        is_low=view.is_low,
    )


def _not_live() -> ProblemError:
    return ProblemError(
        HTTPStatus.NOT_FOUND,
        "no such call is up",
        where="leg_uuid",
        to_do="look among the CDRs: it may be over",
    )


_NOT_SURE: Final = "It is not known yet which calls are up, or the database is away, too slow, or refuses."
_NOT_LIVE: Final = {HTTPStatus.NOT_FOUND: "No such call is up."}

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/live-calls",
        name="listLiveCalls",
        summary="The calls that are up, of an account or with a number.",
        access=Access.READ,
        asked=LiveCallsAsked,
        answer=LiveCalls,
        handler=list_calls,
    ),
    Endpoint(
        method="GET",
        path="/live-calls/{leg_uuid}",
        name="getLiveCall",
        summary="One call that is up.",
        access=Access.READ,
        asked=LiveCallAsked,
        answer=LiveCall,
        handler=find_call,
        problems=_NOT_LIVE,
    ),
    Endpoint(
        method="POST",
        path="/live-calls/{leg_uuid}/kill",
        name="killLiveCall",
        summary="End a call now; never an emergency call.",
        access=Access.CALLS,
        asked=KillAsked,
        answer=Killing,
        handler=kill_call,
        status=HTTPStatus.ACCEPTED,
        problems=_NOT_LIVE
        | {
            HTTPStatus.CONFLICT: "An emergency call, or another daemon's.",
            HTTPStatus.SERVICE_UNAVAILABLE: _NOT_SURE,
        },
    ),
)


def add_routes(app: falcon.App[falcon.Request, falcon.Response], context: Context) -> None:
    add_endpoints(app, context, ENDPOINTS)
