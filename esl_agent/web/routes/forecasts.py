"""What a call would cost, and whether it would be admitted; nothing is held or written for either."""

from __future__ import annotations

from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Final

import falcon
import msgspec

from esl_agent.core.admission.question import Question
from esl_agent.core.leg import Product
from esl_agent.core.rating import US_PER_S, rate_leg
from esl_agent.web.context import Context
from esl_agent.web.endpoints import Endpoint, add_endpoints
from esl_agent.web.gate import Access, Caller
from esl_agent.web.masking import shown
from esl_agent.web.problems import ProblemError
from esl_agent.web.routes.accounts import NO_ACCOUNT, no_account
from esl_agent.web.values import AccountId, Dialled

#: The longest call that is quoted: a month.
SECONDS_MAX: Final = 31 * 86_400
#: No leg of a switch's has it.
NO_LEG: Final = "00000000-0000-0000-0000-000000000000"


class QuoteAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    account_id: AccountId
    to: Dialled
    seconds: Annotated[int, msgspec.Meta(ge=0, le=SECONDS_MAX, description="Talk, from answer to end.")] = 60
    product: Product = Product.TERMINATION


class QuoteLine(msgspec.Struct, frozen=True):
    kind: str
    rate_per_minute: Decimal
    amount: Decimal


class Quote(msgspec.Struct, frozen=True):
    """What the call would cost by the rates of now; amounts in `currency`."""

    account_id: int
    number: str
    number_class: str
    country: str
    plan: str
    deck: str
    deck_version: int
    prefix: str
    destination: str
    rate_per_minute: Decimal
    minimum_s: int
    step_s: int
    connection_fee: Decimal
    is_free: bool
    seconds: int
    billed_seconds: int
    lines: list[QuoteLine]
    total: Decimal
    currency: str


class RehearsalAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    to: Dialled  # where the call is to go; of product inbound: the number of ours that was called
    account_id: AccountId | None = None  # whose phone calls; of product termination only
    caller: Dialled | None = None  # what the phone shows; by default a number of the account's
    did: Dialled | None = None  # the number of ours whose call goes on to `to`; of product forwarding only
    product: Product = Product.TERMINATION


class RuleSaid(msgspec.Struct, frozen=True):
    rule: str
    outcome: str  # ok, admit or refuse
    text: str


class Rehearsal(msgspec.Struct, frozen=True):
    """What would become of the call, as far as can be told without holding money for it."""

    admitted: bool
    rule: str  # the one that decided
    reason: str | None
    detail: str
    sip_code: int | None
    action: str  # what to do about a refusal
    account_id: int | None
    number: str | None
    number_class: str | None
    country: str | None
    first_charge: Decimal
    held: Decimal  # what would be held at first
    available: Decimal | None
    carriers: list[str]
    rules: list[RuleSaid]


def quote(context: Context, caller: Caller, asked: QuoteAsked) -> Quote:
    quoted = context.reads.work(
        lambda conn: context.ports.quote(conn, asked.account_id, asked.to, asked.product)
    )
    if quoted is None:
        raise no_account(asked.account_id)
    account, number, price = quoted.account, quoted.number, quoted.price
    charge = rate_leg(price, asked.seconds * US_PER_S)
    return Quote(
        account_id=account.account_id,
        number=number.digits,
        number_class=number.number_class,
        country=number.country,
        plan=account.plan,
        deck=price.deck,
        deck_version=price.deck_version,
        prefix=price.prefix,
        destination=price.destination,
        rate_per_minute=price.rate_per_minute,
        minimum_s=price.minimum_s,
        step_s=price.step_s,
        connection_fee=price.connection_fee,
        is_free=price.is_free,
        seconds=asked.seconds,
        billed_seconds=charge.billed_seconds,
        lines=[QuoteLine(line.kind, line.rate_per_minute, line.amount) for line in charge.lines],
        total=charge.total,
        currency=account.currency,
    )


def rehearse(context: Context, caller: Caller, asked: RehearsalAsked) -> Rehearsal:
    _check_together(asked)
    question = Question(
        account_id=asked.account_id,
        product=asked.product,
        dialled=asked.to,
        caller_number=asked.caller or "",
        caller_leg_uuid=NO_LEG,
        did=asked.did,
        asked_us=context.ports.now_us(),
    )
    told = context.reads.work(lambda conn: context.ports.rehearse(conn, question))
    decision = told.decision
    number, refusal = decision.number, decision.refusal
    return Rehearsal(
        admitted=decision.admitted,
        rule=decision.rule,
        reason=decision.reason,
        detail=decision.detail if caller.sees_all else "",
        sip_code=refusal.sip_code if refusal else None,
        action=refusal.action if refusal else "",
        account_id=decision.account_id or None,
        number=shown(caller, number.digits) if number else None,
        number_class=number.number_class if number else None,
        country=number.country if number else None,
        first_charge=decision.needs,
        held=told.held,
        available=told.account.available if told.account else None,
        carriers=list(told.carriers),
        rules=[
            RuleSaid(each.rule, each.outcome, each.text if caller.sees_all else "") for each in decision.trace
        ],
    )


def _check_together(asked: RehearsalAsked) -> None:
    """Raises ProblemError for a call that says not enough of itself."""
    lacking = {
        Product.TERMINATION: ("account_id", asked.account_id, "whose phone calls?"),
        Product.FORWARDING: ("did", asked.did, "which number of ours is forwarded?"),
    }.get(asked.product)
    if lacking and lacking[1] is None:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, lacking[2], where=lacking[0])


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/quote",
        name="getQuote",
        summary="What a call of an account's to a number would cost.",
        access=Access.READ,
        asked=QuoteAsked,
        answer=Quote,
        handler=quote,
        problems=NO_ACCOUNT | {HTTPStatus.CONFLICT: "The number can't be called, or has no rate."},
    ),
    Endpoint(
        method="GET",
        path="/admission",
        name="rehearseAdmission",
        summary="Whether a call would be admitted now, and what each rule says of it.",
        access=Access.READ,
        asked=RehearsalAsked,
        answer=Rehearsal,
        handler=rehearse,
    ),
)


def add_routes(app: falcon.App[falcon.Request, falcon.Response], context: Context) -> None:
    add_endpoints(app, context, ENDPOINTS)
