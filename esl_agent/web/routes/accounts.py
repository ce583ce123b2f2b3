"""Accounts: who pays, with how much."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Final

import falcon
import msgspec

from esl_agent.core.admission.limits import Limits
from esl_agent.store.accounts import (
    Account,
    State,
    find_account,
    list_accounts,
    open_reservations,
    search_accounts,
)
from esl_agent.store.ledger import RecordedEntry, last_entries
from esl_agent.store.limits import get_limits
from esl_agent.store.pool import Connection
from esl_agent.web.context import Context
from esl_agent.web.endpoints import Endpoint, add_endpoints
from esl_agent.web.gate import Access, Caller
from esl_agent.web.masking import shown
from esl_agent.web.problems import ProblemError
from esl_agent.web.values import PAGE_ROWS, AccountId, Cursor, Limit, Moment, PlaceId, from_cursor, to_cursor

#: What is held, and ledger lines, that are shown of one account.
LINES_SHOWN: Final = 20

NO_ACCOUNT: Final = {HTTPStatus.NOT_FOUND: "There is no such account."}


class AccountLine(msgspec.Struct, frozen=True):
    """An account and its money, in `currency`."""

    account_id: int
    name: str | None  # null where the token's role may not see it
    plan: str
    state: State
    currency: str
    balance: Decimal
    reserved: Decimal  # held by calls that are not settled yet
    available: Decimal  # what another call may hold: balance, credit limit, less what is reserved
    credit_limit: Decimal
    calls_up: int


class Held(msgspec.Struct, frozen=True):
    leg_uuid: str
    held: Decimal
    held_at: Moment


class LedgerLine(msgspec.Struct, frozen=True):
    recorded_at: Moment
    kind: str
    change: Decimal  # of the customer's balance
    reference: str


class AccountDetail(AccountLine, frozen=True):
    """An account in full; what the token's role may not see is null."""

    state_reason: str | None
    state_since: Moment
    state_by: str | None
    terms_version: str | None
    created_at: Moment
    day_spent: Decimal  # on calls, on the day `spent_on`
    spent_on: date
    limits: Limits
    holds: list[Held]  # the oldest first, 20 at the most
    ledger: list[LedgerLine] | None  # the latest first, 20 at the most


class AccountsAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    search: (
        Annotated[
            str,
            msgspec.Meta(
                min_length=1,
                max_length=100,
                description="An account's number, a telephone number that it owns, or a part of its name.",
            ),
        ]
        | None
    ) = None
    cursor: Cursor | None = None
    limit: Limit = PAGE_ROWS


class Accounts(msgspec.Struct, frozen=True):
    """In the order of their numbers."""

    accounts: list[AccountLine]
    next_cursor: str | None


class AccountAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    account_id: AccountId


def list_(context: Context, caller: Caller, asked: AccountsAsked) -> Accounts:
    after = from_cursor(asked.cursor, PlaceId) or 0
    search = asked.search.replace("\0", "").strip() if asked.search else ""

    def read(conn: Connection) -> list[Account]:
        limit = asked.limit + 1
        if search:
            return search_accounts(conn, search, by_name=caller.sees_all, after=after, limit=limit)
        return list_accounts(conn, after=after, limit=limit)

    found = context.reads.work(read)
    page = found[: asked.limit]
    more = len(found) > asked.limit
    return Accounts(
        [line_of(caller, each) for each in page], to_cursor(page[-1].account_id) if more else None
    )


def find(context: Context, caller: Caller, asked: AccountAsked) -> AccountDetail:
    return context.reads.work(lambda conn: _read_detail(conn, caller, asked.account_id))


def _read_detail(conn: Connection, caller: Caller, account_id: int) -> AccountDetail:
    account = existing(conn, account_id)
    limits = get_limits(conn, account_id)
    holds = open_reservations(conn, account_id, LINES_SHOWN)
    entries = last_entries(conn, account_id, LINES_SHOWN) if caller.sees_all else None
    return AccountDetail(
        **msgspec.structs.asdict(line_of(caller, account)),
        state_reason=account.state_reason if caller.sees_all else None,
        state_since=account.state_since,
        state_by=account.state_by if caller.sees_all else None,
        terms_version=account.terms_version,
        created_at=account.created_at,
        day_spent=account.day_spent,
        spent_on=account.spent_on,
        limits=replace(limits, default_caller_id=shown(caller, limits.default_caller_id)),
        holds=[Held(each.leg_uuid, each.held, each.held_at) for each in holds],
        ledger=None if entries is None else [_ledger_line(each) for each in entries],
    )


def existing(conn: Connection, account_id: int) -> Account:
    """The account; raises ProblemError where there is none."""
    account = find_account(conn, account_id)
    if account is None:
        raise no_account(account_id)
    return account


def no_account(account_id: int) -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, f"there is no account {account_id}", where="account_id")


def line_of(caller: Caller, account: Account) -> AccountLine:
    """The account as `caller` may see it."""
    return AccountLine(
        account_id=account.account_id,
        name=account.name if caller.sees_all else None,
        plan=account.plan,
        state=account.state,
        currency=account.currency,
        balance=account.balance,
        reserved=account.reserved,
        available=account.available,
        credit_limit=account.credit_limit,
        calls_up=account.calls_up,
    )


def _ledger_line(entry: RecordedEntry) -> LedgerLine:
    return LedgerLine(entry.recorded_at, entry.kind, entry.change, entry.reference)


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/accounts",
        name="listAccounts",
        summary="Accounts, all or those that are searched for; by name only where names may be seen.",
        access=Access.READ,
        asked=AccountsAsked,
        answer=Accounts,
        handler=list_,
    ),
    Endpoint(
        method="GET",
        path="/accounts/{account_id}",
        name="getAccount",
        summary="One account: money, state, limits, what is held, the latest ledger lines.",
        access=Access.READ,
        asked=AccountAsked,
        answer=AccountDetail,
        handler=find,
        problems=NO_ACCOUNT,
    ),
)


def add_routes(app: falcon.App[falcon.Request, falcon.Response], context: Context) -> None:
    add_endpoints(app, context, ENDPOINTS)
