"""Payments: what a customer paid, credited once; and one that the bank returned, taken back once (terms 8).

A payment is known by its account and reference.  Told twice, it changes nothing
the second time; told twice with different figures, it is an error.  A returned
payment takes its credit back whatever became of it: a balance that was spent
meanwhile goes below zero, and the account makes no calls until that is paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, LiteralString

from psycopg.rows import kwargs_row

from esl_agent.core.money import ZERO
from esl_agent.errors import EslAgentError
from esl_agent.office.charges import Charge, make_charge
from esl_agent.store.accounts import Account, CustomerType, get_account, lock, lock_open
from esl_agent.store.changes import announce_account
from esl_agent.store.ledger import Entry, House, post
from esl_agent.store.pool import Connection

TOP_UP: Final = "top_up"
RETURNED: Final = "returned_payment"
RETURN_FEE: Final = "returned_payment_fee"
PAYMENTS_LISTED_MAX: Final = 1_000

_SELECT: Final = (
    "SELECT account_id, reference, method, amount, received_on, recorded_by, recorded_at,"
    " returned_on, return_reason, return_fee, returned_by FROM payments "
)


class Method(StrEnum):
    CASH = "cash"
    CARD = "card"
    TRANSFER = "transfer"
    CHECK = "check"
    OTHER = "other"


class PaymentError(EslAgentError):
    """The payment can't be recorded, or returned, as was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPayment:
    """What came in; `reference` is the check's number, the transfer's, the receipt's."""

    account_id: int
    amount: Decimal
    reference: str
    method: Method
    received_on: date
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """The bank gave it back."""

    account_id: int
    reference: str
    reason: str
    returned_on: date
    by: str


@dataclass(frozen=True, slots=True)
class ReturnFeePolicy:
    """What a returned payment costs, and whether consumers pay it (the operator's switch)."""

    fee: Decimal = Decimal("15.0000")
    consumers_pay: bool = False

    def fee_for(self, customer_type: CustomerType) -> Decimal:
        return ZERO if customer_type is CustomerType.CONSUMER and not self.consumers_pay else self.fee


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as it is stored; the fields of its return are None while it stands."""

    account_id: int
    reference: str
    method: Method
    amount: Decimal
    received_on: date
    recorded_by: str
    recorded_at: datetime
    returned_on: date | None
    return_reason: str | None
    return_fee: Decimal | None
    returned_by: str | None


@dataclass(frozen=True, slots=True)
class Booked:
    """What became of it; `is_new` is False where it had been told before."""

    payment: Payment
    account: Account
    is_new: bool


def take_payment(conn: Connection, new: NewPayment) -> Booked:
    """Credit a payment, once for each reference.

    Raises AccountError for an account that is unknown or closed, PaymentError for
    an amount not above zero, or where the reference stands for another payment.
    """
    if new.amount <= 0:
        raise PaymentError(f"a payment is more than zero, not {new.amount}")
    with conn.transaction():
        lock_open(conn, new.account_id)
        before = _find(conn, new.account_id, new.reference)
        if before is not None:
            _compare(before, new)
            return Booked(before, get_account(conn, new.account_id), is_new=False)
        conn.execute(
            "INSERT INTO payments (account_id, reference, method, amount, received_on, recorded_by)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [new.account_id, new.reference, new.method, new.amount, new.received_on, new.by],
        )
        key = f"{TOP_UP}:{new.reference}"
        sides = (House.CASH, House.CUSTOMER)
        post(conn, Entry(new.account_id, key, *sides, new.amount, TOP_UP, new.reference, new.received_on))
        return _booked(conn, new.account_id, new.reference)


def return_payment(conn: Connection, what: Return, policy: ReturnFeePolicy) -> Booked:
    """Take back a returned payment's credit, and charge the fee; once, however often it is told.

    Raises AccountError for an unknown account, PaymentError for a payment that is
    unknown or was received after its return.
    """
    with conn.transaction():
        account = lock(conn, what.account_id)  # a closed account's check can bounce too
        payment = _find(conn, what.account_id, what.reference)
        if payment is None:
            raise PaymentError(
                f"account {what.account_id} has no payment {what.reference!r}:"
                f" `esl-agent payment list {what.account_id}` shows which there are"
            )
        if payment.returned_on is not None:
            return Booked(payment, account, is_new=False)
        if what.returned_on < payment.received_on:
            raise PaymentError(
                f"payment {what.reference!r} came on {payment.received_on}: it can't have been"
                f" returned on {what.returned_on}"
            )
        fee = policy.fee_for(account.customer_type)
        conn.execute(
            "UPDATE payments SET returned_on = %s, return_reason = %s, return_fee = %s, returned_by = %s"
            " WHERE account_id = %s AND reference = %s",
            [what.returned_on, what.reason, fee, what.by, what.account_id, what.reference],
        )
        key = f"{RETURNED}:{what.reference}"
        sides = (House.CUSTOMER, House.CASH)
        day = what.returned_on
        post(conn, Entry(what.account_id, key, *sides, payment.amount, RETURNED, what.reference, day))
        if fee:
            charge = Charge(
                account_id=what.account_id,
                reference=f"fee of returned payment {what.reference}",
                description=f"Fee: payment {what.reference} returned",
                amount=fee,
                is_taxed=False,
                charged_on=day,
                ends_on=None,
                added_by=what.by,
                kind=RETURN_FEE,
            )
            make_charge(conn, charge)
        return _booked(conn, what.account_id, what.reference)


def list_payments(
    conn: Connection, account_id: int | None = None, limit: int = PAYMENTS_LISTED_MAX
) -> list[Payment]:
    """The latest payments, of one account or of all, the latest first."""
    order = "ORDER BY received_on DESC, recorded_at DESC, reference LIMIT %s"
    if account_id is None:
        return _select(conn, order, limit)
    get_account(conn, account_id)
    return _select(conn, "WHERE account_id = %s " + order, account_id, limit)


def _booked(conn: Connection, account_id: int, reference: str) -> Booked:
    announce_account(conn, account_id)
    [payment] = _select(conn, "WHERE account_id = %s AND reference = %s", account_id, reference)
    return Booked(payment, get_account(conn, account_id), is_new=True)


def _compare(before: Payment, new: NewPayment) -> None:
    """Telling a payment again has to tell the same one."""
    if before.returned_on is not None:
        raise PaymentError(
            f"payment {new.reference!r} of account {new.account_id} was returned on {before.returned_on}:"
            " use another reference for what was paid instead"
        )
    if (before.amount, before.method) != (new.amount, new.method):
        raise PaymentError(
            f"reference {new.reference!r} of account {new.account_id} stands for {before.amount} by"
            f" {before.method} on {before.received_on}, not for {new.amount} by {new.method}:"
            " use another reference"
        )


def _find(conn: Connection, account_id: int, reference: str) -> Payment | None:
    found = _select(conn, "WHERE account_id = %s AND reference = %s", account_id, reference)
    return found[0] if found else None


def _select(conn: Connection, where: LiteralString, *values: object) -> list[Payment]:
    with conn.cursor(row_factory=kwargs_row(_payment)) as cursor:
        return cursor.execute(_SELECT + where, values).fetchall()


def _payment(**columns: Any) -> Payment:
    return Payment(**columns | {"method": Method(columns["method"])})
