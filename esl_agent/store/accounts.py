"""Accounts: who pays, in which state, on which plan, with how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, LiteralString

from psycopg.rows import class_row, kwargs_row

from esl_agent.core.money import ZERO
from esl_agent.errors import EslAgentError
from esl_agent.store.changes import announce_account
from esl_agent.store.ledger import Entry, House, post
from esl_agent.store.pool import Connection
from esl_agent.store.terms import record_acceptance

ACCOUNT_ID_MAX: Final = 999_999_999_999_999_999
TOP_UP: Final = "top_up"
#: Who suspends for what is past due, and resumes when it is paid (office/dunning.py), in the account's books.
DUNNING: Final = "dunning"
ACCOUNTS_LISTED_MAX: Final = 1_000

_SELECT: Final = (
    "SELECT account_id, name, plan, currency, state, state_reason, state_since, state_by, terms_version,"
    " terms_accepted_at, credit_limit, balance, reserved, created_at, calls_up, day_spent, spent_on,"
    " customer_type, is_taxed, language, address, calls_invoiced_since"
    " FROM accounts "
)


class State(StrEnum):
    """Terms 2 and 16.  Only an active account's calls are admitted."""

    PENDING = "pending"  # the terms of service are not yet accepted
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"  # for good


class CustomerType(StrEnum):
    """Consumer law protects a consumer and no business (terms 8)."""

    BUSINESS = "business"
    CONSUMER = "consumer"


class AccountError(EslAgentError):
    """There is no such account, or it is in no state for what was asked."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it is stored; amounts in its currency."""

    account_id: int
    name: str
    plan: str
    currency: str
    state: State
    state_reason: str
    state_since: datetime
    state_by: str
    terms_version: str | None
    terms_accepted_at: datetime | None
    credit_limit: Decimal
    balance: Decimal
    reserved: Decimal  # held by legs that are not settled yet
    created_at: datetime
    calls_up: int  # legs that something, or nothing, is held for now
    day_spent: Decimal  # on calls, on the day `spent_on`
    spent_on: date
    customer_type: CustomerType
    is_taxed: bool
    language: str  # of invoices: en or fr
    address: str
    calls_invoiced_since: datetime | None  # None: calls are prepaid, and on no invoice

    @property
    def available(self) -> Decimal:
        """What another call may hold."""
        return self.balance + self.credit_limit - self.reserved

    def spent_today(self, today: date) -> Decimal:
        """What calls took from the balance today, by the operator's date."""
        return self.day_spent if today <= self.spent_on <= today + timedelta(days=1) else ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """What an account begins with; it is active at once if the terms are accepted with it."""

    account_id: int
    name: str
    plan: str
    by: str
    currency: str = "CAD"
    credit_limit: Decimal = ZERO
    terms_version: str | None = None
    customer_type: CustomerType = CustomerType.BUSINESS


@dataclass(frozen=True, slots=True)
class Reservation:
    """Money held for a leg that is not settled yet."""

    leg_uuid: str
    held: Decimal
    held_at: datetime


def add_account(conn: Connection, new: NewAccount) -> Account:
    """Make an account; raises AccountError where the number is taken or the plan unknown."""
    if not 1 <= new.account_id <= ACCOUNT_ID_MAX:
        raise AccountError(f"account number {new.account_id} is not between 1 and {ACCOUNT_ID_MAX}")
    with conn.transaction():
        _check_plan(conn, new.plan)
        added = conn.execute(
            "INSERT INTO accounts (account_id, name, plan, currency, credit_limit, customer_type,"
            " state, state_by) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [
                new.account_id,
                new.name,
                new.plan,
                new.currency,
                new.credit_limit,
                new.customer_type,
                State.PENDING,
                new.by,
            ],
        )
        if not added.rowcount:
            raise AccountError(f"there is an account {new.account_id} already")
        announce_account(conn, new.account_id)
        if new.terms_version is not None:
            return accept_terms(conn, new.account_id, new.terms_version, new.by)
        return get_account(conn, new.account_id)


def find_account(conn: Connection, account_id: int) -> Account | None:
    """The account, or None."""
    return find_accounts(conn, [account_id]).get(account_id)


def find_accounts(conn: Connection, account_ids: Sequence[int]) -> dict[int, Account]:
    """The accounts that there are of those asked for, by number."""
    found = _select(conn, "WHERE account_id = ANY(%s)", list(account_ids))
    return {account.account_id: account for account in found}


