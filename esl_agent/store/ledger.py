"""The ledger: double entry, immutable, each entry once by its idempotency key.

A customer's balance is the sum of its entries: credited less debited.  An
account's stored balance, reserved sum and calls up are caches, and `check` re-adds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, LiteralString

from psycopg.rows import class_row

from esl_agent.core.money import ZERO
from esl_agent.errors import EslAgentError
from esl_agent.store.pool import Connection

POST: Final = """
    WITH entry AS (
        INSERT INTO ledger (account_id, idempotency_key, debit, credit, amount, kind, reference, effective_on)
        VALUES (%(account_id)s, %(idempotency_key)s, %(debit)s, %(credit)s, %(amount)s, %(kind)s,
                %(reference)s, %(effective_on)s)
        ON CONFLICT (account_id, idempotency_key) DO NOTHING
        RETURNING account_id,
                  CASE 'customer' WHEN credit THEN amount WHEN debit THEN -amount ELSE 0 END AS change
    )
    UPDATE accounts SET balance = balance + change FROM entry WHERE accounts.account_id = entry.account_id
"""

_SELECT: Final = "SELECT idempotency_key, debit, credit, amount, kind, reference, recorded_at FROM ledger "

CHECK: Final = """
    WITH summed AS (
        SELECT account_id,
               sum(CASE 'customer' WHEN credit THEN amount WHEN debit THEN -amount ELSE 0 END) AS balance
        FROM ledger GROUP BY account_id
    ),
    held AS (
        SELECT account_id, sum(held) AS reserved, count(*) AS calls FROM reservations WHERE state = 'held'
        GROUP BY account_id
    )
    SELECT account_id, what, stored, summed
    FROM accounts FULL JOIN summed USING (account_id) FULL JOIN held USING (account_id)
    CROSS JOIN LATERAL (VALUES
        ('balance', coalesce(accounts.balance, 0), coalesce(summed.balance, 0)),
        ('reserved', coalesce(accounts.reserved, 0), coalesce(held.reserved, 0)),
        ('calls_up', coalesce(accounts.calls_up, 0), coalesce(held.calls, 0))
    ) AS compared (what, stored, summed)
    WHERE stored <> summed
    ORDER BY account_id, what
"""


class House(StrEnum):
    """The sides of an entry.  Only the customer's has a stored balance."""

    CUSTOMER = "customer"
    REVENUE = "revenue"
    CASH = "cash"
    FEES = "fees"
    INTEREST = "interest"
    TAX = "tax"
    WRITE_OFF = "write_off"


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement of `amount` (above zero) from the debit side to the credit side."""

    account_id: int
    idempotency_key: str
    debit: House
    credit: House
    amount: Decimal
    kind: str
    reference: str
    effective_on: date | None = None  # the day it counts from; None: the day it is recorded


@dataclass(frozen=True, slots=True)
class RecordedEntry:
    """An entry as the ledger has it."""

    idempotency_key: str
    debit: str
    credit: str
    amount: Decimal
    kind: str
    reference: str
    recorded_at: datetime

    @property
    def change(self) -> Decimal:
        """What it did to the customer's balance."""
        if self.credit == House.CUSTOMER:
            return self.amount
        return -self.amount if self.debit == House.CUSTOMER else ZERO


@dataclass(frozen=True, slots=True)
class Difference:
    """A stored sum that isn't what its rows add up to."""

    account_id: int
    what: str  # balance, reserved or calls_up
    stored: Decimal
    summed: Decimal


class LedgerError(EslAgentError):
    """An entry that contradicts the one recorded under the same key."""


def post(conn: Connection, entry: Entry) -> bool:
    """Record an entry and move the balance; False where the same entry had been recorded before.

    The caller has the account's row locked.  Raises LedgerError where the key stands for another entry.
    """
    values = {name: getattr(entry, name) for name in Entry.__slots__}
    if conn.execute(POST, values).rowcount:
        return True
    [recorded] = _select(
        conn, "WHERE account_id = %s AND idempotency_key = %s", entry.account_id, entry.idempotency_key
    )
    if (recorded.debit, recorded.credit, recorded.amount) != (entry.debit, entry.credit, entry.amount):
        raise LedgerError(
            f"reference {entry.reference!r} of account {entry.account_id} stands for {recorded.amount}"
            f" on {recorded.recorded_at:%Y-%m-%d %H:%M} UTC, not for {entry.amount}: use another reference"
        )
    return False


def last_entries(conn: Connection, account_id: int, limit: int) -> list[RecordedEntry]:
    """The latest entries of an account, the latest first."""
    order = "WHERE account_id = %s ORDER BY recorded_at DESC, idempotency_key DESC LIMIT %s"
    return _select(conn, order, account_id, limit)


def check(conn: Connection) -> list[Difference]:
    """Re-add every balance, reserved sum and count of calls, in one snapshot; what differs, by account."""
    with conn.cursor(row_factory=class_row(Difference)) as cursor:
        return cursor.execute(CHECK).fetchall()


def _select(conn: Connection, where: LiteralString, *values: object) -> list[RecordedEntry]:
    with conn.cursor(row_factory=class_row(RecordedEntry)) as cursor:
        return cursor.execute(_SELECT + where, values).fetchall()
