"""What the office does to accounts: a payment taken, a suspension, its end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from http import HTTPStatus
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

import falcon
import msgspec

from esl_agent.config import dunning_policy_of
from esl_agent.office.dunning import receive
from esl_agent.office.payments import Method, NewPayment
from esl_agent.store import accounts
from esl_agent.store.accounts import Account
from esl_agent.store.pool import Connection
from esl_agent.web.audit import acted, signature
from esl_agent.web.context import Context
from esl_agent.web.endpoints import Endpoint, add_endpoints
from esl_agent.web.gate import Access, Caller
from esl_agent.web.routes.accounts import NO_ACCOUNT, AccountLine, existing, line_of
from esl_agent.web.values import AccountId, Amount, Text, to_amount

Result = TypeVar("Result")


class PaymentAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    account_id: AccountId
    amount: Amount
    reference: (
        Text  # the receipt's, the transfer's: a payment is credited once for each reference of an account
    )
    method: Method = Method.OTHER
    received_on: date | None = None  # by default today


class PaymentTaken(msgspec.Struct, frozen=True):
    """The account afterwards."""

    account: AccountLine
    credited_now: bool  # false where the same payment had been credited before: nothing changed
    suspension_lifted: bool


class StateAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    account_id: AccountId
    reason: Text


def take_payment(context: Context, caller: Caller, asked: PaymentAsked) -> PaymentTaken:
    config = context.config
    today = datetime.now(ZoneInfo(config.admission.time_zone)).date()
    new = NewPayment(
        account_id=asked.account_id,
        amount=to_amount(asked.amount, "amount"),
        reference=asked.reference.strip(),
        method=asked.method,
        received_on=asked.received_on or today,
        by=signature(caller),
    )
    policy = dunning_policy_of(config)
    booked, is_lifted = _act(
        context,
        asked.account_id,
        lambda conn: receive(conn, new, today, config.admission.time_zone, policy),
    )
    acted(
        context, caller, "payment", account=new.account_id, amount=new.amount, reference=new.reference,
        credited_now=booked.is_new,
    )  # fmt: skip
    return PaymentTaken(line_of(caller, booked.account), booked.is_new, is_lifted)


def suspend(context: Context, caller: Caller, asked: StateAsked) -> AccountLine:
    return _set_state(context, caller, asked, "suspend", accounts.suspend)


def resume(context: Context, caller: Caller, asked: StateAsked) -> AccountLine:
    return _set_state(context, caller, asked, "resume", accounts.resume)


def _set_state(
    context: Context,
    caller: Caller,
    asked: StateAsked,
    act: str,
    change: Callable[[Connection, int, str, str], Account],
) -> AccountLine:
    changed = _act(
        context,
        asked.account_id,
        lambda conn: change(conn, asked.account_id, asked.reason.strip(), signature(caller)),
    )
    acted(context, caller, act, account=asked.account_id, reason=asked.reason)
    return line_of(caller, changed)


def _act(context: Context, account_id: int, work: Callable[[Connection], Result]) -> Result:
    """Under the office's role; raises ProblemError where there is no such account, or no such login."""

    def act(conn: Connection) -> Result:
        existing(conn, account_id)
        return work(conn)

    return context.office().work(act)


_PROBLEMS: Final = NO_ACCOUNT | {
    HTTPStatus.CONFLICT: "The account is in no state for it, or the reference or key stands for another.",
    HTTPStatus.NOT_IMPLEMENTED: "[web] database_url is not set.",
}

ENDPOINTS: Final = (
    Endpoint(
        method="POST",
        path="/accounts/{account_id}/payments",
        name="takePayment",
        summary="Credit a payment, once for each reference; it lifts a suspension for what it pays.",
        access=Access.MONEY,
        asked=PaymentAsked,
        answer=PaymentTaken,
        handler=take_payment,
        problems=_PROBLEMS,
    ),
    Endpoint(
        method="POST",
        path="/accounts/{account_id}/suspend",
        name="suspendAccount",
        summary="Refuse the account's calls, and end or finish those that are up as [admission] says.",
        access=Access.MONEY,
        asked=StateAsked,
        answer=AccountLine,
        handler=suspend,
        problems=_PROBLEMS,
    ),
    Endpoint(
        method="POST",
        path="/accounts/{account_id}/resume",
        name="resumeAccount",
        summary="Lift a suspension.",
        access=Access.MONEY,
        asked=StateAsked,
        answer=AccountLine,
        handler=resume,
        problems=_PROBLEMS,
    ),
)


def add_routes(app: falcon.App[falcon.Request, falcon.Response], context: Context) -> None:
    add_endpoints(app, context, ENDPOINTS)