def get_account(conn: Connection, account_id: int) -> Account:
    """The account; raises AccountError where there is none."""
    account = find_account(conn, account_id)
    if account is None:
        raise _unknown(account_id)
    return account


def list_accounts(conn: Connection, *, after: int = 0, limit: int = ACCOUNTS_LISTED_MAX) -> list[Account]:
    """Accounts in the order of their numbers, beyond number `after`."""
    return _select(conn, "WHERE account_id > %s ORDER BY account_id LIMIT %s", after, limit)


def search_accounts(
    conn: Connection, text: str, *, by_name: bool, after: int = 0, limit: int = ACCOUNTS_LISTED_MAX
) -> list[Account]:
    """Accounts with that number, that own that number, or, `by_name`, whose name has `text` in it."""
    digits = text.removeprefix("+")
    is_number = digits.isascii() and digits.isdigit() and int(digits) <= ACCOUNT_ID_MAX
    name = text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return _select(
        conn,
        "WHERE account_id > %s AND (account_id = %s OR name ILIKE %s"
        " OR account_id IN (SELECT account_id FROM numbers WHERE number = %s))"
        " ORDER BY account_id LIMIT %s",
        after,
        int(digits) if is_number else None,
        f"%{name}%" if by_name else None,
        digits,
        limit,
    )


def open_reservations(conn: Connection, account_id: int, limit: int) -> list[Reservation]:
    """What is held for legs that are not settled yet, the oldest first."""
    with conn.cursor(row_factory=class_row(Reservation)) as cursor:
        return cursor.execute(
            "SELECT leg_uuid, held, held_at FROM reservations WHERE account_id = %s AND state = 'held'"
            " ORDER BY held_at, leg_uuid LIMIT %s",
            [account_id, limit],
        ).fetchall()


def accept_terms(
    conn: Connection, account_id: int, version: str, by: str, *, means: str = "", address: str = ""
) -> Account:
    """Note that the customer accepted this version of the terms; a pending account becomes active.

    Raises AccountError, and TermsError for a version that was not published.
    """
    with conn.transaction():
        account = lock_open(conn, account_id)
        record_acceptance(conn, account_id, version, by, means, address)
        conn.execute(
            "UPDATE accounts SET terms_version = %s, terms_accepted_at = now() WHERE account_id = %s",
            [version, account_id],
        )
        announce_account(conn, account_id)
        if account.state is State.PENDING:
            return _enter(conn, account_id, State.ACTIVE, f"terms {version} accepted", by)
        return get_account(conn, account_id)


def suspend(conn: Connection, account_id: int, reason: str, by: str) -> Account:
    """Refuse the account's calls from now on; an account that is suspended already stays as it is.

    But one that dunning suspended, and now somebody else does, is suspended
    by them: a payment does not lift that.
    """
    with conn.transaction():
        account = lock_open(conn, account_id)
        is_taken_over = account.state_by == DUNNING != by
        if account.state is State.SUSPENDED and not is_taken_over:
            return account
        return _enter(conn, account_id, State.SUSPENDED, reason, by)


def resume(conn: Connection, account_id: int, reason: str, by: str) -> Account:
    """Lift a suspension: back to active, or to pending where no terms were accepted."""
    with conn.transaction():
        account = lock_open(conn, account_id)
        if account.state is not State.SUSPENDED:
            hint = ": accept its terms" if account.state is State.PENDING else ""
            raise AccountError(f"account {account_id} is {account.state}, not suspended{hint}")
        state = State.PENDING if account.terms_version is None else State.ACTIVE
        return _enter(conn, account_id, state, reason, by)


def close(conn: Connection, account_id: int, reason: str, by: str) -> Account:
    """Close the account for good; legs that are up still settle, and its balance stays on the books."""
    with conn.transaction():
        account = lock(conn, account_id)
        if account.state is State.CLOSED:
            return account
        return _enter(conn, account_id, State.CLOSED, reason, by)


def change_plan(conn: Connection, account_id: int, plan: str) -> Account:
    """Put the account on another plan; calls that are up keep their price."""
    with conn.transaction():
        lock_open(conn, account_id)
        _check_plan(conn, plan)
        conn.execute("UPDATE accounts SET plan = %s WHERE account_id = %s", [plan, account_id])
        announce_account(conn, account_id)
        return get_account(conn, account_id)


def change_credit_limit(conn: Connection, account_id: int, credit_limit: Decimal) -> Account:
    """How far below zero calls may bring the balance (terms 1); 0 is prepaid."""
    if credit_limit < 0:
        raise AccountError(f"a credit limit is zero or more, not {credit_limit}")
    with conn.transaction():
        lock_open(conn, account_id)
        conn.execute(
            "UPDATE accounts SET credit_limit = %s WHERE account_id = %s", [credit_limit, account_id]
        )
        announce_account(conn, account_id)
        return get_account(conn, account_id)


@dataclass(frozen=True, slots=True)
class Billing:
    """How an account is invoiced; what is None stays as it is."""

    customer_type: CustomerType | None = None
    is_taxed: bool | None = None
    language: str | None = None  # of invoices: en or fr
    address: str | None = None  # lines, under the name
    calls_are_invoiced: bool | None = None  # from now on; else they are prepaid


def change_billing(conn: Connection, account_id: int, new: Billing) -> Account:
    """Change how an account is invoiced.  Raises AccountError."""
    with conn.transaction():
        account = lock_open(conn, account_id)
        if new.calls_are_invoiced and not account.credit_limit:
            raise AccountError(
                f"account {account_id} has no credit, so its calls are prepaid:"
                " `esl-agent account set-credit` first"
            )
        conn.execute(
            """
            UPDATE accounts SET
                customer_type = coalesce(%(customer_type)s, customer_type),
                is_taxed = coalesce(%(is_taxed)s, is_taxed),
                language = coalesce(%(language)s, language),
                address = coalesce(%(address)s, address),
                calls_invoiced_since = CASE
                    WHEN %(calls_are_invoiced)s::boolean THEN coalesce(calls_invoiced_since, %(now)s)
                    WHEN NOT %(calls_are_invoiced)s::boolean THEN NULL
                    ELSE calls_invoiced_since END
            WHERE account_id = %(account_id)s
            """,
            {name: getattr(new, name) for name in Billing.__slots__}
            | {"account_id": account_id, "now": datetime.now(UTC)},
        )
        return get_account(conn, account_id)


def top_up(conn: Connection, account_id: int, amount: Decimal, reference: str) -> tuple[Account, bool]:
    """Credit a payment, once for each reference; the account, and whether it was credited now.

    Raises AccountError for amounts not above zero, LedgerError where the reference stands for another amount.
    """
    if amount <= 0:
        raise AccountError(f"a top-up is more than zero, not {amount}")
    with conn.transaction():
        lock_open(conn, account_id)
        key = f"{TOP_UP}:{reference}"
        posted = post(conn, Entry(account_id, key, House.CASH, House.CUSTOMER, amount, TOP_UP, reference))
        if posted:
            announce_account(conn, account_id)
        return get_account(conn, account_id), posted


def lock_open(conn: Connection, account_id: int) -> Account:
    """The account, its row locked until the transaction ends; raises AccountError if unknown or closed."""
    account = lock(conn, account_id)
    if account.state is State.CLOSED:
        raise AccountError(f"account {account_id} was closed on {account.state_since:%Y-%m-%d}, for good")
    return account


def lock(conn: Connection, account_id: int) -> Account:
    """The account, its row locked until the transaction ends; raises AccountError if unknown."""
    accounts = _select(conn, "WHERE account_id = %s FOR NO KEY UPDATE", account_id)
    if not accounts:
        raise _unknown(account_id)
    return accounts[0]


def _enter(conn: Connection, account_id: int, state: State, reason: str, by: str) -> Account:
    conn.execute(
        "UPDATE accounts SET state = %s, state_reason = %s, state_by = %s, state_since = now()"
        " WHERE account_id = %s",
        [state, reason, by, account_id],
    )
    announce_account(conn, account_id)
    return get_account(conn, account_id)


def _check_plan(conn: Connection, plan: str) -> None:
    if not conn.execute("SELECT 1 FROM plans WHERE plan = %s", [plan]).fetchone():
        raise AccountError(f"there is no plan {plan!r}: `esl-agent plan list` shows which there are")


def _select(conn: Connection, where: LiteralString, *values: object) -> list[Account]:
    with conn.cursor(row_factory=kwargs_row(_account)) as cursor:
        return cursor.execute(_SELECT + where, values).fetchall()


def _account(**columns: Any) -> Account:
    typed = {"state": State(columns["state"]), "customer_type": CustomerType(columns["customer_type"])}
    return Account(**columns | typed)


def _unknown(account_id: int) -> AccountError:
    return AccountError(f"there is no account {account_id}: `esl-agent account list` shows which there are")
